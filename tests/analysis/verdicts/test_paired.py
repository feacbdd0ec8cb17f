"""Paired comparisons: right by hand, at the nominal rate in simulations, and surer than unpaired ones."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.items import Items, read_items
from analysis.data.study import Study
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.arms import arm_means
from analysis.verdicts.contrast import contrast, difference, mcnemar
from analysis.verdicts.strategy import compare, pareto
from tests.analysis.tables import only

ITEMS = 150


def simulated(rng, gain, runs, strategies=2, scatter=0.0):
    """A table and its items: strategies that answer the same items of unlike difficulty; the last gains ``gain``."""
    difficulty = rng.normal(0, 2, ITEMS)
    table, items = [], []
    for number in range(strategies):
        tilt = difficulty + rng.normal(0, 0.5, ITEMS) + (gain if number == strategies - 1 else 0.0)
        for seed in range(runs):
            right = rng.random(ITEMS) < 1 / (1 + np.exp(-tilt - rng.normal(0, scatter)))
            cell = f"s{number}-{seed}"
            table.append({"cell": cell, "strategy": f"s{number}", "seed": str(seed), "value": right.mean()})
            items.append(pd.DataFrame({"cell": cell, "item": np.arange(ITEMS), "value": right.astype(float)}))
    frame = pd.DataFrame(table).assign(ability="math", task="gsm8k", metric="accuracy", n_items=ITEMS)
    return frame, pd.concat(items).assign(ability="math", task="gsm8k", metric="accuracy")


def known(items):
    return Items({("math", "gsm8k", "accuracy"): items}, ("ability", "task", "metric"))


def paired(frame, items):
    """The last strategy against the first, item by item."""
    return compared(arm_means(only(frame, items=known(items))))


def unpaired(frame):
    return compared(arm_means(only(frame)))


def compared(found):
    rows = {name: [int(i) for i in part.index] for name, part in found.table.groupby("strategy")}
    return contrast("strategy", "", found, difference(rows[max(rows)], rows["s0"]), 0.02)


def truth(gain, scatter=0.0):
    rng = np.random.default_rng(1)
    away = rng.normal(0, np.sqrt(2**2 + 0.5**2 + scatter**2), 100_000)
    return float((1 / (1 + np.exp(-away - gain)) - 1 / (1 + np.exp(-away))).mean())


@pytest.mark.parametrize(("runs", "strategies", "scatter"), [(1, 2, 0.0), (2, 4, 0.3), (3, 2, 0.2)])
def test_paired_intervals_hold_the_truth_at_the_nominal_rate_and_err_no_more_than_5_percent(runs, strategies, scatter):
    rng = np.random.default_rng(runs)
    truths = {gain: truth(gain, scatter) for gain in (0.0, 0.5)}
    times, inside, false = 70, 0, 0
    for gain, target in truths.items():
        for _ in range(times):
            verdict = paired(*simulated(rng, gain, runs, strategies, scatter))
            inside += verdict.low <= target <= verdict.high
            false += gain == 0 and verdict.finding in ("up", "down")
    assert 0.92 <= inside / (2 * times) <= 0.995
    assert false <= 0.1 * times


def test_the_scatter_of_runs_beyond_their_items_by_hand():
    """Three runs on four items: 2, 3 and 4 right, so shares .5, .75 and 1 around .75, whose p (1 - p) is .1875.

    Over the items, runs lie off their mean by 0, 0, -2/3, -1/3; 0, 0, 1/3, -1/3; 0, 0, 1/3, 2/3: squares about each
    run's own mean of 11/36, 2/9, 11/36 add up to 5/6, so the items explain 5/6 / 4**2 / 2. The runs scatter by
    (.25**2 + .25**2) / 2 with two degrees of freedom, drawn with two more towards what items and .01 at a half explain.
    """
    right = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1.0]])
    frame = pd.DataFrame({"cell": list("abc"), "seed": list("012"), "value": right.mean(axis=1), "samples": 8})
    listed = [pd.DataFrame({"cell": c, "item": np.arange(4), "value": v}) for c, v in zip("abc", right, strict=True)]
    names = {"ability": "math", "task": "gsm8k", "metric": "accuracy"}
    found = arm_means(only(frame.assign(**names, n_items=4), items=known(pd.concat(listed).assign(**names)))).scatter
    within, usual = 5 / 6 / 16 / 2, 4 * 0.01**2 * 0.1875
    between = (2 * 0.0625 + 2 * (within + usual)) / 4
    assert found.dof == 4
    assert found.between == pytest.approx([between])
    assert found.beyond_items == pytest.approx([between - within])


def test_pairing_finds_more_than_unpaired_comparison():
    rng = np.random.default_rng(5)
    tables = [simulated(rng, 0.7, 1) for _ in range(60)]
    found = np.array([[paired(*t).low > 0, unpaired(t[0]).low > 0] for t in tables])
    assert found[:, 0].mean() > found[:, 1].mean() + 0.1
    verdict = paired(*tables[0])
    assert verdict.items == ITEMS
    assert 0.1 < verdict.narrower < 0.5


def test_runs_from_one_base_are_one_run_item_by_item():
    """A run written three times under other seeds of its base says no more than it did once."""
    frame, items = simulated(np.random.default_rng(0), 0.5, 2)
    frame["base_seed"] = frame["seed"]
    copies = [(c, frame.assign(cell=frame["cell"] + c, seed=c), items.assign(cell=items["cell"] + c)) for c in "xyz"]
    thrice = paired(pd.concat([f for _, f, _ in copies], ignore_index=True), pd.concat([i for *_, i in copies]))
    once = paired(frame, items)
    assert (thrice.effect, thrice.low, thrice.high) == pytest.approx((once.effect, once.low, once.high))


def test_a_single_seed_has_mcnemars_exact_p_value():
    first = np.array([1, 1, 0, 0, 0, 0, 0, 0, 1, 0], dtype=float)
    second = np.array([1, 0, 1, 1, 1, 1, 1, 1, 1, 1], dtype=float)
    assert mcnemar(np.stack([first, second])) == pytest.approx(2 * (1 + 8) / 2**8)  # 7 to 1
    assert mcnemar(np.stack([first, first])) == 1.0
    assert mcnemar(np.stack([first, first / 2])) is None
    rows = pd.DataFrame({"cell": ["a", "b"], "strategy": ["s0", "s1"], "seed": ["0", "0"], "value": [0.3, 0.9]})
    frame = rows.assign(ability="math", task="gsm8k", metric="accuracy", n_items=10)
    items = pd.concat(
        [pd.DataFrame({"cell": c, "item": range(10), "value": v}) for c, v in zip("ab", (first, second), strict=True)]
    )
    verdict = paired(frame, items)
    assert verdict.p == pytest.approx(18 / 256)
    assert verdict.effect == pytest.approx(0.6)
    # Agresti and Min: half an item in every cell of the 2 x 2 table; and two runs that scatter by a point at one half.
    items_alone, runs_alone = (8 + 1 - 6**2 / 12) / 12**2, 4 * 0.01**2 * (0.3 * 0.7 + 0.9 * 0.1)
    assert verdict.high - verdict.low == pytest.approx(2 * 1.96 * np.sqrt(items_alone + runs_alone), rel=1e-3)


def test_losses_are_paired_by_their_tokens():
    rng = np.random.default_rng(6)
    tokens, hard = rng.integers(5, 50, 400), rng.gamma(4, 0.5, 400)
    items, rows = [], []
    for cell, factor in (("a", 1.0), ("b", 0.97)):
        loss = hard * factor * np.exp(rng.normal(0, 0.05, 400))
        items.append(pd.DataFrame({"cell": cell, "item": range(400), "value": loss, "weight": tokens}))
        mean = float(tokens @ loss / tokens.sum())
        rows.append({"cell": cell, "strategy": {"a": "s0", "b": "s1"}[cell], "value": mean, "stderr": 0.05})
    frame = pd.DataFrame(rows).assign(ability="math", task="gsm8k", metric="loss", n_items=400)
    found = Items({("math", "gsm8k", "loss"): pd.concat(items)}, ("ability", "task", "metric"))
    verdict = contrast("", "", arm_means(only(frame, items=found)), {0: -1.0, 1: 1.0}, 0.02)
    assert verdict.low < -np.log(0.97) < verdict.high
    assert verdict.high - verdict.low < 0.02
    assert verdict.finding == "up"
    assert contrast("", "", arm_means(only(frame)), {0: -1.0, 1: 1.0}, 0.02).finding == "undecided"


def test_items_that_do_not_belong_to_a_value_pair_nothing():
    frame, items = simulated(np.random.default_rng(7), 0.5, 1)
    off = items.assign(value=items["value"].where(items["cell"] != "s1-0", 0.0))
    assert paired(frame, off).items == 0
    assert paired(frame, items[items["cell"] == "s0-0"]).items == 0
    assert paired(pd.concat([frame, frame]), items).items == 0  # no telling which row they are of


def test_findings_say_what_is_paired(tmp_path):
    frame, items = simulated(np.random.default_rng(8), 1.0, 1, strategies=3)
    frame = frame.assign(samples=100.0, total_samples=300.0)
    for suffix in ("csv.gz", "parquet"):
        path = tmp_path / f"items.{suffix}"
        items.to_parquet(path) if suffix == "parquet" else items.to_csv(path, index=False)
        found = findings(Study(frame, read_items(path)))
        said = [v.sentence for v in found.verdicts if v.question == "strategy"]
        assert len(said) == 3
        assert all(f"paired over {ITEMS} items, which narrows the interval by" in s for s in said)
    assert not any("paired" in v.sentence for v in findings(Study(frame)).verdicts)


def test_files_that_hold_no_items_are_named(tmp_path):
    frame, items = simulated(np.random.default_rng(9), 1.0, 1)
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match="column 'item' is absent"):
        read_items(tmp_path / "t.csv")
    items.assign(value="right").to_csv(tmp_path / "i.csv", index=False)
    with pytest.raises(ValueError, match="column 'value', row 1 is not a number"):
        read_items(tmp_path / "i.csv")


def test_strategies_that_answer_the_same_items_vary_together():
    frame, items = simulated(np.random.default_rng(10), 0.5, 1, strategies=3)
    frame = frame.assign(samples=100.0, total_samples=300.0)
    both, lone = (compare([arm_means(only(frame, items=each))]) for each in (known(items), None))
    spread = [np.diff(c.draws(0, 4000, 0)[:, [0, 2]], axis=1).std() for c in (both, lone)]
    verdict = paired(frame, items)
    assert spread[0] == pytest.approx((verdict.high - verdict.low) / (2 * 1.96), rel=0.1)
    assert spread[0] < 0.9 * spread[1]
    assert pareto(both).max() > pareto(lone).max()
