"""The texts that ``python -m analysis advise`` and ``next`` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.advice.advise import KL, Advice, advise, emphases
from analysis.advice.check import check_lines, check_table, compare
from analysis.advice.commands import command, common, strategy_words
from analysis.advice.goal_text import goal_text
from analysis.advice.next_cells import COSTS, choices, next_table
from analysis.advice.surrogate import Surrogate
from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.study import Study, read_study
from analysis.format import counted
from analysis.text_table import TextTable, render
from analysis.verdicts.strategy import front


def advice_text(
    tables: Sequence[Path],
    budget: float | str,
    weights: Mapping[str, float],
    seed: int,
    near: Mapping[str, float] | None = None,
    kl: float = KL,
) -> str:
    """The best composition of each strategy, the Pareto front, checks of the surrogates, and two commands.

    One command runs the best composition, the other puts the ranking to the test. Errors as in `advise`.
    """
    study = read_study(tables)
    advice = advise(study, budget, weights, seed, near, kl)
    text = "".join(map(render, advice_tables(advice)))
    priced = advice.budget.sentence(advice.abilities)
    text += f"{priced}\n" if priced else ""
    text += "".join(f"check: {line}\n" for line in checks(advice.surrogates))
    if len({str(s) for s in advice.surrogates[0].design.strategy} - {"base"}) == 1:
        text += "note: the table holds one strategy only, so there is nothing to compare it with\n"
    if not mixed(study):
        text += "note: the table holds no mixed training, so how abilities affect each other is a guess\n"
    left_out = [ability for ability in study.abilities if ability not in advice.abilities]
    needed = advice.metric.name if not advice.metric.bounded else "share or rating"
    text += "".join(f"note: {ability} is left out, as it has no {needed}\n" for ability in left_out)
    text += "".join(
        f"note: the best composition has more {name} data than any cell measured\n" for name in advice.beyond
    )
    return f"{text}run it:  {run_line(advice, study)}\ntest it: {trial_line(advice, study)}\n"


def check_text(tables: Sequence[Path], after: Sequence[Path], weights: Mapping[str, float]) -> str:
    """The cells in ``after`` as predicted from ``tables`` and as measured, and whether the ranking held."""
    check = compare(read_study(tables), read_study(after), weights)
    return render(check_table(check)) + "".join(f"{line}\n" for line in check_lines(check))


def next_text(tables: Sequence[Path], quantity: str) -> str:
    """The most worthwhile cells to run next, and the command that runs the first; for a goal also what it takes."""
    if "=" in quantity:
        return goal_text(read_study(tables), quantity)
    cells = choices(read_study(tables), quantity)
    return f"{render(next_table(cells, quantity))}cost: {COSTS[cells[0].unit]}\nrun it: {cells[0].line}\n"


def advice_tables(advice: Advice) -> list[TextTable]:
    """The best composition of each strategy, and the predicted Pareto front."""
    chance = advice.chance()
    names = list(dict.fromkeys(advice.strategy))
    several = ("best strategy",) if len(names) > 1 else ()  # a single one has nothing to be better than
    rows = []
    for name in names:
        best = int(np.flatnonzero(advice.strategy == name)[0])
        share = f"{100 * chance[advice.strategy == name].sum():.0f} %"
        rows.append((*_row(advice, best), *(share for _ in several)))
    shortfall = f"shortfall, {advice.metric.short_unit}"
    head = ("strategy", f"samples of {' + '.join(advice.abilities)}")
    values = advice.abilities
    first = TextTable(
        f"best composition of each strategy: predicted {_labels(advice)} with 95 % intervals, and how far it is "
        "expected to be worse than the truly best",
        (*head, *values, "weighted", shortfall, *several),
        tuple(rows),
    )
    second = TextTable(
        "predicted Pareto front: best for the weights, and where one or two abilities count more",
        (*head, *values, "weighted", shortfall),
        tuple(_row(advice, i) for i in _ends(advice)),
    )
    return [first, second]


def _labels(advice: Advice) -> str:
    """What is predicted: the metric of all abilities, or that of each."""
    labels = [model.metric.label for model in advice.surrogates]
    if len(set(labels)) == 1:
        return labels[0]
    return "; ".join(f"{name} {label}" for name, label in zip(advice.abilities, labels, strict=True))


def _ends(advice: Advice) -> list[int]:
    """The candidates of the front that are best for the weights or one of their variants (`emphases`); best first."""
    middle = advice.draws.mean(axis=0)
    ends = {int((middle @ w).argmax()) for w in emphases(advice.weights)}
    chosen = ends & {int(i) for i in np.flatnonzero(front(middle[None])[0])}
    return sorted(chosen, key=lambda i: -float(advice.total[:, i].mean()))


def _row(advice: Advice, which: int) -> tuple[str, ...]:
    """Strategy, samples, predictions with intervals, weighted sum, expected shortfall in the metric's unit."""
    cells = []
    for i, model in enumerate(advice.surrogates):
        cells.append(_interval(advice.draws[:, which, i], model.metric))
    metric = advice.metric
    return (
        str(advice.strategy[which]),
        " + ".join(f"{n:.0f}" for n in advice.samples[which]),
        *cells,
        _interval(advice.total[:, which], metric),
        metric.effect(float(advice.shortfall()[which])).lstrip("+"),
    )


def _interval(drawn: Array, metric: Metric) -> str:
    """Median and 95 % interval of drawn merits, as values of the metric."""
    low, middle, high = np.quantile(metric.value(drawn), [0.025, 0.5, 0.975])
    # Of a loss three digits: its intervals are too wide for a fourth, and too long for their columns with it.
    low, middle, high = (f"{x:.3g}" if metric.kind == "loss" else metric.number(float(x)) for x in (low, middle, high))
    return f"{middle} ({low}–{high})"


def run_line(advice: Advice, study: Study) -> str:
    """The command that runs the best candidate."""
    return command(_words(advice, study, [str(advice.strategy[0])], [advice.samples[0]]))


def trial_line(advice: Advice, study: Study) -> str:
    """The command that puts the ranking to the test.

    It runs the best compositions of every strategy and of the front, each with every strategy and two seeds.
    """
    names = list(dict.fromkeys(map(str, advice.strategy)))
    best = [int(np.flatnonzero(advice.strategy == name)[0]) for name in names]
    mixes = np.unique(advice.samples[[*best, *_ends(advice)]], axis=0)
    return command({**_words(advice, study, names, list(mixes)), "seed": ["0", "1"]})


def _words(
    advice: Advice, study: Study, strategies: Sequence[str], mixes: Sequence[Array]
) -> dict[str, str | Sequence[str]]:
    """Overrides for these strategies and compositions; an amount of 1 would mean a whole source, so the least is 2."""
    chosen = [strategy_words(study, name) for name in strategies]
    replay = {k: v for words in reversed(chosen) for k, v in words.items() if k == "replay"}
    used = [i for i in range(len(advice.abilities)) if advice.samples[:, i].any()]
    amounts = [
        "{" + ",".join(f"{advice.abilities[i]}:{max(2, round(float(mix[i]))) if mix[i] else 0}" for i in used) + "}"
        for mix in mixes
    ]
    names = list(dict.fromkeys(words["strategy"] for words in chosen))
    return {**common(study), **replay, "name": "advised", "strategy": names, "fraction": "1", "amount": amounts}


def mixed(study: Study) -> bool:
    """Whether any model was trained on several abilities."""
    rows = study.table
    return bool(((rows["samples"] > 0) & (rows["samples"] < rows["total_samples"])).any())


def checks(models: Sequence[Surrogate]) -> list[str]:
    """How well each surrogate predicts an arm from all others, a sentence each."""
    lines = []
    for model in models:
        gap, standard = model.left_out()
        inside = float((np.abs(standard) <= 1.96).mean())
        error = f"{np.sqrt((gap**2).mean()):.2f} ({model.metric.model_unit})"
        lines.append(
            f"{model.ability}: arms predicted from the others have a root mean square error of {error}; "
            f"{100 * inside:.0f} % of the {counted(len(gap), 'arm')} lie within their 95 % interval"
        )
    return lines
