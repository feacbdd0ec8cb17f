"""Which source helps which ability: at equal own data, and only where the table tells the sources apart."""

import itertools

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.source import sources, together
from tests.analysis.verdicts.arms import arms_of

OWN, OTHER = (100, 400, 1600), (0, 100, 800)


def table(rng, code=0.0, general=0.0, items=1000):
    """Math at three amounts, each with every pair of amounts of code and general data; effects per doubling."""
    rows = []
    for own, c, g in itertools.product(OWN, OTHER, OTHER):
        doublings = np.log2(1 + np.array([c, g]) / 100)
        chance = 0.2 + 0.08 * np.log2(own / 100) + doublings @ [code, general]
        rows.append({
            "samples": own, "total_samples": own + c + g, "samples_math": own, "samples_code": c, "samples_general": g,
            "strategy": "multitask" if c + g else "single", "value": rng.binomial(items, chance) / items,
        })  # fmt: skip
    return pd.DataFrame(rows).assign(ability="math", task="t", metric="accuracy", n_items=items, seed="0")


def found(frame, margin=0.02):
    return {v.about.split(" doubling of ")[1].removesuffix(" data"): v for v in sources(arms_of(frame), margin)}


def test_effects_of_sources_are_found_with_their_signs_and_sizes():
    held = []
    for seed in range(20):
        verdicts = found(table(np.random.default_rng(seed), code=0.03, general=-0.02))
        held += [v.low <= true <= v.high for v, true in zip(verdicts.values(), (0.03, -0.02), strict=True)]
        assert (verdicts["code"].finding, verdicts["general"].finding) == ("up", "down")
    assert np.mean(held) >= 0.9


def test_strategies_without_replay_are_told_apart_as_in_a_table_without_that_column():
    frame = table(np.random.default_rng(0), code=0.03)
    with_column, without = (sources(arms_of(one), 0.02) for one in (frame.assign(replay=np.nan), frame))
    assert [(v.about, v.effect, v.low) for v in with_column] == [(v.about, v.effect, v.low) for v in without]


def test_no_effect_is_no_finding():
    verdicts = [v for seed in range(20) for v in found(table(np.random.default_rng(seed))).values()]
    assert np.mean([v.finding in ("up", "down") for v in verdicts]) <= 0.1


def test_sources_that_vary_together_are_named_instead_of_judged():
    frame = table(np.random.default_rng(0), code=0.03)
    frame = frame[frame["samples_code"] == frame["samples_general"]]
    assert found(frame) == {}
    assert "what code and general data does is not told apart" in together(arms_of(frame))
    assert together(arms_of(table(np.random.default_rng(0)))) == ""
    notes = findings(Study(frame)).notes
    assert any("vary one of them alone" in note for note in notes)


def test_strategies_with_the_same_data_are_compared_within_themselves():
    rng = np.random.default_rng(1)
    frame = table(rng)
    worse = frame[frame["strategy"] == "multitask"].assign(strategy="sequential")
    both = pd.concat([frame, worse.assign(value=worse["value"] - 0.1)])
    assert found(both)["code"].effect == pytest.approx(found(frame)["code"].effect, abs=0.01)


def test_the_report_has_the_question():
    (first, second) = [
        v for v in findings(Study(table(np.random.default_rng(0), code=0.03))).verdicts if v.question == "source"
    ]
    assert first.sentence.startswith("code data helps math accuracy at equal own data: +")
    assert first.finding == "up"
    assert second.about == "math accuracy, per doubling of general data"
