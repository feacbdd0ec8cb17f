"""Simulated long tables of the shapes that sweeps have."""

import numpy as np
import pandas as pd

from analysis.data.study import Study

FULL = {"math": 8192, "code": 4096, "general": 2048}
TASKS = {"math": "gsm8k", "code": "humaneval", "general": "ifeval"}
KNEES = {"math": 900.0, "code": 700.0, "general": 12.0}
FRACTIONS = (1 / 256, 1 / 64, 1 / 16, 1 / 4, 1.0)


def only(frame, ability=None, metric=None, items=None):
    """The one measure of a table, or that of an ability and metric."""
    wanted = [
        m for m in Study(frame, items).measures if ability in (None, m.ability) and metric in (None, m.metric.name)
    ]
    (measure,) = wanted
    return measure


class Simulation:
    """Collects rows: accuracy of 300 items and a loss for every ability of a cell."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.rows = []

    def cell(self, name, strategy, trained, fraction, model="micro_s", params=4e5, seed=0, **factors):
        """One cell trained on ``fraction`` of the abilities ``trained``, measured in all three."""
        samples = {ability: FULL[ability] * fraction if ability in trained else 0 for ability in FULL}
        total = sum(samples.values())
        for ability in FULL:
            chance = 0.85 / (1 + (samples[ability] / KNEES[ability]) ** -0.7) if samples[ability] else 0.03
            loss = (0.3 + 2.5 * (samples[ability] + 30) ** -0.3) * np.exp(self.rng.normal(0, 0.01))
            row = {
                "ability": ability,
                "seed": seed,
                "params": params,
                "model": model,
                "strategy": strategy,
                "trained_on": "+".join(trained) or "base",
                "sweep": "simulated",
                "cell": name,
                "samples": samples[ability],
                "total_samples": total,
                "fraction": fraction if total else 0.0,
                **{f"samples_{a}": n for a, n in samples.items()},
                **factors,
            }
            correct = self.rng.binomial(300, chance)
            self.rows += [
                {**row, "task": TASKS[ability], "metric": "accuracy", "value": correct / 300, "n_items": 300},
                {**row, "task": TASKS[ability], "metric": "format_rate", "value": 0.9, "n_items": 300},
                {**row, "task": f"{ability}_loss", "metric": "loss", "value": loss, "n_items": 200, "stderr": 0.02},
            ]

    def frame(self):
        return pd.DataFrame(self.rows)


def data_amount(seed=0):
    """Each ability alone at five fractions, and the untrained base: 16 cells."""
    simulation = Simulation(seed)
    simulation.cell("base", "base", (), 0.0)
    for ability in FULL:
        for fraction in FRACTIONS:
            simulation.cell(f"{ability}-{fraction:g}", "single", (ability,), fraction)
    return simulation.frame()


def strategies():
    """Five strategies at full data with three seeds, and the untrained base."""
    simulation = Simulation(1)
    simulation.cell("base", "base", (), 0.0)
    for strategy in ("multitask", "sequential", "dmt"):
        for seed in range(3):
            simulation.cell(f"{strategy}-{seed}", strategy, tuple(FULL), 1.0, seed=seed)
    return simulation.frame()


def mixed_table(seed=4):
    """Each ability alone, all together at once, and all in sequence, at five fractions."""
    simulation = Simulation(seed)
    simulation.cell("base", "base", (), 0.0)
    for fraction in FRACTIONS:
        for ability in FULL:
            simulation.cell(f"{ability}-{fraction}", "single", (ability,), fraction)
        simulation.cell(f"mixed-{fraction}", "multitask", tuple(FULL), fraction)
        simulation.cell(f"sequence-{fraction}", "sequential", tuple(FULL), fraction)
    return simulation.frame()
