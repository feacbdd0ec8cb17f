"""What to train, and what to measure next: decisions from a surrogate of all abilities."""
