"""Grading by a judge: its prompts, its stored replies, the ratings read from them, and their cost."""
