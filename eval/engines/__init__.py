"""Engines that answer prompts. Each gives the same answers in any order and at any batch size."""
