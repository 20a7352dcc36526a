"""The Gradio page: chat, and comparison of the models."""
