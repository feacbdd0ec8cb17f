"""R2, slope and direction of series, by hand."""

import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.fitting.series_fits import fit_series
from analysis.report.shape_table import shape_table


def table(values, metric="accuracy", **columns):
    rows = pd.DataFrame({"samples": [100, 200, 400, 800], "value": values, **columns})
    (measure,) = Study(rows.assign(ability="math", task="t", metric=metric)).measures
    fits = fit_series(measure)
    return shape_table(measure, fits), fits[0]


def test_slope_and_steps_by_hand():
    found, fit = table([0.5, 0.1, 0.3, 0.28], n_items=400)
    # Doublings of -1.5 to 1.5 with values .5, .1, .3, .28: -1.5 * .5 - .5 * .1 + .5 * .3 + 1.5 * .28 = -.23, of 5.
    assert found.rows == (("all", "-", "-4.6", "2 of 3", "1"),)
    assert fit.curve is None  # the values jump down, which no law of scores does
    rising, _ = table([2.0, 1.0, 0.5, 0.25], "loss")
    assert rising.rows[0][1:4] == ("1.000", "+50.0", "0 of 3")
    assert rising.rows[0][4] == "-"  # no interval tells


def test_r2_is_that_of_the_means_at_the_amounts():
    found, fit = table([0.2, 0.35, 0.4, 0.6], n_items=400)
    mean = [level.mean for level in fit.levels]
    rest = sum((value - fitted) ** 2 for value, fitted in zip(mean, fit.at_levels.value, strict=True))
    whole = sum((value - sum(mean) / 4) ** 2 for value in mean)
    assert float(found.rows[0][1]) == pytest.approx(1 - rest / whole, abs=5e-4)
    (measure,) = Study(pd.DataFrame({"samples": [1, 2], "value": [0.1, 0.2]}).assign(
        ability="math", task="t", metric="accuracy", n_items=9)).measures  # fmt: skip
    assert shape_table(measure, fit_series(measure)) is None
