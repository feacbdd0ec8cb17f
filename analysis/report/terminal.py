"""An analysis as text: the answers with the overview for the terminal, and all tables for a file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from analysis.data.study import Measure
from analysis.fitting.series_fits import SeriesFit
from analysis.report.budget_tables import budget_tables
from analysis.report.page import Card
from analysis.report.results import Results, headline, scored
from analysis.report.shape_table import shape_table
from analysis.report.size_tables import size_tables
from analysis.report.stage_tables import stage_tables
from analysis.report.tables import elsewhere_tables, goal_table, measure_tables, overview
from analysis.report.verdict_tables import verdict_tables
from analysis.report.within_run_tables import within_run_tables
from analysis.text_table import TextTable, render

WIDTH = 80


def terminal_text(results: Results, answers: Sequence[Card]) -> str:
    """What is assumed, the answers of the page's cards, and the overview."""
    pieces = _assumptions(results)
    for card in answers:
        lines = [textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ") for line in card.answers]
        pieces.append("\n".join([card.question, *lines, ""]) + "\n")
    top = overview(results.fits)
    return "".join([*pieces, render(top)] if top else pieces)


def _assumptions(results: Results) -> list[str]:
    pieces = [f"note: {remark}\n" for remark in results.study.remarks]
    pieces += [f"assumed: {line}\n" for line in results.assumptions()]
    pieces += ["\n"] if pieces else []
    return pieces + ([] if results.fits else ["the table holds no measurement of a trained model\n"])


def all_tables(results: Results) -> str:
    """Tables of each measure, effects on other abilities, verdicts, and last the overview."""
    findings = results.findings
    pieces = _assumptions(results)
    for measure, fits in results.fits:
        pieces += [render(table) for table in measure_tables(measure, fits)]
        pieces += [f"  no curve: {reason}\n\n" for reason in _reasons(measure, fits)]
        pieces += [render(table)] if (table := shape_table(measure, fits)) else []
    scores = [metric for metric in results.metrics if metric.bounded]
    pieces += [render(table) for table in elsewhere_tables(results.study, scores)]
    pieces += [render(table) for table in stage_tables(results.study, scores)]
    pieces += [render(table) for table in within_run_tables(*results.on_the_way)]
    pieces += [render(table) for table in verdict_tables(headline(findings.verdicts))]
    pieces += [f"{note}\n" for note in (*findings.notes, *(s.sentence for s in findings.shares))]
    pieces += [f"audit: {line}\n" for line in findings.audits]
    pieces += ["\n"] if findings.notes or findings.shares or findings.audits else []
    pieces += [render(table) for table in budget_tables(scored(results.fits))]
    pieces += [render(table) for table in _sizes(results)]
    goals = goal_table(scored(results.fits))
    pieces += [render(goals)] if goals else []
    top = overview(results.fits)
    return "".join([*pieces, render(top)] if top else pieces)


def _sizes(results: Results) -> list[TextTable]:
    return size_tables([results.sizes[measure.name] for measure, _ in scored(results.fits)])


def _reasons(measure: Measure, fits: Sequence[SeriesFit]) -> list[str]:
    """Why series have no curve, each reason once."""
    by_reason: dict[str, list[str]] = {}
    for fit in fits:
        if fit.reason and measure.axis and (len(fit.levels) > 1 or len(fits) == 1):
            by_reason.setdefault(fit.reason, []).append(fit.series.label)
    return [f"{', '.join(filter(None, labels))}: {why}" if any(labels) else why for why, labels in by_reason.items()]
