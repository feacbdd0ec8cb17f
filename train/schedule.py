"""Learning-rate schedules, as factors of the peak learning rate."""

from __future__ import annotations

import math

from train.spec import Recipe


def rate_factor(recipe: Recipe, *, step: int, steps: int) -> float:
    """Factor, above 0 and at most 1, of the peak learning rate at ``step`` (from 0) of ``steps``.

    A linear warm-up over the first ``recipe.warmup`` of the steps comes first. Then ``cosine`` falls to 0 just after
    the last step (Loshchilov and Hutter 2017), ``constant`` stays at 1, and ``wsd`` stays at 1 and falls linearly over
    the last ``recipe.decay`` of all steps (warmup-stable-decay, Hu et al. 2024).
    """
    warmup_steps = round(recipe.warmup * steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps  # the first step already moves the weights
    if recipe.schedule == "cosine":
        return (1 + math.cos(math.pi * (step - warmup_steps) / max(1, steps - warmup_steps))) / 2
    decay_steps = round(recipe.decay * steps)
    if recipe.schedule == "wsd" and step >= steps - decay_steps:
        return (steps - step) / (decay_steps + 1)  # 0 would fall on the step after the last
    return 1.0
