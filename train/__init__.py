"""Training: the stages world, tokenizer, tokens and train."""
