"""The sections of report.html."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.report.drawings import Drawings
from analysis.report.page import Section
from analysis.report.results import Results
from analysis.report.tables import cross_sheets, law_sheet, measure_sheets, other_sheet, overview
from analysis.report.text import heading, sentence, warning_rows
from analysis.report.verdict_tables import matrix_sheet, verdict_sheets
from analysis.text_table import TextTable

_TITLES = {
    "forgetting": "Forgetting and transfer, against training on the ability alone",
    "pareto": "Strategies by pairs of abilities (filled: probably undominated; losses point upwards)",
    "surface": "Own amount and share of all data (shades: measured means, interpolated between the dots)",
    "triangle": "Mixtures of three abilities",
}
HELD = (
    "An item is held when its whole prompt, or 70 % of the 8-word runs of its prompt or answer, occur in the source; "
    "accuracy_clean among the further metrics leaves those items out.",
)


def sections(results: Results, drawings: Drawings, overlaps: Sequence[TextTable]) -> list[Section]:
    """The overview first, then verdicts, comparisons, curves, and what else the table holds."""
    top = overview(results.fits)
    parts = [Section(top.title, [top])] if top else []
    parts += _verdicts(results)
    parts += [Section(_TITLES[name.partition("-")[0]], [], svg) for name, svg in drawings.comparisons.items()]
    if results.findings.audits:
        parts.append(Section("Audit", [], sentences=results.findings.audits))
    parts += _measures(results, drawings)
    further = other_sheet(results.study)
    sheets = [*cross_sheets(results.study, results.metrics), *([further] if further else [])]
    parts += [Section(sheet.title, [sheet]) for sheet in sheets]
    parts += [Section(sheet.title, [sheet], sentences=HELD) for sheet in overlaps]
    assumed = results.assumptions()
    parts += [Section("Assumed", [], sentences=assumed)] if assumed else []
    return [*parts, Section("Not shown", [], sentences=drawings.absent)]


def _verdicts(results: Results) -> list[Section]:
    """One section with the verdicts as tables, and as sentences that unfold; none without any."""
    findings = results.findings
    sheets = verdict_sheets(findings.verdicts)
    sheets += [matrix_sheet(*strategy) for strategy in findings.strategies]
    if not sheets and not findings.shares:
        return []
    sentences = [*findings.notes, *(shares.sentence for shares in findings.shares)]
    return [Section("Verdicts", sheets, sentences=sentences, words=[v.sentence for v in findings.verdicts])]


def _measures(results: Results, drawings: Drawings) -> list[Section]:
    """One section a measure: its figure, tables, checks and warnings."""
    parts = []
    for measure, fits in results.fits:
        sentences = [sentence(measure, fit) for fit in fits]
        warnings = [row for fit in fits for row in warning_rows(fit)]
        laws = law_sheet(fits)
        sheets = measure_sheets(measure, fits) + ([laws] if laws else [])
        checks = list(drawings.checks[measure.name].items())
        figure = drawings.curves[measure.name]
        parts.append(Section(heading(measure), sheets, figure, checks, sentences, warnings=warnings))
    return parts
