"""Where mixing helps and where it hurts, and where the two cross."""

import numpy as np
import pandas as pd
import pytest

from analysis.verdicts.strata import strata
from analysis.verdicts.synergy import MixingEffects, crossing, crossing_text, mixing_effects, synergies
from tests.analysis.verdicts.arms import SAMPLES, arms_of, rows


def mixture(rng, delta, items=3000):
    """Alone and mixed, with a benefit of mixing that falls by ``delta`` per factor of 4 from 2 ``delta`` on."""
    alone = np.linspace(0.3, 0.6, 5)
    mixed = alone + delta * (2 - np.arange(5) * 1.0)
    first = rows(SAMPLES, alone, rng, items=items, strategy="single", trained_on="math")
    second = rows(SAMPLES, mixed, rng, items=items, strategy="multitask", trained_on="math+code")
    return pd.concat([first, second.assign(total_samples=2 * second["samples"])])


def test_help_at_little_data_and_harm_at_much_are_found_with_their_crossing():
    found = arms_of(mixture(np.random.default_rng(4), 0.04))
    first, last, trend = synergies(found, 0.02)
    assert (first.finding, last.finding, trend.finding) == ("up", "down", "down")
    (effects,) = mixing_effects(found)
    at, low, high = crossing(effects)
    assert low < 9 < high  # 512 samples
    assert low < at < high
    assert "they cross at about" in trend.sentence


def test_training_alone_is_the_other_side_of_mixtures_with_each_source_of_the_others():
    """Two sources of code data: the mixtures differ, and cells of math alone have neither of them."""
    rng = np.random.default_rng(4)
    first, second = mixture(rng, 0.04), mixture(rng, 0.04)
    second = second[second["strategy"] == "multitask"]
    told = [
        frame.assign(source_math="a", source_code=np.where(frame["strategy"] == "multitask", code, None))
        for frame, code in ((first, "b"), (second, "c"))
    ]
    table = pd.concat(told, ignore_index=True)
    table["samples_math"], table["samples_code"] = table["samples"], table["total_samples"] - table["samples"]
    parts = strata(arms_of(table))
    assert len(parts) == 2
    for part in parts:
        found = [verdict.finding for verdict in synergies(part, 0.02)]
        assert found == ["up", "down", "down"], part.where


def test_crossings_cover_the_truth_at_the_nominal_rate():
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(80):
        found = arms_of(mixture(rng, 0.03, items=400))
        _, low, high = crossing(mixing_effects(found)[0])
        inside += low <= 9 <= high
    assert inside >= 71  # of 80; 76 expected


def test_several_crossings_ties_and_none_are_said():
    def text(delta):
        logs = np.arange(float(len(delta)))
        return crossing_text(
            MixingEffects("mixed", logs, np.array(delta), np.diag(np.full(len(delta), 1e-4)), np.inf, ())
        )

    assert "cross 3 times" in text([0.1, -0.1, 0.1, -0.1])
    assert "no crossing within the amounts" in text([0.1, 0.2, 0.1])
    assert "1 tie" in text([0.1, 0.0, -0.1])
    assert "the sign changes 2 times, which noise could explain" in text([0.01, -0.01, 0.1])


def test_no_crossing_is_placed_outside_the_amounts_measured():
    # The sign of the slope is just certain, so that one end of Fieller's interval lies beyond 2**1024 samples.
    logs, delta = np.arange(6.0, 12.0), np.array([0.02, 0.014, 0.01, -0.01, -0.015, -0.019])
    line = np.polyfit(logs, delta, 1)[0]
    for variance in np.geomspace(1e-5, 1e-3, 200):
        effects = MixingEffects("mixed", logs, delta, np.diag(np.full(6, variance)), np.inf, ())
        _, low, high = crossing(effects)
        text = crossing_text(effects)
        assert ("(below 64 to" in text) == (low < 6)
        assert ("to beyond 2,048)" in text) == (high > 11)
    assert line < 0


@pytest.mark.parametrize(
    "shape",
    [
        lambda x, at: -0.02 * (x - at),
        lambda x, at: np.where(x < at + 1, -0.04 * (x - at), -0.04),  # a gain, then a constant loss
        lambda x, at: 0.08 * (np.exp(-(x - 6) / 3) - np.exp(-(at - 6) / 3)),
        lambda x, at: np.where(x < at - 1, 0.03, -0.03 * (x - at)),
    ],
    ids=["linear", "kinked", "curved", "flat, then falling"],
)
def test_crossings_of_any_shape_are_covered(shape):
    rng = np.random.default_rng(0)
    logs, inside, away = np.arange(6.0, 15.0, 2.0), 0, []
    for _ in range(300):
        truth = rng.uniform(8, 12)
        delta = shape(logs, truth) + rng.normal(0, 0.02, 5)
        at, low, high = crossing(MixingEffects("mixed", logs, delta, np.diag(np.full(5, 0.02**2)), np.inf, ()))
        inside += low <= truth <= high
        away.append(at - truth)
    assert inside >= 0.93 * 300
    assert abs(np.nanmedian(away)) < 0.5  # doublings
