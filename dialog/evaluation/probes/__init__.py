"""Probes: corpora made by a program, where what a model must have understood is known, and their measures."""
