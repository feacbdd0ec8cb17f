"""All figures of an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.report.check_figures import draw_checks
from analysis.report.figures import draw
from analysis.report.mixture_figures import draw_mixtures
from analysis.report.results import Results
from analysis.report.verdict_figures import draw_matrix, draw_pareto
from analysis.verdicts.all_verdicts import Findings


@dataclass(frozen=True)
class Drawings:
    """All figures as SVG texts, and sentences that say why a figure is missing.

    ``curves`` has one figure per measure by its name, ``checks`` those that check its curves by their names,
    ``comparisons`` those of strategies and mixtures.
    """

    curves: Mapping[str, str]
    checks: Mapping[str, Mapping[str, str]]
    comparisons: Mapping[str, str]
    missing: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names of all figures, without their endings."""
        return [*self.curves, *(name for checks in self.checks.values() for name in checks), *self.comparisons]


def draw_all(results: Results, folder: Path) -> Drawings:
    """Draw every figure that the results support into ``folder``, as SVG and PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = {measure.name: draw(measure, fits, folder) for measure, fits in results.fits}
    checks = {measure.name: draw_checks(measure, fits, folder) for measure, fits in results.fits}
    mixtures, missing = draw_mixtures(results.study, folder)
    comparisons = {**_draw_strategies(results.findings, folder), **mixtures}
    return Drawings(curves, checks, comparisons, (*missing, *_missing_rollouts(results, checks)))


def _draw_strategies(findings: Findings, folder: Path) -> dict[str, str]:
    """The figures of compared strategies by name."""
    drawn = {}
    for compared, chances in findings.strategies:
        if not np.isnan(compared.alone).all():
            drawn[f"forgetting-{compared.file_name}"] = draw_matrix(compared, folder)
        if len(compared.abilities) > 1:
            drawn[f"pareto-{compared.file_name}"] = draw_pareto(compared, chances, folder)
    return drawn


def _missing_rollouts(results: Results, checks: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [
        f"No rollout of {measure.title}: it needs two amounts more than its laws do."
        for measure, fits in results.fits
        if any(fit.curve for fit in fits) and f"{measure.name}-rollout" not in checks[measure.name]
    ]
