"""What to train, and what to measure next, from one surrogate model per ability."""
