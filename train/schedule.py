"""Learning rate over the steps, as a share of its peak."""

from __future__ import annotations

import math

from train.spec import Recipe


def share(recipe: Recipe, *, step: int, steps: int) -> float:
    """Share of the peak learning rate at a step (from 0) of ``steps``: linear warm-up, then the schedule's curve.

    ``cosine`` falls to 0 after the last step; ``constant`` stays; ``wsd`` stays and falls linearly to 0 over the last
    ``decay`` of all steps.
    """
    warmup = round(recipe.warmup * steps)
    if step < warmup:
        return (step + 1) / warmup
    if recipe.schedule == "cosine":
        return (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2
    decay = round(recipe.decay * steps)
    if recipe.schedule == "wsd" and step >= steps - decay:
        return (steps - step) / (decay + 1)
    return 1.0
