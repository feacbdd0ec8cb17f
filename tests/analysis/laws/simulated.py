"""Points simulated from every law, with known parameters."""

import numpy as np

from analysis import LAWS, Points

TRUE = {
    "power": (30.0, 0.3),
    "power_floor": (1.2, 30.0, 0.4),
    "shifted_power": (1.0, 30.0, 0.4, 3000.0),
    "bounded": (1.0, 4.0, 2e4, 0.6),
    "m4": (1.0, 4.0, 0.8, 30.0, 0.4),
    "log_linear": (0.1, 0.05),
    "sigmoid": (0.0, 0.9, 0.8, float(np.log(2e4))),
    "neg_log_accuracy": (0.1, 10.0, 0.3),
    "additive": (1.7, 400.0, 0.34, 410.0, 0.28),
    "broken_power": (1.0, 6.0, 0.08, 0.5, 8000.0, 0.2),
    "multiplicative": (1.2, 900.0, 0.2, 0.15),
    "joint_bounded": (1.2, 6.0, 500.0, 0.35, 900.0, 0.3),
    "logit_sizes": (-6.0, 0.15, 0.1),
    "neg_log_sizes": (0.1, 60.0, 0.3, 300.0, 0.3),
}
"""The parameters of each law, in its order."""

SCORES = ("log_linear", "sigmoid", "neg_log_accuracy", "logit_sizes", "neg_log_sizes")
AMOUNTS = np.geomspace(100, 1e6, 8)
BOUNDED = TRUE["bounded"]


def bounded(x, params=BOUNDED):
    """Values of the bounded law, by default with its parameters in `TRUE`."""
    return LAWS["bounded"].value(x, *params)


def amounts(law):
    """Amounts by name that determine the law's parameters: 8 amounts of three seeds, more where a law needs them."""
    if law == "broken_power":
        return {"samples": np.repeat(np.geomspace(100, 1e6, 16), 3)}
    if LAWS[law].variables == 1:
        return {"samples": np.repeat(AMOUNTS, 3)}
    sizes, tokens = np.meshgrid(np.geomspace(1e6, 1e10, 6), np.geomspace(1e8, 1e12, 6))
    return {"params": sizes.ravel(), "tokens": tokens.ravel()}


def exact(law):
    """Amounts by name, and the law's values there."""
    x = amounts(law)
    return x, LAWS[law].value(*x.values(), *map(np.float64, TRUE[law]))


def simulate(law, seed):
    """Points with 1 % noise, or with the noise of 2,000 items for scores; and the objective to fit them with."""
    x, truth = exact(law)
    rng = np.random.default_rng(seed)
    if law in SCORES:
        return Points(x, rng.binomial(2000, truth) / 2000, trials=np.full(len(truth), 2000)), "quasibinomial"
    return Points(x, truth * np.exp(rng.normal(0, 0.01, len(truth)))), "log"
