"""What ``python -m analysis advise`` and ``next`` answer, as text and as a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np

from analysis.advice.advise import KL, Advice, advise, emphases, headline_measures
from analysis.advice.check import check_lines, check_summary, check_table, compare
from analysis.advice.commands import amount_word, command, common, data_abilities, strategy_words, unlike_sweeps
from analysis.advice.distance import FAR, times
from analysis.advice.goal_text import goal_record, goal_text
from analysis.advice.next_cells import COSTS, choices, next_table
from analysis.advice.one_kind import like, one_kind
from analysis.advice.records import advice_record, below_best, check_record, next_record
from analysis.advice.surrogate import ONE_SUM, Surrogate
from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.study import Study, read_studies, read_study
from analysis.format import counted
from analysis.records import result
from analysis.text_table import TextTable, render
from analysis.verdicts.spread import unlike_spreads
from analysis.verdicts.strategy import front
from common.options import Result

WIDTH = 80
"""Of what is printed; commands are longer."""
SHOWN = 5
"""Compositions of the front that are printed."""


def advice_result(
    tables: Sequence[Path],
    budget: float | str,
    weights: Mapping[str, float],
    seed: int,
    near: Mapping[str, float] | None = None,
    kl: float = KL,
    *,
    only: Mapping[str, str] | None = None,
    repeats: float = 1.0,
    have: Mapping[str, float] | None = None,
) -> Result:
    """The best composition of each strategy, the Pareto front, checks of the surrogates, and two commands.

    One command runs the best composition, the other puts the ranking to the test. Errors as in `advise` and `one_kind`.
    """
    kind = one_kind(read_study(tables), only)
    study = kind.study
    advice = advise(study, budget, weights, seed, near, kl, repeats=repeats, have=have)
    run, trial = run_line(advice, study), trial_line(advice, study)
    priced, tested = advice.budget.sentence(advice.abilities), checks(advice.surrogates)
    notes = [*kind.sentences, *_notes(advice, study), *unlike_sweeps(study)]
    found = advice_record(advice, _best(advice), _ends(advice))
    record = {**found, "costs": priced or None, "checks": tested, "notes": notes, "run": run, "test": trial}
    lines = [*_control(advice), *([priced] if priced else []), *(f"check: {line}" for line in tested)]
    lines += [f"note: {line}" for line in notes]
    shown = "".join(render(table, WIDTH) for table in advice_tables(advice))
    return result(record, f"{shown}{_wrapped(lines)}run it:  {run}\ntest it: {trial}\n")


def _control(advice: Advice) -> list[str]:
    """The mixture that is predicted to be worst, with which a run of the best one can be compared."""
    if advice.worst == 0:
        return []
    metric, gap = advice.metric, below_best(advice)
    value, low, high = (metric.effect(gap[name]).lstrip("+") for name in ("value", "low", "high"))
    mix = " + ".join(f"{n:,.0f}" for n in advice.samples[advice.worst])
    return [
        f"control: {mix} samples ({' + '.join(advice.abilities)}) are predicted to be the worst mixture for the same "
        f"cost and strategy, {value} {metric.short_unit} below the best ({low} to {high}); if training both does not "
        "show it, do not trust this advice"
    ]


def _notes(advice: Advice, study: Study) -> list[str]:
    """What a reader of the advice must know."""
    notes = []
    if len({str(s) for s in advice.surrogates[0].design.strategy} - {"base"}) == 1:
        notes.append("the table holds one strategy only, so there is nothing to compare it with")
    if not mixed(study):
        notes.append("the table holds no mixed training, so how abilities affect each other is a guess")
    left_out = [ability for ability in study.abilities if ability not in advice.abilities]
    needed = advice.metric.name if not advice.metric.bounded else "share or rating"
    notes += [f"{ability} is left out, as it has no {needed}" for ability in left_out]
    notes += [f"the best composition has more {name} data than any cell measured" for name in advice.beyond]
    notes += _repeats(advice)
    notes += [line for measure in headline_measures(study) for line in unlike_spreads(measure)]
    if advice.away[0] >= FAR:
        notes.append(
            f"the best composition is far from what was measured: {times(advice.away[0])} from the nearest cell of its "
            "strategy, in the ability in which they differ most; its intervals may be too narrow, so test it"
        )
    return notes


def _repeats(advice: Advice) -> list[str]:
    """How often the best composition shows each sample, where more than once."""
    times_each = advice.samples[0] / advice.exist
    shown = [f"{n} {t:.1f} times" for n, t in zip(advice.abilities, times_each, strict=True) if t > 1.001]
    if not shown:
        return []
    return [
        f"the best composition shows each sample of {', '.join(shown)}; repeats count less than fresh samples, by the "
        "decay published for pretraining (Muennighoff et al. 2023), which this table does not test"
    ]


def check_result(
    tables: Sequence[Path],
    after: Sequence[Path],
    weights: Mapping[str, float],
    only: Mapping[str, str] | None = None,
) -> Result:
    """The cells in ``after`` as predicted from ``tables`` and as measured, and whether the ranking held.

    Cells of another kind than the predictions are for are left out, with a note. Errors as in `one_kind`, `like` and
    `compare`.
    """
    study, later = read_studies([tables, after])
    kind = one_kind(study, only)
    alike, left_out = like(kind, later)
    try:
        check = compare(kind.study, alike, weights)
    except ValueError as error:
        raise ValueError("; ".join([str(error), *left_out])) from error
    lines = [*kind.sentences, *left_out, *check_lines(check)]
    text = render(check_summary(check), WIDTH) + _wrapped(lines) + "\n" + render(check_table(check), WIDTH)
    return result({**check_record(check), "notes": lines}, text)


def _wrapped(lines: Sequence[str]) -> str:
    """Lines that fit the terminal."""
    return "".join(f"{fill(line, WIDTH, subsequent_indent='  ')}\n" for line in lines)


def next_result(tables: Sequence[Path], quantity: str, only: Mapping[str, str] | None = None) -> Result:
    """The most worthwhile cells to run next, and the command that runs the first; for a goal also what it takes."""
    study = read_study(tables)
    if "=" in quantity:
        return result(goal_record(study, quantity), goal_text(study, quantity, only))
    kind = one_kind(study, only)
    cells = choices(kind.study, quantity)
    said = [*kind.sentences, *unlike_sweeps(kind.study)]
    notes = _wrapped([f"note: {line}" for line in said])
    text = f"{render(next_table(cells, quantity))}{notes}cost: {COSTS[cells[0].unit]}\nrun it: {cells[0].line}\n"
    return result({"quantity": quantity, **next_record(cells), "notes": said}, text)


def advice_tables(advice: Advice) -> list[TextTable]:
    """The best composition of each strategy, and the predicted Pareto front."""
    chance = advice.chance()
    names = _best(advice)
    rows = []
    for which in names:
        first, *rest = _row(advice, which)
        share = f"\nbest: {100 * chance[advice.strategy == first].sum():.0f} %"
        rows.append((first + (share if len(names) > 1 else ""), *rest))  # a single one has nothing to be better than
    head = ("strategy", "ability", "samples", "predicted", "95 % interval", f"shortfall, {advice.metric.short_unit}")
    title = (
        f"best composition of each strategy: {_labels(advice)}; shortfall: how far it is expected to be worse than the "
    )
    title += "truly best" + ("; best: the chance that the strategy is the best" if len(names) > 1 else "")
    ends = _ends(advice)
    front_title = "predicted Pareto front: best for the weights, and where one or two abilities count more"
    front_title += f"; {len(ends) - SHOWN} more with json=true" if len(ends) > SHOWN else ""
    front_rows = tuple(_row(advice, i) for i in ends[:SHOWN])
    return [TextTable(title, head, tuple(rows)), TextTable(front_title, head, front_rows)]


def _best(advice: Advice) -> list[int]:
    """The best candidate of each strategy, the best strategy first."""
    return [int(np.flatnonzero(advice.strategy == name)[0]) for name in dict.fromkeys(advice.strategy)]


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
    """Strategy, samples and predictions with intervals of each ability and of all, expected shortfall."""
    metric = advice.metric
    drawn = [(advice.draws[:, which, i], model.metric) for i, model in enumerate(advice.surrogates)]
    predicted, intervals = zip(*(_interval(*pair) for pair in (*drawn, (advice.total[:, which], metric))), strict=True)
    samples = (*advice.samples[which], advice.samples[which].sum())
    return (
        str(advice.strategy[which]),
        "\n".join((*advice.abilities, "weighted")),
        "\n".join(f"{n:,.0f}" for n in samples),
        "\n".join(predicted),
        "\n".join(intervals),
        metric.effect(float(advice.shortfall()[which])).lstrip("+"),
    )


def _interval(drawn: Array, metric: Metric) -> tuple[str, str]:
    """Median and 95 % interval of drawn merits, as values of the metric."""
    low, middle, high = (metric.number(float(x)) for x in np.quantile(metric.value(drawn), [0.025, 0.5, 0.975]))
    return middle, f"{low} to {high}"


def run_line(advice: Advice, study: Study) -> str:
    """The command that runs the best candidate."""
    return command(_words(advice, study, [str(advice.strategy[0])], [advice.samples[0]]))


def trial_line(advice: Advice, study: Study) -> str:
    """The command that puts the ranking to the test.

    It runs the best compositions of every strategy and of the front and the worst mixture, each with every strategy and
    two seeds.
    """
    names = list(dict.fromkeys(map(str, advice.strategy)))
    mixes = np.unique(advice.samples[[*_best(advice), *_ends(advice), advice.worst]], axis=0)
    return command({**_words(advice, study, names, list(mixes)), "seed": ["0", "1"]})


def _words(
    advice: Advice, study: Study, strategies: Sequence[str], mixes: Sequence[Array]
) -> dict[str, str | Sequence[str]]:
    """Overrides for these strategies and compositions; an amount of 1 would mean a whole source, so the least is 2.

    Abilities of the data that the advice gives nothing are named too: what is not named is given whole.
    """
    chosen = [strategy_words(study, name) for name in strategies]
    replay = {k: v for words in reversed(chosen) for k, v in words.items() if k == "replay"}
    used = [i for i in range(len(advice.abilities)) if advice.samples[:, i].any()]
    rest = {ability: 0 for ability in data_abilities(study) if ability not in {advice.abilities[i] for i in used}}
    given = [{advice.abilities[i]: max(2, round(float(mix[i]))) if mix[i] else 0 for i in used} for mix in mixes]
    amounts = [amount_word({**some, **rest}) for some in given]
    names = list(dict.fromkeys(words["strategy"] for words in chosen))
    repeated = {"allow_repeats": "true"} if any((mix > 1.001 * advice.exist).any() for mix in mixes) else {}
    composition = {"strategy": names, "fraction": "1", "amount": amounts}
    return {**common(study), **replay, **repeated, "name": "advised", **composition}


def mixed(study: Study) -> bool:
    """Whether any model was trained on several abilities."""
    rows = study.table
    return bool(((rows["samples"] > 0) & (rows["samples"] < rows["total_samples"])).any())


def checks(models: Sequence[Surrogate]) -> list[str]:
    """How well each surrogate predicts arms from other mixtures, and how it counts other data; a sentence each."""
    lines = []
    ways = ("other abilities' data in one sum", "the data of each other ability apart")
    for model in models:
        gap, standard = model.left_out()
        inside = float((np.abs(standard) <= 1.96).mean())
        used, unused = ways if model.others == ONE_SUM else ways[::-1]
        against = "" if np.isnan(model.instead) else f"; it would be {model.instead:.3g} with {unused}"
        lines.append(
            f"{model.ability}: {100 * inside:.0f} % of the table's own {counted(len(gap), 'design')}, each predicted "
            f"from other mixtures, lie in their 95 % interval; root mean square error {model.error:.3g} "
            f"({model.metric.model_unit}) with {used}{against}"
        )
    return lines
