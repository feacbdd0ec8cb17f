"""What `python -m analysis advise` and `next` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.advice.advise import Advice, advise, emphases
from analysis.advice.check import check_lines, check_sheet, compare
from analysis.advice.commands import command, common, strategy_words
from analysis.advice.next_cells import COSTS, choices, sheet
from analysis.advice.surrogate import Surrogate
from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.study import Study, read_study
from analysis.text_table import TextTable, render
from analysis.verdicts.strategy import front


def advice_text(tables: Sequence[Path], budget: float, weights: Mapping[str, float], seed: int) -> str:
    """The best composition of each strategy, the front, how sure the ranking is; the lines that run the best and that
    put the ranking to the test.
    """
    study = read_study(tables)
    found = advise(study, budget, weights, seed)
    text = "".join(render(s) for s in advice_sheets(found))
    text += "".join(f"check: {line}\n" for line in checks(found.surrogates))
    if len({str(s) for s in found.surrogates[0].design.strategy} - {"base"}) == 1:
        text += "note: the table holds one strategy only, so no other is compared\n"
    if not mixed(study):
        text += "note: the table holds no mixed training, so how abilities get on together is a guess\n"
    text += "".join(f"note: {name} goes beyond the amounts measured\n" for name in found.beyond)
    return f"{text}run it:  {run_line(found, study)}\ntest it: {trial_line(found, study)}\n"


def check_text(tables: Sequence[Path], after: Sequence[Path], weights: Mapping[str, float]) -> str:
    """The cells in ``after`` as predicted from ``tables``, as measured, and whether the ranking held."""
    found = compare(read_study(tables), read_study(after), weights)
    return render(check_sheet(found)) + "".join(f"{line}\n" for line in check_lines(found))


def next_text(tables: Sequence[Path], quantity: str) -> str:
    """The cells most worth running, and the line that runs the first."""
    found = choices(read_study(tables), quantity)
    return f"{render(sheet(found, quantity))}cost: {COSTS[found[0].unit]}\nrun it: {found[0].line}\n"


def advice_sheets(advice: Advice) -> list[TextTable]:
    """The best composition of each strategy, and the predicted Pareto front."""
    chance = advice.chance()
    rows = []
    for name in dict.fromkeys(advice.strategy):
        best = int(np.flatnonzero(advice.strategy == name)[0])
        rows.append((*_row(advice, best), f"{100 * chance[advice.strategy == name].sum():.0f} %"))
    head = ("strategy", f"samples of {' + '.join(advice.abilities)}")
    values = advice.abilities
    first = TextTable(
        f"best composition of each strategy: predicted {advice.surrogates[0].metric.label} with 95 % intervals, and by "
        "how much it is expected to fall short of the truly best",
        (*head, *values, "weighted", "short by", "best strategy"),
        tuple(rows),
    )
    second = TextTable(
        "predicted Pareto front: best for the weights, and where one or two abilities count more",
        (*head, *values, "weighted", "short by"),
        tuple(_row(advice, i) for i in _ends(advice)),
    )
    return [first, second]


def _ends(advice: Advice) -> list[int]:
    """The candidates of the front where the weights, or one or two abilities more, have their best; best first."""
    middle = advice.draws.mean(axis=0)
    ends = {int((middle @ w).argmax()) for w in emphases(advice.weights)}
    chosen = ends & {int(i) for i in np.flatnonzero(front(middle[None])[0])}
    return sorted(chosen, key=lambda i: -float(advice.total[:, i].mean()))


def _row(advice: Advice, which: int) -> tuple[str, ...]:
    """Strategy, samples, predictions with intervals, weighted sum, expected shortfall (points, or % of the loss)."""
    cells = []
    for i, model in enumerate(advice.surrogates):
        cells.append(_interval(advice.draws[:, which, i], model.metric))
    metric = advice.surrogates[0].metric
    return (
        str(advice.strategy[which]),
        " + ".join(f"{n:.0f}" for n in advice.samples[which]),
        *cells,
        _interval(advice.total[:, which], metric),
        metric.effect(float(advice.shortfall()[which])).lstrip("+"),
    )


def _interval(drawn: Array, metric: Metric) -> str:
    low, middle, high = np.quantile(metric.value(drawn), [0.025, 0.5, 0.975])
    return f"{metric.number(float(middle))} ({metric.number(float(low))}–{metric.number(float(high))})"


def run_line(advice: Advice, study: Study) -> str:
    """The command that runs the best candidate."""
    return command(_words(advice, study, [str(advice.strategy[0])], [advice.samples[0]]))


def trial_line(advice: Advice, study: Study) -> str:
    """The command that puts the ranking to the test: the best compositions of every strategy and of the front, each
    with every strategy and two seeds.
    """
    names = list(dict.fromkeys(map(str, advice.strategy)))
    best = [int(np.flatnonzero(advice.strategy == name)[0]) for name in names]
    mixes = np.unique(advice.samples[[*best, *_ends(advice)]], axis=0)
    return command({**_words(advice, study, names, list(mixes)), "seed": ["0", "1"]})


def _words(
    advice: Advice, study: Study, strategies: Sequence[str], mixes: Sequence[Array]
) -> dict[str, str | Sequence[str]]:
    """Overrides for these strategies and compositions; an amount of 1 would be all of a source, so 2 is the least."""
    known = [strategy_words(study, name) for name in strategies]
    replay = {k: v for words in reversed(known) for k, v in words.items() if k == "replay"}
    used = [i for i in range(len(advice.abilities)) if advice.samples[:, i].any()]
    amounts = [
        "{" + ",".join(f"{advice.abilities[i]}:{max(2, round(float(mix[i]))) if mix[i] else 0}" for i in used) + "}"
        for mix in mixes
    ]
    names = list(dict.fromkeys(words["strategy"] for words in known))
    return {**common(study), **replay, "name": "advised", "strategy": names, "fraction": "1", "amount": amounts}


def mixed(study: Study) -> bool:
    """Whether any model was trained on several abilities."""
    rows = study.table
    return bool(((rows["samples"] > 0) & (rows["samples"] < rows["total_samples"])).any())


def checks(models: Sequence[Surrogate]) -> list[str]:
    """How well each surrogate predicts an arm from all others."""
    said = []
    for model in models:
        gap, standard = model.left_out()
        inside = float((np.abs(standard) <= 1.96).mean())
        unit = {"loss": "relative", "other": f"in units of {model.metric.name}"}.get(model.metric.kind, "in logits")
        said.append(
            f"{model.ability}: arms predicted from the others are off by {np.sqrt((gap**2).mean()):.2f} ({unit}, root "
            f"mean square); {100 * inside:.0f} % of {len(gap)} lie within their 95 % interval"
        )
    return said
