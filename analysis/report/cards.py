"""The answers at the top of the page: a card a question, of what the verdicts say and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.advice.next_cells import NextCell, choices
from analysis.advice.one_kind import one_kind
from analysis.data.cost import COSTS
from analysis.data.series import COUNTED
from analysis.data.study import Measure, Study
from analysis.figures.decisions import next_figure
from analysis.figures.render import Picture
from analysis.figures.render import picture as draw
from analysis.fitting.series_fits import SeriesFit
from analysis.report.drawings import Drawings
from analysis.report.html import anchor
from analysis.report.page import Card
from analysis.report.results import MeasureFits, Results, headline, scored
from analysis.report.verdict_tables import QUESTION_TITLES
from analysis.verdicts.arms import HOLDS_FOR
from analysis.verdicts.goal import doubling_text, goals, next_doubling
from analysis.verdicts.scaling import finding_words
from analysis.verdicts.strategy import against_the_best
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.wording import with_unit

MOST = 5
"""Sentences of a card; the section that it leads to has all."""


def cards(results: Results, drawings: Drawings) -> list[Card]:
    """The five questions with their answers, and what an equal budget buys where curves are along a cost."""
    verdicts = headline(results.findings.verdicts)
    return [
        Card("Which ability still improves with more data?", _gains(results, verdicts), *_more(drawings, "scaling")),
        Card("Where does it stop?", _stops(results, verdicts), _link(verdicts, "scaling"), drawings.goals),
        Card("Does mixing help or hurt, and from where?", _mixing(verdicts), *_more(drawings, "synergy")),
        Card("Which strategy?", _strategies(results, verdicts), *_more(drawings, "strategy")),
        *_budgets(verdicts, drawings),
        _next(results.study),
    ]


def answers_record(cards: Sequence[Card]) -> list[dict[str, object]]:
    """The cards for scripts."""
    return [
        {"question": card.question, "sentences": list(card.answers), **({"command": card.code} if card.code else {})}
        for card in cards
    ]


def _link(verdicts: Sequence[Verdict], question: str) -> str:
    """The id of the section on a question; empty where it has no verdicts."""
    return anchor(QUESTION_TITLES[question]) if any(v.question == question for v in verdicts) else ""


def _more(drawings: Drawings, question: str) -> tuple[str, Picture | None]:
    """Where a card leads, and its small figure."""
    pictures = drawings.verdicts.get(question, ())
    if not pictures:
        return "", None
    figure = replace(pictures[0].figure, name=f"card-{pictures[0].figure.name}")
    return anchor(QUESTION_TITLES[question]), replace(pictures[0], figure=figure)


def _gains(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """Each series: what the verdict on its last amounts says, and what its curve expects of the next doubling."""
    lines = []
    for verdict in (v for v in verdicts if v.question == "scaling"):
        slope = f"{with_unit(verdict)} per doubling"
        among = f"; not significant among the {verdict.withdrawn_among} effects" if verdict.withdrawn_among else ""
        lines.append(f"{verdict.about} {finding_words(verdict)}: {slope}{among}.")
    ahead = [
        f"Beyond the largest amount, by the curve: twice {_the(measure.axis)} {_name(measure.ability, fit)} "
        f"{doubling_text(measure.metric, gain)} {measure.metric.short_unit}."
        for measure, fit in _series(results.fits)
        if (gain := next_doubling(measure, fit)) is not None
    ]
    none = ["No answer: no series has four amounts or more of its own data."]
    return _shortened(lines) + _shortened(ahead) if lines else none + _shortened(ahead)


def _the(axis: str) -> str:
    return f"the {COUNTED[axis]} bring" if axis in COSTS else "the data brings"


def _series(fits: Sequence[MeasureFits]) -> list[tuple[Measure, SeriesFit]]:
    return [(measure, fit) for measure, found in scored(fits) for fit in found]


def _name(ability: str, fit: SeriesFit) -> str:
    return f"{ability} ({fit.series.label})" if fit.series.label else ability


def _stops(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """The plateaus, what has none, and how much data the next round score takes."""
    scaling = [v for v in verdicts if v.question == "scaling"]
    reached = [v for v in scaling if v.finding == "equal" or v.edge]
    rising = [v.about for v in scaling if v.finding == "up"]
    open_ones = [v.about for v in scaling if v not in reached and v.finding != "up"]
    lines = _shortened([f"{v.sentence.partition(': ')[0]}." for v in reached])
    lines += [f"Still improving at the largest amount measured: {'; '.join(rising)}."] if rising else []
    lines += [f"Neither a trend nor a plateau: {'; '.join(open_ones)}."] if open_ones else []
    aims = [f"{goal.about}: to reach {goal.shown_value}, {goal.needed}." for *_, goal in goals(scored(results.fits))]
    aims = [*_shortened(aims), "A goal is the next round score, or a loss lower by a tenth."] if aims else []
    return [*lines, *aims] or ["No answer: no series has four amounts or more of its own data."]


def _mixing(verdicts: Sequence[Verdict]) -> list[str]:
    """What mixing does to each ability: clear effects first."""
    found = [v for v in verdicts if v.question == "synergy"]
    if not found:
        return ["Not measured: the table has no cells of equal own data with and without other abilities' data."]
    clear = [v.sentence for v in found if v.finding in ("up", "down")]
    rest = [v for v in found if v.finding not in ("up", "down")]
    counts = {kind: sum(v.finding == kind for v in rest) for kind in ("equal", "undecided")}
    words = {"equal": "stay within the margin", "undecided": "are undecided"}
    tail = [f"{n} of {len(found)} comparisons {words[kind]}." for kind, n in counts.items() if n]
    return [*_shortened(clear), *tail] if clear else [*tail, *(v.sentence for v in rest[:2])]


def _strategies(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """The chance that each strategy is undominated, which is best at each ability, and what replay does."""
    if not results.findings.strategies:
        return ["Not compared: the table has fewer than two strategies that were given equal data of every ability."]
    pairs = [v for v in verdicts if v.question == "strategy"]
    lines = [line for compared, _ in results.findings.strategies for line in against_the_best(compared, pairs)]
    replays = [v for v in verdicts if v.question == "replay"]
    lines += [v.sentence for v in replays if v.finding in ("up", "down")]
    held = ", and for ".join(dict.fromkeys(HOLDS_FOR[v.noise] for v in pairs))
    open_ones = sum(v.finding not in ("up", "down") for v in [*pairs, *replays])
    tail = [f"{open_ones} of {len(pairs) + len(replays)} comparisons show no clear difference."] if open_ones else []
    notes = results.findings.strategy_notes[:2]
    return [*notes, *_shortened(lines), *([f"The differences hold for {held}."] if pairs else []), *tail]


def _budgets(verdicts: Sequence[Verdict], drawings: Drawings) -> list[Card]:
    """What differs clearly at an equal cost."""
    found = [v for v in verdicts if v.question == "budget"]
    if not found:
        return []
    clear = [v.sentence for v in found if v.finding in ("up", "down")]
    rest = [v.sentence for v in found if v.finding not in ("up", "down")]
    tail = [f"{len(rest)} of {len(found)} comparisons at an equal budget show no clear difference."] if rest else []
    said = [*_shortened(clear), *tail] if clear else [*tail, *rest[:2]]
    return [Card("What does an equal budget buy?", said, *_more(drawings, "budget"))]


def _next(study: Study) -> Card:
    """The cell that narrows the interval of an ability's curve the most for its cost, with its command."""
    question = "What to run next?"
    best: list[tuple[str, NextCell]] = []
    reasons = []
    kind = one_kind(study)
    for ability in study.abilities:
        try:
            best.append((ability, choices(kind.study, ability)[0]))
        except ValueError as error:
            reasons.append(str(error))
    if not best:
        return Card(question, [f"No suggestion: {reasons[0]}."] if reasons else ["No suggestion."])
    lines = [
        f"{ability}: {cell.cell} ({cell.label}) narrows the interval of its curve by "
        f"{100 * (1 - cell.after / cell.before):.0f} %."
        for ability, cell in best
    ]
    first = max(best, key=lambda pair: 1 - pair[1].after / pair[1].before)[1]
    picture = draw(next_figure([(ability, 1 - cell.after / cell.before) for ability, cell in best]))
    lines = [*_shortened(lines), *(f"{line[0].upper()}{line[1:]}." for line in kind.sentences)]
    return Card(question, lines, picture=picture, code=first.line)


def _shortened(lines: Sequence[str]) -> list[str]:
    """At most `MOST` lines, then how many more there are."""
    more = len(lines) - MOST
    return [*lines[:MOST], f"{more} more below."] if more > 1 else list(lines)
