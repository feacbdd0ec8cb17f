"""Make data, tokens and checkpoints: the stages world, tokenizer, tokens and train."""
