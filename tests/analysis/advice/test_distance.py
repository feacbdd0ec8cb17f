"""How far cells lie from what was measured, and that intervals are as wide as the table's own cells ask for."""

import numpy as np
import pandas as pd
import pytest

from analysis.advice.distance import places, ratios, stretch

ONE = ["multitask"]


def line(values, strategy="multitask", code=(0.0,)):
    """Arms at 1, 2, 4 ... samples of math, times those of code; the kernel is that of a straight line with noise."""
    at = [(float(2**k), c) for c in code for k in range(values)]
    table = pd.DataFrame(at, columns=["samples_math", "samples_code"])
    found = places(table, 1.0, [strategy] * len(at))
    x = found.doublings[:, 1]
    return found, 1 + np.outer(x, x) + 0.01 * np.eye(len(at)), x


def test_the_distance_is_that_of_the_ability_that_differs_most():
    found, *_ = line(4)
    assert found.names == ("code", "math")
    amounts = np.array([[0.0, 8.0], [0.0, 35.0], [3.0, 8.0]])
    assert found.away(amounts, ONE * 3) == pytest.approx([0.0, 2.0, 2.0])  # 36 is four times 9, and 4 four times 1
    assert np.isinf(found.away(amounts[:1], ["dmt"])).all()


def test_intervals_widen_where_the_arms_are_predicted_badly_from_so_far_away():
    found, kernel, x = line(12)
    away = np.array([1.0, 4.0])
    assert stretch(found, away, ONE * 2, kernel, x) == pytest.approx([1.0, 1.0]), "a line, as the kernel says"
    near, far = stretch(found, away, ONE * 2, kernel, x + 0.08 * (x - 6) ** 2)
    assert far > near > 2, "what bends is predicted the worse the farther away"
    by_doublings, never = ratios(found, kernel, x + 0.08 * (x - 6) ** 2)
    assert (by_doublings[1], by_doublings[4]) == (near, far) and np.isnan(never)
    assert len(by_doublings) < 12, "no two arms lie farther apart"


def test_no_width_is_made_up_where_the_arms_do_not_tell():
    found, kernel, x = line(6)
    assert np.isnan(stretch(found, np.array([40.0]), ONE, kernel, x)).all(), "no two arms lie so far apart"
    table = pd.DataFrame({"samples_math": 2.0 ** np.arange(14), "samples_code": 2.0 ** np.arange(14)})
    same = places(table, 1.0, ONE * 14)
    kernel, x = 1 + np.outer(same.doublings[:, 0], same.doublings[:, 0]) + 0.01 * np.eye(14), same.doublings[:, 0]
    near, far = stretch(same, np.array([1.0, 3.0]), ONE * 2, kernel, x)
    assert near == 1.0 and np.isnan(far), "one mixture in many amounts says nothing of other mixtures"
