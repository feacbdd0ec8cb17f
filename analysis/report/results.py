"""What an analysis found: the fits of every measure and the answers to the study's questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.data.metric import Metric
from analysis.data.study import Measure, Study
from analysis.fitting.series_fits import SeriesFit, fit_series
from analysis.report.cells import short_names
from analysis.report.size_tables import SizeRows, size_rows
from analysis.report.verdict_tables import findings_record
from analysis.report.within_run_tables import within_run_record
from analysis.verdicts.all_verdicts import Findings, findings
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.within_run import EarlyLook, Expected, Run, early_looks, expected_ends, runs_of

MeasureFits = tuple[Measure, list[SeriesFit]]


@dataclass(frozen=True, eq=False)
class Results:
    """A study, the fits of its measures that hold trained models, and its findings."""

    study: Study
    fits: tuple[MeasureFits, ...]
    findings: Findings

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics analysed, in the order of their names."""
        by_name = {measure.metric.name: measure.metric for measure in self.study.measures}
        return tuple(by_name[name] for name in sorted(by_name))

    @cached_property
    def sizes(self) -> dict[str, SizeRows]:
        """What is predicted of sizes that were not trained, by the name of the measure."""
        return {measure.name: size_rows(measure, self.study.measures) for measure, _ in self.fits}

    @cached_property
    def runs(self) -> tuple[tuple[Measure, list[Run]], ...]:
        """The runs that have checkpoints, of every measure that has any, by what tells their cells apart."""
        return tuple((one, _named(runs)) for one in self.study.measures if (runs := runs_of(self.study, one)))

    @cached_property
    def on_the_way(self) -> tuple[list[EarlyLook], list[Expected]]:
        """What checkpoints tell of the ends of runs, and the expected ends of those that have not ended."""
        looks, expected = list[EarlyLook](), list[Expected]()
        for measure, runs in self.runs:
            own = early_looks(measure, runs)
            looks += own
            expected += expected_ends(measure, runs, own)
        return looks, expected

    def columns(self) -> list[str]:
        """Which columns of the table are the axis of the curves, which are factors, and which are neither and why."""
        axes = dict.fromkeys(measure.axis for measure, _ in self.fits if measure.axis)
        table = self.study.table
        factors = [name for name in self.study.factors if name not in axes and table[name].nunique() > 1]
        lines = [f"Axis of the curves: {', '.join(axes)}."] if axes else []
        lines += [f"Factors: {', '.join(factors)}."] if factors else []
        return [*lines, *(f"{remark[0].upper()}{remark[1:]}." for remark in self.study.remarks)]

    def assumptions(self) -> list[str]:
        """What was assumed of metrics that neither the table nor their names describe."""
        remedy = "declare it with the columns kind, better, low and high"
        metrics = self.study.metrics.values()
        return [f"metric {m.name!r}: taken as {m.assumed}; {remedy}" for m in metrics if m.assumed]

    def curves_record(self) -> list[dict[str, object]]:
        """The fits for machines; missing numbers are left out."""
        return [_measure_record(measure, fits) for measure, fits in self.fits]

    def verdicts_record(self) -> dict[str, object]:
        """The findings for machines; missing numbers are left out."""
        return {**findings_record(self.findings), "within_runs": within_run_record(*self.on_the_way)}


def analyse(study: Study, margin: float, weights: Mapping[str, float] | None) -> Results:
    """Fit every measure and answer every question; ``margin`` and ``weights`` as in `findings`."""
    fits = tuple((measure, fit_series(measure)) for measure in study.measures if measure.series)
    return Results(study, fits, findings(study, margin, weights, fits))


def scored(fits: Sequence[MeasureFits]) -> Sequence[MeasureFits]:
    """The measures of shares and ratings; all where there are none."""
    return [(measure, series) for measure, series in fits if measure.metric.bounded] or fits


def headline(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on shares and ratings; on all metrics where there are none."""
    return [verdict for verdict in verdicts if verdict.metric.bounded] or list(verdicts)


def _named(runs: Sequence[Run]) -> list[Run]:
    """The runs with short names of their cells, which begin with that of the sweep where there are several."""
    short, several = short_names(run.cell for run in runs), len({run.sweep for run in runs}) > 1
    return [replace(run, cell=f"{run.sweep}: {short[run.cell]}" if several else short[run.cell]) for run in runs]


def _measure_record(measure: Measure, fits: list[SeriesFit]) -> dict[str, object]:
    return {
        "ability": measure.ability,
        "task": measure.task,
        "metric": measure.metric.name,
        "kind": measure.metric.kind,
        "better": measure.metric.better,
        "fitted_as": measure.metric.fitted_as or "value",
        "axis": measure.axis,
        "base": measure.base,
        "series": [_series_record(fit) for fit in fits],
    }


def _series_record(fit: SeriesFit) -> dict[str, object]:
    levels = [{k: v for k, v in vars(level).items() if v == v} for level in fit.levels]
    entry: dict[str, object] = {"label": fit.series.label, "levels": levels}
    if fit.curve is None:
        return {**entry, "no_curve": fit.reason}
    laws = [
        {
            "law": curve.law.name,
            "weight": float(weight),
            "params": dict(curve.params),
            "objective": curve.objective,
            "agreeing_starts": curve.agreeing_starts,
        }
        for curve, weight in zip(fit.curve.curves, fit.curve.weights, strict=True)
    ]
    return {**entry, "warnings": list(fit.curve.warnings), "laws": laws}
