"""Training: the objective, schedules, checkpoints and the loop."""
