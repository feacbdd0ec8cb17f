"""Grading by a judge: prompts, replies that are kept, ratings, and what all of it costs."""
