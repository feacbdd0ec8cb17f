"""What the embedded world was made to show, over seeds on which its numbers were not chosen.

``python -m tests.bench.world [SEED …]``, by default the seeds 3 to 7: each is the seed of a world, of its base and of
all training, 26,000 steps in all, about half an hour of CPU time. What `STORE` has is not built again.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from tests.bench.sweeps import run

UNSEEN = (3, 4, 5, 6, 7)
STORE = Path(tempfile.gettempdir()) / "dosage-bench-world"
ABILITIES = ("code", "general", "math")
SPECIALISED = ("code", "math")
AMOUNTS = ("1/256", "1/64", "1/16", "1/4", "1")
LATER = ("sequential", "mixed_sequential", "dmt")  # strategies with a later general stage

Score = Callable[[str, str, str], float]
"""The accuracy of one seed in %: of a strategy, at a fraction, in an ability; `single` trains on that ability alone."""


class Measure(NamedTuple):
    """A number that each seed has, and the bounds that were wanted of it."""

    name: str
    wanted: str
    value: Callable[[Score], float]


def rise(ability: str) -> Measure:
    """From the smallest amount to all data."""
    return Measure(
        f"{ability}: from 1/256 to 1", "60 or more", lambda s: s("single", "1", ability) - s("single", "1/256", ability)
    )


def largest_step(ability: str) -> Measure:
    """Between neighbours of the grid."""

    def step(score: Score) -> float:
        values = [score("single", amount, ability) for amount in AMOUNTS]
        return max(later - earlier for earlier, later in pairwise(values))

    return Measure(f"{ability}: largest step of the grid", "35 or less", step)


def mixing(ability: str, amount: str) -> Measure:
    """What mixing adds."""
    return Measure(
        f"{ability}, mixed minus alone at {amount}",
        "3 lost in one of three" if amount == "1" else "5 gained in one of three at 1/64 or less",
        lambda s: s("multitask", amount, ability) - s("single", amount, ability),
    )


def kept(strategy: str, ability: str) -> Measure:
    """What a later general stage leaves, in % of the score of the ability's own data alone."""
    wanted = "70 or more" if strategy == "dmt" else "10 to 60"
    return Measure(
        f"{strategy}: {ability} kept, %",
        wanted,
        lambda s: 100 * s(strategy, "1", ability) / s("single", "1", ability),
    )


def general_cost(strategy: str) -> Measure:
    """General ability beside that of general data alone."""
    return Measure(
        f"{strategy}: general minus general alone",
        "at most 3 from 0" if strategy == "dmt" else "",
        lambda s: s(strategy, "1", "general") - s("single", "1", "general"),
    )


MEASURES = (
    *(rise(ability) for ability in SPECIALISED),
    *(largest_step(ability) for ability in SPECIALISED),
    Measure(
        "general: from 1/4 (1,536) to 1 (6,144)",
        "less than 3",
        lambda s: s("single", "1", "general") - s("single", "1/4", "general"),
    ),
    Measure("general at 1", "less than 92", lambda s: s("single", "1", "general")),
    *(mixing(ability, amount) for amount in ("1/256", "1/64", "1") for ability in ABILITIES),
    *(kept(strategy, ability) for strategy in LATER for ability in SPECIALISED),
    *(general_cost(strategy) for strategy in LATER),
)


def scores(table: pd.DataFrame) -> Score:
    """The accuracies of one seed's cells after their last stage."""
    last = table.after_stage == table.last_stage
    tests = table.task.isin(("gsm8k", "humaneval", "ifeval")) & (table.metric == "accuracy")
    found = {
        (row.strategy, row.fraction_text, row.ability): 100 * row.value
        for row in table[last & tests].itertuples()
        if row.strategy != "single" or row.trained_on == row.ability
    }
    return lambda strategy, amount, ability: found[strategy, amount, ability]


def summary(values: Sequence[float]) -> str:
    """The mean over seeds with its 95 % interval by Student's t, and the values."""
    mean = float(np.mean(values))
    each = ", ".join(f"{value:.1f}" for value in values)
    if len(values) < 2:
        return f"{mean:.1f} | {each}"
    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean:.1f} ± {half:.1f} | {each}"


def report(tables: Iterable[pd.DataFrame]) -> str:
    """A row a measure, from one table of cells a seed."""
    seeds = [scores(table) for table in tables]
    rows = [
        f"| {measure.name} | {measure.wanted} | {summary([measure.value(score) for score in seeds])} |"
        for measure in MEASURES
    ]
    return "\n".join(["| measure | wanted | mean | each seed |", "| --- | --- | --- | --- |", *rows])


def sweeps(seed: int) -> pd.DataFrame:
    """The tables of one seed's two sweeps: amounts alone and mixed, and the strategies."""
    seeds = [f"{key}={seed}" for key in ("data.world.seed", "model.pretrain.seed", "seed")]
    tables = []
    for grid in ("mixture", "strategy"):
        name = f"{grid}-{seed}"
        run("-m", f"+grid={grid}", f"name={name}", *seeds, store=STORE)
        tables.append(pd.read_csv(STORE / "sweeps" / name / "table.csv", dtype={"fraction_text": str}))
    return pd.concat(tables)


def world(seeds: Sequence[int] = UNSEEN) -> str:
    """The measures of docs/world.md."""
    return report([sweeps(seed) for seed in seeds])


if __name__ == "__main__":
    print(world([int(word) for word in sys.argv[1:]] or UNSEEN))
