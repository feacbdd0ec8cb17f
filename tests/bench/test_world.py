"""The measures of docs/world.md, from tables whose numbers are known."""

from itertools import product

import pandas as pd

from tests.bench.world import ABILITIES, AMOUNTS, LATER, report

TASKS = {"code": "humaneval", "general": "ifeval", "math": "gsm8k"}


def table(single: dict[str, float], other: float) -> pd.DataFrame:
    """One seed: ``single`` by amount where an ability is trained on, 0 elsewhere; ``other`` in every other strategy."""
    cells = [
        ("single", amount, ability, own, share if own == ability else 0.0)
        for (amount, share), ability, own in product(single.items(), ABILITIES, ABILITIES)
    ]
    cells += [("multitask", amount, ability, "all", other) for amount, ability in product(AMOUNTS, ABILITIES)]
    cells += [(strategy, "1", ability, "all", other) for strategy, ability in product(LATER, ABILITIES)]
    return pd.DataFrame(
        {
            "strategy": strategy, "fraction_text": amount, "ability": ability, "trained_on": own, "value": share,
            "task": TASKS[ability], "metric": "accuracy", "after_stage": stage, "last_stage": 2,
        }
        for strategy, amount, ability, own, value in cells
        for stage, share in ((1, 0.99), (2, value))
    )  # fmt: skip


def test_a_measure_has_its_mean_interval_and_seeds():
    grown = dict(zip(AMOUNTS, (0.1, 0.2, 0.3, 0.5, 0.8), strict=True))
    level = dict(zip(AMOUNTS, (0.1, 0.2, 0.3, 0.6, 0.8), strict=True))
    rows = report([table(grown, 0.4), table(level, 0.6)]).splitlines()
    # By hand: 1.96 standard errors become t(0.975, 1) = 12.71 of them with two seeds; of 30 and 20 it is 5 * 12.71.
    assert "| general: from 1/4 (1,536) to 1 (6,144) | less than 3 | 25.0 ± 63.5 | 30.0, 20.0 |" in rows
    assert "| math: from 1/256 to 1 | 60 or more | 70.0 ± 0.0 | 70.0, 70.0 |" in rows
    assert "| code: largest step of the grid | 35 or less | 30.0 ± 0.0 | 30.0, 30.0 |" in rows
    assert "| math, mixed minus alone at 1 | 3 lost in one of three | -30.0 ± 127.1 | -40.0, -20.0 |" in rows
    assert "| dmt: code kept, % | 70 or more | 62.5 ± 158.8 | 50.0, 75.0 |" in rows
