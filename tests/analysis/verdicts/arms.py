"""Tables of arms made from given chances."""

import numpy as np
import pandas as pd

from analysis.data.metric import metric_named
from analysis.verdicts.arms import arm_means
from tests.analysis.tables import only

ACCURACY = metric_named("accuracy")
SAMPLES = np.array([32, 128, 512, 2048, 8192])


def arms_of(table):
    return arm_means(only(table))


def rows(samples, chance, rng, items=300, seeds=3, **columns):
    """Accuracies of ``items`` items for each amount and seed; ``columns`` are one value an amount, or one for all."""
    out = []
    for i, (n, p) in enumerate(zip(samples, chance, strict=True)):
        for seed in range(seeds):
            here = {k: v[i] if isinstance(v, list | np.ndarray) else v for k, v in columns.items()}
            value = rng.binomial(items, p) / items
            out.append({"samples": n, "total_samples": n, "seed": str(seed), "value": value, "n_items": items, **here})
    return pd.DataFrame(out).assign(ability="math", task="gsm8k", metric="accuracy")
