"""The sections of report.html."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.report.drawings import Drawings
from analysis.report.page import Section
from analysis.report.results import Results
from analysis.report.size_tables import size_tables
from analysis.report.stage_tables import stage_tables
from analysis.report.tables import elsewhere_tables, further_table, goal_table, law_table, measure_tables, overview
from analysis.report.text import sentence, warning_rows
from analysis.report.verdict_tables import matrix_table, verdict_tables
from analysis.text_table import TextTable

_TITLES = {
    "forgetting": "Forgetting and transfer, against training on the ability alone",
    "pareto": "Strategies by pairs of abilities (filled: probably undominated; better values are further up and right)",
    "surface": "Own amount and share of all data (shades: measured means, interpolated between the dots)",
    "triangle": "Mixtures of three abilities",
}
HELD = (
    "An item counts as held when its whole prompt, or 70 % of the 8-word runs of its prompt or answer, occur in the "
    "source; accuracy_clean, among the further metrics, leaves those items out.",
)

GOALS = (
    "A goal is the next round score, or a loss lower by a tenth. Its interval holds all amounts at which the goal lies "
    "within the curve's band; without a curve it lies between measured amounts. The last column says how many items "
    "would tell the amount within a factor of two. For another goal: python -m analysis next … quantity=math=90%.",
)

SIZES = (
    "A size is predicted by a straight line over the logarithm of sizes at each amount and by laws of size and amount, "
    "each weighted by its errors on measured sizes that were predicted from smaller ones. The interval follows from "
    "the same errors, drawn towards the usual one: 7 % of a loss, as on public ladders of fine-tuned models, or 0.3 "
    "logits, which is assumed. It is for one more model of the same family.",
)


def sections(results: Results, drawings: Drawings, overlaps: Sequence[TextTable]) -> list[Section]:
    """The overview first, then verdicts, comparisons, curves, and what else the table holds."""
    top = overview(results.fits)
    parts = [Section(top.title, [top])] if top else []
    parts += _verdicts(results)
    parts += [Section(goals.title, [goals], sentences=GOALS)] if (goals := goal_table(results.fits)) else []
    if sizes := size_tables([measure for measure, _ in results.fits]):
        parts.append(Section("Across sizes", sizes, sentences=SIZES))
    parts += [Section(_TITLES[name.partition("-")[0]], [], svg) for name, svg in drawings.comparisons.items()]
    if results.findings.audits:
        parts.append(Section("Audit", [], sentences=results.findings.audits))
    parts += _measures(results, drawings)
    further = further_table(results.study)
    tables = stage_tables(results.study, results.metrics)
    tables += [*elsewhere_tables(results.study, results.metrics), *([further] if further else [])]
    parts += [Section(table.title, [table]) for table in tables]
    parts += [Section(table.title, [table], sentences=HELD) for table in overlaps]
    assumed = results.assumptions()
    parts += [Section("Assumed", [], sentences=assumed)] if assumed else []
    parts += [Section("Columns of the table", [], sentences=columns)] if (columns := results.columns()) else []
    return [*parts, Section("Not shown", [], sentences=drawings.missing)]


def _verdicts(results: Results) -> list[Section]:
    """One section with the verdicts as tables, and as sentences that unfold; none without any."""
    findings = results.findings
    tables = verdict_tables(findings.verdicts)
    tables += [matrix_table(*strategy) for strategy in findings.strategies]
    if not tables and not findings.shares:
        return []
    sentences = [*findings.notes, *(shares.sentence for shares in findings.shares)]
    return [Section("Verdicts", tables, sentences=sentences, folded=[v.sentence for v in findings.verdicts])]


def _measures(results: Results, drawings: Drawings) -> list[Section]:
    """One section per measure: its figure, tables, checks and warnings."""
    parts = []
    for measure, fits in results.fits:
        sentences = [sentence(measure, fit) for fit in fits]
        warnings = [row for fit in fits for row in warning_rows(fit)]
        laws = law_table(fits)
        tables = measure_tables(measure, fits) + ([laws] if laws else [])
        checks = list(drawings.checks[measure.name].items())
        figure = drawings.curves[measure.name]
        parts.append(Section(measure.heading, tables, figure, checks, sentences, warnings=warnings))
    return parts
