"""How far runs scatter, and what verdicts hold for."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.report.verdict_tables import verdict_tables
from analysis.verdicts.all_verdicts import findings
from tests.analysis.tables import only
from tests.analysis.verdicts.arms import arms_of, rows


def test_noise_of_arms_is_that_of_items_and_runs():
    table = rows([100, 200], [0.5, 0.5], np.random.default_rng(0), seeds=1)
    single = arms_of(table)
    near = (table["value"] * 300 + 1) / 302
    # Without a second seed: runs scatter by a point at one half, .01**2 / (.25 / 300) of the items' variance.
    assert single.table["variance"].to_numpy() == pytest.approx((1.12 * near * (1 - near) / 300).to_numpy())
    assert single.dof == pytest.approx(2 * (1.12 / 0.12) ** 2)
    assert single.noise == "assumed"
    noisy = pd.DataFrame({"samples": [1, 1, 2, 2], "value": [1.0, 1.2, 0.5, 0.6], "seed": list("0101")})
    loss = arms_of(noisy.assign(ability="math", task="t", metric="loss"))
    logs = -np.log([1.0, 1.2, 0.5, 0.6])
    pooled = (np.var(logs[:2], ddof=1) + np.var(logs[2:], ddof=1)) / 2
    assert loss.table["variance"].to_numpy() == pytest.approx([pooled / 2] * 2)
    assert loss.dof == 2
    assert loss.table["mean"].to_numpy() == pytest.approx([logs[:2].mean(), logs[2:].mean()])
    once = noisy.iloc[::2].assign(ability="math", task="t", metric="loss", stderr=[0.02, 0.03])
    assert arms_of(once).table["variance"].to_numpy() == pytest.approx([0.02**2, 0.06**2])  # relative errors
    assert np.isinf(arms_of(once).dof)


def from_bases(spread: float, bases: int = 3, seeds: int = 5) -> pd.DataFrame:
    """Losses at two amounts: each base lies ``spread`` from the next, the seeds on one base hardly differ."""
    cells = [(n, base, seed) for n in (100, 200) for base in range(bases) for seed in range(seeds)]
    table = pd.DataFrame(cells, columns=["samples", "base_seed", "seed"])
    value = np.exp(-table["samples"] / 1000 - spread * table["base_seed"] - 1e-3 * table["seed"])
    table = table.astype({"base_seed": str, "seed": str})
    return table.assign(value=value, ability="math", task="t", metric="loss")


def test_runs_from_one_base_are_not_independent():
    """Five seeds on each of three bases tell as much of the bases' difference as one seed on each does."""
    many, few = from_bases(0.2), from_bases(0.2, seeds=1)
    assert arms_of(many).table["runs"].tolist() == [3, 3]
    assert arms_of(many).dof == arms_of(few).dof == 4
    seeds = arms_of(many).table["variance"].to_numpy()
    assert seeds == pytest.approx(arms_of(few).table["variance"].to_numpy(), rel=1e-3)
    assert seeds == pytest.approx([0.04 / 3] * 2, rel=1e-3)
    one_base = arms_of(many[many["base_seed"] == "0"])
    assert one_base.table["runs"].tolist() == [5, 5]
    (series,) = only(many).series
    assert set(series.seed) == {"0", "1", "2"} and len(series.amount) == 30


def test_models_without_a_base_seed_keep_their_runs():
    hub = from_bases(0.0, bases=1).assign(base_seed="", model="hub")
    arms = arms_of(pd.concat([from_bases(0.2).assign(model="micro"), hub], ignore_index=True))
    assert dict(zip(arms.table["model"], arms.table["runs"], strict=True)) == {"micro": 3, "hub": 5}


def test_runs_that_scatter_make_no_effects_without_a_second_seed():
    """Nothing differs between single and multitask, but runs scatter by 1.5 points: at most one report in ten errs."""
    rng = np.random.default_rng(3)
    samples, reports, false = 64 * 4.0 ** np.arange(5), 40, 0
    for _ in range(reports):
        parts = []
        for ability, (strategy, factor) in product(("math", "code", "general"), (("single", 1), ("multitask", 3))):
            chance = 1 / (1 + np.exp(2 - 0.45 * np.log2(samples / 64)))
            runs = chance + 2 * 0.015 * np.sqrt(chance * (1 - chance)) * rng.normal(size=5)
            value = rng.binomial(1319, runs) / 1319
            columns = {"ability": ability, "strategy": strategy, "value": value, "samples": samples}
            parts.append(pd.DataFrame(columns).assign(total_samples=factor * samples))
        table = pd.concat(parts).assign(task="t", metric="accuracy", n_items=1319, seed="0")
        found = findings(Study(table))
        false += any(v.finding in ("up", "down") for v in found.verdicts if v.question == "synergy")
        assert any("no two runs differ in seed alone" in note for note in found.notes)
    assert false <= reports / 10


def test_losses_without_a_second_seed_are_verdicts_on_these_runs():
    table = rows([100, 200, 400, 800], [0.5] * 4, np.random.default_rng(0), seeds=1)
    losses = table.assign(metric="loss", value=[1.0, 0.8, 0.7, 0.6], n_items=np.nan)
    (note,) = findings(Study(losses)).notes
    assert note == "loss: no two runs differ in seed alone; verdicts hold for these runs, not for new ones."


@pytest.mark.parametrize(
    ("columns", "holds"),
    [
        ({"seeds": 3}, "new runs from the same base"),
        ({"seeds": 3, "base_seed": ["0", "1", "2"] * 4}, "new base models"),
        ({"seeds": 1}, "new runs, if they scatter as usual"),
        ({"seeds": 1, "metric": "loss", "stderr": 0.01}, "these runs"),
        ({"seeds": 1, "n_items": np.nan}, "these runs"),
    ],
)
def test_every_verdict_says_what_it_holds_for(columns, holds):
    columns = dict(columns)
    chance = [0.2, 0.3, 0.4, 0.5] if columns.get("metric") != "loss" else [0.5, 0.4, 0.3, 0.2]
    table = rows([100, 200, 400, 800], chance, np.random.default_rng(0), seeds=columns.pop("seeds"))
    (verdict,) = findings(Study(table.assign(**columns))).verdicts
    assert verdict.sentence.endswith(f"; for {holds}.")
    (shown,) = verdict_tables([verdict])
    assert shown.title.endswith(f"; for {holds})")


def test_the_floor_is_how_far_two_runs_come_to_differ():
    rng = np.random.default_rng(0)
    table = rows([100, 200, 400, 800] * 2, [0.5] * 8, rng, items=400, seeds=6)
    spread = table["value"] + rng.normal(0, 0.02, len(table))
    arms = arms_of(table.assign(value=spread, n_items=np.nan))
    true = 1.96 * np.sqrt(2 * (0.25 / 400 + 0.02**2))
    assert arms.floor == pytest.approx(true, rel=0.25)
    (note,) = (note for note in findings(Study(table)).notes if "come to differ" in note)
    assert note.startswith("math accuracy: two runs that differ in seed alone come to differ by ")
    assert note.endswith(" points (95 %); verdicts hold for new runs from the same base.")
    assert np.isnan(arms_of(table[table["seed"] == "0"].drop_duplicates("samples")).floor)
