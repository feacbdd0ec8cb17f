"""What own amount and its ratio to other data explain."""

import numpy as np
import pandas as pd
import pytest

from analysis.verdicts.ratio import amount_or_ratio
from tests.analysis.verdicts.arms import SAMPLES, arms_of, rows


def test_ratios_that_only_rounding_moves_explain_nothing():
    own = np.array([14, 56, 224, 896, 3584, 7168])
    table = rows(own, np.linspace(0.1, 0.9, 6), np.random.default_rng(0)).assign(strategy="multitask")
    other = np.repeat(np.round(own * 1.2143), 3)
    assert amount_or_ratio(arms_of(table.assign(total_samples=table["samples"] + other))) is None


def test_amount_and_ratio_share_what_they_cause():
    rng = np.random.default_rng(6)
    own, other = (grid.ravel() for grid in np.meshgrid(SAMPLES, SAMPLES))

    def shares(weight_amount, weight_ratio):
        chance = 1 / (1 + np.exp(1.5 - weight_amount * np.log(own / 512) - weight_ratio * np.log(own / other)))
        table = rows(own, chance, rng, items=4000).assign(strategy="multitask")
        return amount_or_ratio(arms_of(table.assign(total_samples=np.repeat(own + other, 3))))

    amount, ratio, both, rest = shares(0.4, 0.0).value
    assert amount > 0.7  # own amount also moves the ratio, so ratio keeps a share of what they have in common
    assert amount + ratio + both + rest == pytest.approx(1.0)
    assert shares(0.4, 0.0).partial[1][0] < 0.02
    assert shares(0.0, 0.3).partial[0][0] < 0.02
    assert shares(0.0, 0.3).value[1] > 0.7
    one = arms_of(rows(SAMPLES, SAMPLES / 1e4, rng).assign(strategy="multitask"))
    assert amount_or_ratio(one) is None


def test_what_strategy_and_size_explain_is_taken_out_of_amount_and_ratio():
    rng = np.random.default_rng(6)
    own, other = (grid.ravel() for grid in np.meshgrid(SAMPLES, SAMPLES))
    parts = []
    for params, shift in ((1e6, 0.0), (1e7, 1.5)):
        chance = 1 / (1 + np.exp(1.5 - shift - 0.3 * np.log(own / 512)))
        table = rows(own, chance, rng, items=4000).assign(strategy="multitask", params=params)
        parts.append(table.assign(total_samples=np.repeat(own + other, 3)))
    parts.append(parts[0].assign(strategy="dmt", replay=1 / 16))  # others have no replay at all
    shares = amount_or_ratio(arms_of(pd.concat(parts)))
    assert shares.value[3] < 0.05  # nothing is left that amount does not explain, as size is no part of the whole
    assert shares.low[0] <= shares.value[0] <= shares.high[0]
    assert shares.sentence.startswith("math accuracy: given the ratio, own amount (32 to 8,192 samples) explains 50 %")
