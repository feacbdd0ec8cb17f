"""From a table file to a folder of results: table.txt, curves.json, figures and report.html."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.data.items import read_items
from analysis.data.metric import Metric, metrics_of
from analysis.data.series import Block, blocks, cross_effects
from analysis.data.table import read
from analysis.fitting.series_fits import SeriesFit, fit_series
from analysis.report.check_figures import draw_checks
from analysis.report.figures import draw
from analysis.report.mixture_figures import draw_mixtures
from analysis.report.page import Section, page
from analysis.report.tables import block_sheets, cross_sheets, law_sheet, other_sheet, overlap_sheet, overview
from analysis.report.text import heading, sentence, warning_rows
from analysis.report.verdict_figures import draw_matrix, draw_pareto
from analysis.report.verdict_tables import matrix_sheet, record, verdict_sheets
from analysis.text_table import render
from analysis.verdicts.all_verdicts import Findings, findings
from analysis.verdicts.verdict import MARGIN, Verdict

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
Results = list[tuple[Block, list[SeriesFit]]]


def write(
    tables: Sequence[Path],
    out: Path,
    title: str,
    margin: float = MARGIN,
    items: Sequence[Path] = (),
    weights: Mapping[str, float] | None = None,
    overlaps: Sequence[Path] = (),
) -> list[str]:
    """Analyse ``tables`` into ``out``; the names of the files written. The same tables give the same bytes.

    ``margin`` is the difference that matters to verdicts, ``weights`` those of the abilities (see `findings`),
    ``items`` files of per-item results. ``overlaps`` tables of training sources and the test items they hold.

    Raises ValueError when the table is no long table, or holds no row to analyse.
    """
    frame = read(*tables)
    results = [(block, fit_series(block)) for block in blocks(frame) if block.series]
    effects, metrics = cross_effects(frame), metrics_of(frame)
    answers = findings(frame, margin, read_items(*items), weights)
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    drawn = {block.name: draw(block, found, figures) for block, found in results}
    checks = {block.name: draw_checks(block, found, figures) for block, found in results}
    compared, absent = draw_mixtures(frame, figures)
    compared = {**_draw_strategies(answers, figures), **compared}
    (out / "table.txt").write_text(_text(results, effects, metrics, answers), encoding="utf-8")
    (out / "curves.json").write_text(json.dumps([_record(*r) for r in results], indent=1) + "\n", encoding="utf-8")
    (out / "verdicts.json").write_text(json.dumps(record(answers), indent=1) + "\n", encoding="utf-8")
    parts = _parts(results, effects, metrics, drawn, checks, answers, compared)
    further = other_sheet(frame)
    parts += [Section(further.title, [further])] if further else []
    held = [sheet for place in overlaps if (sheet := overlap_sheet(pd.read_csv(place)))]
    parts += [Section(sheet.title, [sheet], sentences=HELD) for sheet in held]
    said = assumptions(metrics)
    parts += [Section("Assumed", [], sentences=said)] if said else []
    parts += [Section("Not shown", [], sentences=[*absent, *_unshown(results, checks)])]
    (out / "report.html").write_text(page(title, _lead(frame), parts), encoding="utf-8")
    shown = [*drawn, *(name for check in checks.values() for name in check), *compared]
    names = [f"figures/{name}.{suffix}" for name in shown for suffix in ("svg", "png")]
    return ["table.txt", "curves.json", "verdicts.json", "report.html", *names]


def _text(results: Results, effects: pd.DataFrame, metrics: Mapping[str, Metric], answers: Findings) -> str:
    """What the terminal shows: tables for each block, effects on other abilities, verdicts, and last the overview."""
    pieces = [f"assumed: {line}\n" for line in assumptions(metrics)]
    pieces += [] if results else ["the table holds no measurement of a trained model\n"]
    for block, found in results:
        pieces += [render(sheet) for sheet in block_sheets(block, found)]
        pieces += [f"  no curve: {reason}\n\n" for reason in _reasons(block, found)]
    pieces += [render(sheet) for sheet in cross_sheets(effects, metrics) if sheet.title.startswith("accuracy")]
    pieces += [render(sheet) for sheet in verdict_sheets(_headline(answers.verdicts))]
    pieces += [f"{note}\n" for note in (*answers.notes, *(s.sentence for s in answers.shares))]
    pieces += [f"audit: {line}\n" for line in answers.audits]
    pieces += ["\n"] if answers.notes or answers.shares or answers.audits else []
    top = overview(results)
    return "".join([*pieces, render(top)] if top else pieces)


def assumptions(metrics: Mapping[str, Metric]) -> list[str]:
    """What was assumed of metrics that neither the table nor their names say more about."""
    remedy = "columns kind, better, low and high say otherwise"
    return [f"metric {m.name!r}: taken for {m.assumed}; {remedy}" for m in metrics.values() if m.assumed]


def _headline(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on shares and ratings; on all metrics where there are none."""
    scores = [v for v in verdicts if v.metric.bounded]
    return scores or list(verdicts)


def _reasons(block: Block, found: list[SeriesFit]) -> list[str]:
    """Why series have no curve, each reason once."""
    by_reason: dict[str, list[str]] = {}
    for f in found:
        if f.reason and block.axis:
            by_reason.setdefault(f.reason, []).append(f.series.label)
    return [f"{', '.join(filter(None, labels))}: {why}" if any(labels) else why for why, labels in by_reason.items()]


def _draw_strategies(answers: Findings, folder: Path) -> dict[str, str]:
    """The figures of compared strategies: file name to SVG text."""
    drawn = {}
    for compared, chances in answers.strategies:
        if not np.isnan(compared.alone).all():
            drawn[f"forgetting-{compared.metric.name}"] = draw_matrix(compared, folder)
        if len(compared.abilities) > 1:
            drawn[f"pareto-{compared.metric.name}"] = draw_pareto(compared, chances, folder)
    return drawn


def _parts(
    results: Results,
    effects: pd.DataFrame,
    metrics: Mapping[str, Metric],
    drawn: dict[str, str],
    checks: dict[str, dict[str, str]],
    answers: Findings,
    compared: dict[str, str],
) -> list[Section]:
    """The sections of the report: the overview first, then the verdicts."""
    top = overview(results)
    parts = [Section(top.title, [top])] if top else []
    sheets = verdict_sheets(answers.verdicts)
    sheets += [matrix_sheet(*strategy) for strategy in answers.strategies]
    if sheets or answers.shares:
        said = [*answers.notes, *(s.sentence for s in answers.shares)]
        parts.append(Section("Verdicts", sheets, sentences=said, words=[v.sentence for v in answers.verdicts]))
    parts += [Section(_TITLES[name.partition("-")[0]], [], svg) for name, svg in compared.items()]
    if answers.audits:
        parts.append(Section("Audit", [], sentences=answers.audits))
    for block, found in results:
        said = [sentence(block, f) for f in found]
        warned = [row for f in found for row in warning_rows(f)]
        laws = law_sheet(found)
        shown = block_sheets(block, found) + ([laws] if laws else [])
        more = [(name, svg) for name, svg in checks[block.name].items()]
        parts.append(Section(heading(block), shown, drawn[block.name], more, said, warnings=warned))
    return parts + [Section(sheet.title, [sheet]) for sheet in cross_sheets(effects, metrics)]


def _unshown(results: Results, checks: dict[str, dict[str, str]]) -> list[str]:
    """Which checks of curves the amounts do not allow."""
    lines = []
    for block, found in results:
        if any(f.curve for f in found) and f"{block.name}-rollout" not in checks[block.name]:
            lines.append(f"No rollout of {block.title}: it takes two amounts more than its laws need.")
    return lines


def _lead(frame: pd.DataFrame) -> str:
    abilities = ", ".join(dict.fromkeys(frame["ability"]))
    cells = f" from {frame['cell'].nunique():,} cells" if "cell" in frame else ""
    return f"{len(frame):,} measurements{cells} of {abilities}."


def _record(block: Block, found: list[SeriesFit]) -> dict[str, object]:
    """A block for machines; numbers that are missing are absent."""
    series = []
    for f in found:
        levels = [{k: v for k, v in vars(level).items() if v == v} for level in f.levels]
        entry: dict[str, object] = {"label": f.series.label, "levels": levels}
        if f.curve is None:
            entry["no_curve"] = f.reason
        else:
            entry["warnings"] = list(f.curve.warnings)
            entry["laws"] = [
                {
                    "law": c.law.name,
                    "weight": float(w),
                    "params": dict(c.params),
                    "objective": c.objective,
                    "agreeing_starts": c.agreeing_starts,
                }
                for c, w in zip(f.curve.curves, f.curve.weights, strict=True)
            ]
        series.append(entry)
    return {
        "ability": block.ability,
        "task": block.task,
        "metric": block.metric.name,
        "kind": block.metric.kind,
        "better": block.metric.better,
        "fitted_as": block.metric.fitted_as or "value",
        "axis": block.axis,
        "base": block.base,
        "series": series,
    }
