"""All figures of an analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.figures.checks import check_figures
from analysis.figures.curves import curves_figure
from analysis.figures.decisions import goal_figure
from analysis.figures.figure import Figure
from analysis.figures.mixtures import mixture_figures
from analysis.figures.render import Picture, picture, without_font, write
from analysis.figures.strategies import matrix_figure, pareto_figures
from analysis.figures.verdicts import verdict_figure
from analysis.figures.within_run import within_run_figure
from analysis.report.results import Results, scored
from analysis.report.stage_tables import stage_figures
from analysis.verdicts.goal import goals
from analysis.verdicts.verdict import Verdict

MOST_VERDICTS = 40
"""Verdicts that a figure shows at most; the tables have them all."""

MOST_GOALS = 8
"""Goals of the figure."""

KINDS = {"share": "Scores", "rating": "Ratings", "loss": "Losses", "other": "Other metrics"}
"""Kinds of metric in titles."""


@dataclass(frozen=True)
class Drawings:
    """All figures, drawn, and sentences that say why one is missing.

    ``curves`` has one figure per measure by its name, ``checks`` those that check its curves, ``verdicts`` those of
    each question by its name, ``strategies`` and ``mixtures`` those that compare strategies and mixtures, ``stages``
    those of values after each training stage, ``within`` those of values on the way of a run, ``goals`` the data that
    the next goals take. ``files`` are the names of the files written.
    """

    curves: Mapping[str, Picture]
    checks: Mapping[str, Sequence[Picture]]
    verdicts: Mapping[str, Sequence[Picture]]
    strategies: Sequence[Picture]
    mixtures: Sequence[Picture]
    stages: Sequence[Picture]
    within: Sequence[Picture]
    goals: Picture | None
    missing: tuple[str, ...]
    files: tuple[str, ...] = ()

    @property
    def all(self) -> list[Picture]:
        """Every picture once."""
        groups = [self.curves.values(), *self.verdicts.values(), self.strategies, self.mixtures, *self.checks.values()]
        groups += [self.stages, self.within, [self.goals] if self.goals else []]
        return [picture for group in groups for picture in group]


TOPICS = {
    "scaling": "gain per doubling of its own data",
    "size": "larger against smaller model",
    "budget": "one series against another at equal cost",
    "checkpoint": "finished run against a checkpoint of a longer one",
    "factor": "one value of a factor against another",
    "synergy": "mixed against alone",
    "source": "per doubling of another ability's data",
    "strategy": "one strategy against another",
    "forgetting": "against training on the ability alone",
    "replay": "with replay against without",
}
"""What the effects of each question are, in titles."""


def draw_all(results: Results, folder: Path, formats: Sequence[str] = ()) -> Drawings:
    """Draw every figure that the results support, and write it into ``folder``: as SVG, and in ``formats``."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = {measure.name: picture(curves_figure(measure, fits)) for measure, fits in results.fits}
    checks = {measure.name: _pictures(check_figures(measure, fits)) for measure, fits in results.fits}
    mixtures, missing = mixture_figures(results.study)
    verdicts = {question: _pictures(figures) for question, figures in verdict_figures(results).items()}
    missing += _missing_rollouts(results, checks)
    lacking = without_font(_texts(curves.values())) if formats else ""
    missing += [f"{lacking[0].upper()}{lacking[1:]}."] if lacking else []
    goal = goal_figure([one for *_, one in goals(scored(results.fits))][:MOST_GOALS])
    staged = [metric for metric in results.metrics if metric.bounded] or results.metrics
    stages = _pictures(stage_figures(results.study, staged))
    within = _pictures(within_run_figure(measure, runs) for measure, runs in results.runs)
    strategies, aim = _pictures(_strategy_figures(results)), picture(goal) if goal else None
    drawings = Drawings(curves, checks, verdicts, strategies, _pictures(mixtures), stages, within, aim, tuple(missing))
    return replace(drawings, files=tuple(name for drawn in drawings.all for name in write(folder, drawn, formats)))


def _texts(pictures: Iterable[Picture]) -> list[str]:
    """What stands in figures: their texts and the words of their rows."""
    rows = [value for drawn in pictures for row in drawn.figure.rows for value in row.values()]
    return [*(drawn.figure.description for drawn in pictures), *(value for value in rows if isinstance(value, str))]


def _pictures(figures: Iterable[Figure]) -> list[Picture]:
    return [picture(figure) for figure in figures]


def forgetting_figures(results: Results) -> list[Figure]:
    """What strategies lose and gain against training on the ability alone, where that was measured."""
    strategies = [compared for compared, _ in results.findings.strategies]
    return [matrix_figure(compared) for compared in strategies if not np.isnan(compared.alone).all()]


def _strategy_figures(results: Results) -> list[Figure]:
    """The figures of compared strategies."""
    pairs = [figure for found in results.findings.strategies for figure in pareto_figures(*found)]
    return [*forgetting_figures(results), *pairs]


def verdict_figures(results: Results) -> dict[str, list[Figure]]:
    """The figures of the verdicts on each question, one a kind of metric, as their units differ."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in results.findings.verdicts:
        groups.setdefault((verdict.question, verdict.metric.kind), []).append(verdict)
    figures: dict[str, list[Figure]] = {}
    for (question, kind), verdicts in groups.items():
        title = f"{KINDS[kind]}: {TOPICS.get(question, question)}"
        figure = verdict_figure(f"verdicts-{question}-{kind}", title, verdicts[:MOST_VERDICTS])
        figures.setdefault(question, []).append(figure)
    return figures


def _missing_rollouts(results: Results, checks: Mapping[str, Sequence[Picture]]) -> list[str]:
    return [
        f"No rollout of {measure.title}: it needs two amounts more than its laws do."
        for measure, fits in results.fits
        if any(fit.curve for fit in fits)
        and f"{measure.name}-rollout" not in [drawn.figure.name for drawn in checks[measure.name]]
    ]
