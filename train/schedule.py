"""Learning-rate schedules, as factors of the peak learning rate: those of the Hugging Face Trainer, step for step.

FastChat, in which the study was trained, takes them from there, so the paper's recipe follows it to the first step.
"""

from __future__ import annotations

import math

from train.spec import Recipe


def rate_factor(recipe: Recipe, *, step: int, steps: int) -> float:
    """Factor, from 0 to 1, of the peak learning rate at ``step`` (from 0) of ``steps``.

    The warm-up lasts ceil(``recipe.warmup`` * ``steps``) steps and rises linearly from 0, which is the factor of step
    0, to 1 just after the last of them. Then ``cosine`` falls to 0 just after the last step of all (Loshchilov and
    Hutter 2017), ``constant`` stays at 1, and ``wsd`` stays at 1 and falls linearly over the last
    ceil(``recipe.decay`` * ``steps``) steps to 0 just after the last (warmup-stable-decay, Hu et al. 2024).
    """
    warmup_steps = math.ceil(recipe.warmup * steps)
    if step < warmup_steps:
        return step / warmup_steps
    if recipe.schedule == "cosine":
        return (1 + math.cos(math.pi * (step - warmup_steps) / (steps - warmup_steps))) / 2
    decay_steps = math.ceil(recipe.decay * steps)
    if recipe.schedule == "wsd" and step >= steps - decay_steps:
        return (steps - step) / decay_steps
    return 1.0
