"""How often what the analysis says of simulated tables is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import ndtri

from analysis.arrays import Array
from analysis.data.study import Study
from analysis.fitting.series_fits import fit_series
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.equal_budget import equal_budgets
from analysis.verdicts.goal import goal
from analysis.verdicts.verdict import Verdict
from tests.analysis.fitting.test_series_fits import AMOUNTS, jumping, kinked, smooth

CURVES, REPORTS = 60, 180
ALIKE = 0.5
"""Of what decides about an answer, in `coverage`: two runs' results on one item then correlate by up to a third."""
NOISE = (0.0, 0.0075, 0.015)
"""Standard deviations between runs at a share of one half."""


def coverage() -> str:
    """What is shown at an amount, a curve or the measurement: how often it covers the truth, and its width."""
    return "; ".join(
        f"{truth.__name__}, {items} items, {seeds} seed{'s' if seeds > 1 else ''}: {_covered(truth, items, seeds)}"
        for truth, items, seeds in product((smooth, kinked, jumping), (256, 1319), (1, 3))
    )


def _covered(truth: Callable[[np.random.Generator], Array], items: int, seeds: int) -> str:
    rng = np.random.default_rng(0)
    inside, widths, joined = [], [], 0
    for _, noise in product(range(CURVES // len(NOISE)), NOISE):
        chance = truth(rng)
        table = pd.concat(runs(rng, chance, items, seeds, noise, alike=ALIKE), ignore_index=True)
        ((fit,),) = (fit_series(measure) for measure in Study(table).measures)
        measured = np.array([(level.low, level.high) for level in fit.levels]).T
        low, high = measured if fit.at_levels is None else (fit.at_levels.low, fit.at_levels.high)
        inside += list((low <= chance) & (chance <= high))
        widths += list((high - low) / (measured[1] - measured[0]))
        joined += fit.curve is None
    covered = f"{100 * np.mean(inside):.0f} %, {np.median(widths):.2f} times a measurement's width"
    return f"{covered}, no law for {joined} of {CURVES}"


def false_findings() -> str:
    """Tables in which nothing but data matters: how many have any false verdict, and how many slopes are found."""
    parts = []
    for items, noise, seeds in product((164, 1319), NOISE, (1, 3)):
        rng = np.random.default_rng(5)
        false, slopes = 0, []
        for _ in range(REPORTS):
            verdicts = findings(Study(pd.concat(_nothing(rng, items, seeds, noise), ignore_index=True))).verdicts
            false += any(v.finding in ("up", "down") for v in verdicts if (v.question, v.finding) != ("scaling", "up"))
            slopes += [v.finding == "up" for v in verdicts if v.question == "scaling"]
        rates = f"{100 * false / REPORTS:.0f} % false, {100 * np.mean(slopes):.0f} % of slopes found"
        parts.append(f"{items} items, {100 * noise:g} points between runs, seeds {seeds}: {rates}")
    return "; ".join(parts)


def _nothing(rng: np.random.Generator, items: int, seeds: int, noise: float) -> Iterator[pd.DataFrame]:
    """Three abilities, alone and in two mixed strategies, rising along five amounts by the same curve."""
    chance = 1 / (1 + np.exp(2 - 0.9 * np.arange(len(AMOUNTS))))
    strategies = (("single", 1), ("multitask", 3), ("sequential", 3))
    for ability, (strategy, factor) in product(("math", "code", "general"), strategies):
        for run in runs(rng, chance, items, seeds, noise):
            yield run.assign(ability=ability, strategy=strategy, total_samples=factor * run["samples"])


def goals() -> str:
    """The amount of data that a score takes: how often its interval holds the truth, and its width in doublings."""
    return "; ".join(
        f"{truth.__name__}, {items} items, {seeds} seed{'s' if seeds > 1 else ''}: {_reached(truth, items, seeds)}"
        for truth, items, seeds in product((smooth, kinked, jumping), (256, 1319), (1, 3))
    )


def _reached(truth: Callable[[np.random.Generator], Array], items: int, seeds: int) -> str:
    rng = np.random.default_rng(0)
    inside, widths = [], []
    for _, noise, part in product(range(CURVES // len(NOISE)), NOISE, (0.3, 0.7)):
        chance = truth(rng)
        aim = float(chance[0] + part * (chance[-1] - chance[0]))
        at = float(np.exp(np.interp(aim, chance, np.log(AMOUNTS))))
        (measure,) = Study(pd.concat(runs(rng, chance, items, seeds, noise), ignore_index=True)).measures
        found = goal(measure, fit_series(measure)[0], aim)
        assert found is not None
        inside.append(found.low <= 1.02 * at and 0.98 * at <= found.high)  # straight lines are only nearly the truth
        widths.append(np.log2(found.high / found.low) if found.low > 0 else np.inf)
    return f"{100 * np.mean(inside):.0f} %, {np.median(widths):.1f} doublings wide"


def equal_cost() -> str:
    """Two sizes at equal cost: how often the interval of their difference holds the truth; how many are clear."""
    parts = []
    for gain, seeds in product((0.0, 0.5), (1, 2, 3)):
        rng, found = np.random.default_rng(0), []
        for _, noise in product(range(CURVES // len(NOISE)), NOISE):
            verdict, truth = _two_sizes(rng, gain, seeds, noise)
            found.append((verdict.low <= truth <= verdict.high, verdict.finding == "up"))
        inside, clear = 100 * np.mean(found, axis=0)
        parts.append(f"gain of {gain:g} logits, seeds {seeds}: {inside:.0f} %, clear {clear:.0f} %")
    return "; ".join(parts)


def _two_sizes(rng: np.random.Generator, gain: float, seeds: int, noise: float) -> tuple[Verdict, float]:
    """The verdict on a size and one four times as large at equal cost, 400 items, and the true difference."""
    parts, last = [], []
    for params, more in ((1.0, 0.0), (4.0, gain)):
        cost = 64 * params * 4.0 ** np.arange(5)
        logits = 0.45 * np.log(cost / 64) - 0.02 * np.log(cost / 64) ** 2 - 2.5 + more
        chance = 1 / (1 + np.exp(-logits))
        parts += [run.assign(params=params, flops=params * run["samples"]) for run in
                  runs(rng, chance, 400, seeds, noise, cost / params)]  # fmt: skip
        last.append(float(np.interp(64 * 4.0**4, cost, chance)))
    study = Study(pd.concat(parts, ignore_index=True), x="flops")
    (verdict,) = equal_budgets([(measure, fit_series(measure)) for measure in study.measures], 0.02)
    return verdict, last[1] - last[0]


def runs(
    rng: np.random.Generator,
    chance: Array,
    items: int,
    seeds: int,
    noise: float,
    amounts: Array = AMOUNTS,
    alike: float = 0.0,
) -> Iterator[pd.DataFrame]:
    """The rows of each seed: accuracies of runs that scatter around ``chance`` (amounts,).

    All answer the same items, some of which are easier: ``alike`` is the share of what decides about an answer, on the
    scale of normal scores, that lies in the item and not in the run.
    """
    easy = np.sqrt(alike) * rng.normal(size=items)
    for seed in range(seeds):
        run = np.clip(chance + 2 * noise * np.sqrt(chance * (1 - chance)) * rng.normal(size=len(chance)), 0, 1)
        if alike:
            own = np.sqrt(1 - alike) * rng.normal(size=(len(chance), items))
            right = (easy + own < ndtri(run)[:, None]).sum(axis=1)
        else:
            right = rng.binomial(items, run)
        values = {"samples": amounts, "value": right / items, "n_items": items, "seed": str(seed)}
        yield pd.DataFrame(values).assign(ability="math", task="t", metric="accuracy")
