"""Gains, plateaus, floors and ceilings; and larger models at equal data."""

import numpy as np
import pandas as pd
import pytest

from analysis.report.verdict_tables import verdict_tables
from analysis.verdicts.scaling import scaling
from analysis.verdicts.size import sizes
from tests.analysis.verdicts.arms import SAMPLES, arms_of, rows


def test_a_rising_curve_is_not_called_a_plateau_and_a_plateau_rises_rarely():
    rng = np.random.default_rng(1)
    rising = 0.3 + 0.01 * np.log2(SAMPLES)  # one point per doubling: as large as the margin
    flat = np.array([0.2, 0.45, 0.6, 0.6, 0.6])
    wrong = {"rising": 0, "flat": 0}
    for _ in range(100):
        wrong["rising"] += scaling(arms_of(rows(SAMPLES, rising, rng, items=80)), "", 0.02).finding == "equal"
        wrong["flat"] += scaling(arms_of(rows(SAMPLES, flat, rng, items=80)), "", 0.02).finding in ("up", "down")
    assert wrong["rising"] <= 9  # 5 of 100 expected at most
    assert wrong["flat"] <= 9


def test_a_plateau_is_found_and_where_it_starts():
    rng = np.random.default_rng(2)
    x = 4 ** np.arange(2, 9)
    found = arms_of(rows(x, [0.1, 0.3, 0.6, 0.8, 0.8, 0.8, 0.8], rng, items=20_000))
    verdict = scaling(found, "", 0.02)
    assert verdict.finding == "equal"
    assert "from 1,024 to 65,536 samples" in verdict.sentence
    rise = scaling(arms_of(rows(x, np.linspace(0.1, 0.8, 7), rng, items=20_000)), "", 0.02)
    assert rise.finding == "up"
    assert rise.effect == pytest.approx(0.7 / 12, abs=0.003)
    assert scaling(arms_of(rows(x[:3], [0.1, 0.2, 0.3], rng)), "", 0.02) is None


@pytest.mark.parametrize(
    ("chance", "edge", "said"),
    [
        ([0.01] * 5, "floor", "stays at its worst value, where no effect can show"),
        ([0.2, 0.6, 0.985, 0.985, 0.985], "ceiling", "has reached its best value"),
        ([0.2, 0.45, 0.6, 0.6, 0.6], "", "has reached a plateau"),
        ([0.0, 0.0, 0.01, 0.12, 0.24], "", "still improves"),
    ],
)
def test_floor_and_ceiling_are_no_plateau(chance, edge, said):
    verdict = scaling(arms_of(rows(SAMPLES, chance, np.random.default_rng(0), items=20_000)), "", 0.02)
    assert verdict.edge == edge
    assert f"math accuracy {said} from" in verdict.sentence
    shown = verdict_tables([verdict])[0].rows[0][-1]
    assert shown == (edge or {"equal": "plateau", "up": "improving"}[verdict.finding])


def test_a_larger_model_is_compared_at_equal_data():
    rng = np.random.default_rng(3)
    small = rows(SAMPLES, np.linspace(0.2, 0.5, 5), rng, items=2000).assign(params=1e6, model="s")
    large = rows(SAMPLES[1:], np.linspace(0.3, 0.6, 5)[1:], rng, items=2000).assign(params=1e7, model="l")
    (verdict,) = sizes(arms_of(pd.concat([small, large])), 0.02)
    assert verdict.finding == "up"
    assert verdict.low < 0.1 < verdict.high
    assert "4 designs" in verdict.sentence
