"""Engines that answer prompts. The answers of an engine do not depend on order or batch size."""
