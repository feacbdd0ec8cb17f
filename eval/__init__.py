"""Measure checkpoints: the stages answer and score."""
