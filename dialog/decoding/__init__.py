"""From a model's next-token logits to replies: sampling, and the Replier that people talk to."""
