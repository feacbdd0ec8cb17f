"""All measurements of a curve answer the same items, so a part of their noise does not average out."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.items import Items
from analysis.data.study import Study
from analysis.fitting.series_fits import fit_series
from analysis.fitting.shared_items import USUAL_ALIKE, SharedItems, correlation
from analysis.fitting.uncertainty import LOG, LOGIT, Prediction
from tests.analysis.fitting.test_series_fits import AMOUNTS, smooth
from tests.bench.calibration import runs


def test_the_correlation_between_runs_by_hand():
    assert correlation(np.array([[1, 1, 0, 0], [1, 1, 0, 0.0]])) == pytest.approx(1)
    assert correlation(np.array([[1, 1, 0, 0], [1, 0, 1, 0.0]])) == pytest.approx(0)
    three = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [np.nan] * 4, [1] * 4])
    assert correlation(three) == pytest.approx(1 / 3)
    assert correlation(three[3:]) == USUAL_ALIKE


def test_bands_by_hand():
    """A half on 100 items: .05, which are .2 logits, of which the root of a quarter is shared."""
    half = Prediction(np.array([0.5]), LOGIT.back(np.array([-0.1])), LOGIT.back(np.array([0.1])))
    wide = SharedItems(0.25, 100.0, np.array([64.0]), np.zeros(0)).widened(half, LOGIT, np.array([64.0]))
    assert LOGIT.forward(wide.high) == pytest.approx(np.hypot(0.1, 1.96 * 0.1), rel=1e-3)
    assert LOGIT.forward(wide.low) == pytest.approx(-LOGIT.forward(wide.high))
    loss = Prediction(np.array([2.0]), np.array([2.0]), np.array([2.0]))
    shared = SharedItems(0.25, np.inf, np.array([64.0, 256.0]), np.array([0.02, 0.06]))
    assert np.log(shared.widened(loss, LOG, np.array([128.0])).high / 2) == pytest.approx(1.96 * 0.02, rel=1e-3)


def test_curves_of_three_seeds_cover_the_truth_though_items_differ_in_difficulty():
    rng, inside = np.random.default_rng(0), []
    for _ in range(25):
        chance = smooth(rng)
        table = pd.concat(runs(rng, chance, 256, 3, 0.0, alike=0.7), ignore_index=True)
        ((fit,),) = (fit_series(measure) for measure in Study(table).measures)
        inside += list((fit.at_levels.low <= chance) & (chance <= fit.at_levels.high))
    assert np.mean(inside) >= 0.93


def test_known_items_say_how_much_runs_have_in_common():
    rng, parts, rows = np.random.default_rng(1), [], []
    easy = rng.normal(0, 2, 300)
    for cell, amount in enumerate(AMOUNTS):
        right = rng.random(300) < 1 / (1 + np.exp(1.5 - 0.7 * cell - easy))
        rows.append({"cell": str(cell), "samples": amount, "value": right.mean(), "n_items": 300})
        parts.append(pd.DataFrame({"cell": str(cell), "item": range(300), "value": right * 1.0}))
    items = Items({("math", "t", "accuracy"): pd.concat(parts)}, ("ability", "task", "metric"))
    (measure,) = Study(pd.DataFrame(rows).assign(ability="math", task="t", metric="accuracy"), items).measures
    (fit,) = fit_series(measure)
    assert 0.25 < fit.shared.alike < 0.45
    matrix = measure.item_values(measure.trained)[0]
    assert fit.shared.alike == pytest.approx(np.corrcoef(matrix)[np.triu_indices(5, 1)].mean())
