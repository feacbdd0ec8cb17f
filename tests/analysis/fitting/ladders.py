"""Simulated ladders: losses and scores of five sizes at five amounts."""

import numpy as np
from scipy.special import expit

from analysis.data.metric import metric_named
from analysis.fitting.across_sizes import Ladder

SIZES = 1e6 * 3.0 ** np.arange(5)
AMOUNTS = 100 * 4.0 ** np.arange(5)


def losses(rng, shift=0.03):
    """Losses of a ladder: falling with size and data, with a shift of each size as a whole."""
    E, A, a, B, b = rng.uniform(0.3, 1), rng.uniform(20, 60), rng.uniform(0.2, 0.35), rng.uniform(3, 9), 0.25
    n, d = np.meshgrid(SIZES, AMOUNTS, indexing="ij")
    noise = rng.normal(0, shift, (len(SIZES), 1)) + rng.normal(0, 0.01, n.shape)
    return (E + A * n**-a + B * d**-b) * np.exp(noise)


def scores(rng, items=500):
    n, d = np.meshgrid(np.log(SIZES / 1e6), np.log(AMOUNTS / 100), indexing="ij")
    chance = expit(-2 + rng.uniform(0.2, 0.5) * n + rng.uniform(0.2, 0.4) * d + rng.normal(0, 0.1, (len(SIZES), 1)))
    return rng.binomial(items, chance) / items


def scores_of(rng, loss, steep, items=500):
    """Scores that rise as the loss falls: steeply, so that small models show nothing, or slowly."""
    middle = np.log(np.quantile(loss, rng.uniform(0.05, 0.3) if steep > 4 else rng.uniform(0.1, 0.5)))
    return rng.binomial(items, expit(-steep * (np.log(loss) - middle) + rng.normal(0, 0.1, loss.shape))) / items


def ladder(value, metric="loss", items=None):
    count = None if items is None else np.full(value.shape, float(items))
    return Ladder("l", metric_named(metric), SIZES, AMOUNTS, value, count)
