"""All figures of an analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.figures.checks import check_figures
from analysis.figures.curves import curves_figure
from analysis.figures.figure import Figure
from analysis.figures.mixtures import mixture_figures
from analysis.figures.render import Picture, picture, write
from analysis.figures.strategies import matrix_figure, pareto_figures
from analysis.figures.verdicts import verdict_figure
from analysis.report.results import Results
from analysis.verdicts.verdict import Verdict

MOST_VERDICTS = 40
"""Verdicts that a figure shows at most; the tables have them all."""

KINDS = {"share": "scores", "rating": "ratings", "loss": "losses", "other": "other metrics"}
"""Kinds of metric in titles."""


@dataclass(frozen=True)
class Drawings:
    """All figures, drawn, and sentences that say why one is missing.

    ``curves`` has one figure per measure by its name, ``checks`` those that check its curves, ``verdicts`` those of
    each question by its name, ``strategies`` and ``mixtures`` those that compare strategies and mixtures.
    """

    curves: Mapping[str, Picture]
    checks: Mapping[str, Sequence[Picture]]
    verdicts: Mapping[str, Sequence[Picture]]
    strategies: Sequence[Picture]
    mixtures: Sequence[Picture]
    missing: tuple[str, ...]

    @property
    def all(self) -> list[Picture]:
        """Every picture once."""
        groups = [self.curves.values(), *self.verdicts.values(), self.strategies, self.mixtures, *self.checks.values()]
        return [picture for group in groups for picture in group]

    @property
    def names(self) -> list[str]:
        """The names of all figures, without their endings."""
        return [drawn.figure.name for drawn in self.all]


def draw_all(results: Results, folder: Path) -> Drawings:
    """Draw every figure that the results support; write each into ``folder``, as SVG and PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = {measure.name: picture(curves_figure(measure, fits)) for measure, fits in results.fits}
    checks = {measure.name: _pictures(check_figures(measure, fits)) for measure, fits in results.fits}
    mixtures, missing = mixture_figures(results.study)
    verdicts = {question: _pictures(figures) for question, figures in verdict_figures(results).items()}
    missing += _missing_rollouts(results, checks)
    drawings = Drawings(
        curves, checks, verdicts, _pictures(_strategy_figures(results)), _pictures(mixtures), tuple(missing)
    )
    for drawn in drawings.all:
        write(folder, drawn)
    return drawings


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
        title = f"{question}: {KINDS[kind]}"
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
