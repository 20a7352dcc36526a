"""What a model is worth: its likelihood of replies that people gave."""
