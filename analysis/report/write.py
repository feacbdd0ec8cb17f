"""From a table file to a folder of results: table.txt, curves.json, verdicts.json, figures and report.html."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.data.study import Study, read_study
from analysis.data.table_file import read_csv
from analysis.format import counted
from analysis.report.cards import cards
from analysis.report.drawings import Drawings, draw_all
from analysis.report.page import Part, Section, page
from analysis.report.panel import panel
from analysis.report.results import Results, analyse
from analysis.report.sections import parts
from analysis.report.tables import overlap_table
from analysis.report.terminal import terminal_text
from analysis.text_table import TextTable
from analysis.verdicts.verdict import MARGIN


def write(
    tables: Sequence[Path],
    out: Path,
    title: str,
    margin: float = MARGIN,
    items: Sequence[Path] = (),
    weights: Mapping[str, float] | None = None,
    overlaps: Sequence[Path] = (),
) -> list[str]:
    """Analyse ``tables`` into ``out``; return the names of the files written. The same tables give the same bytes.

    ``margin`` and ``weights`` are those of `findings`, ``items`` files of per-item results, ``overlaps`` tables of
    training sources and the test items that they contain. Raises ValueError where a file is not a long table.
    """
    results = analyse(read_study(tables, items), margin, weights)
    drawings = draw_all(results, out / "figures")
    overlap = [table for path in overlaps if (table := overlap_table(read_csv(path)))]
    texts = {
        "table.txt": terminal_text(results),
        "curves.json": json.dumps(results.curves_record(), indent=1) + "\n",
        "verdicts.json": json.dumps(results.verdicts_record(), indent=1) + "\n",
        "report.html": _page(title, results, drawings, overlap),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [*texts, *(f"figures/{name}.{suffix}" for name in drawings.names for suffix in ("svg", "png"))]


def _page(title: str, results: Results, drawings: Drawings, overlap: Sequence[TextTable]) -> str:
    """The report as HTML."""
    sliders = panel(results.study)
    trial = Section("Try a mixture", sentences=_panel_words(sliders), body='<div id="sliders"></div>')
    questions, *rest = parts(results, drawings, overlap)
    shown = [Part(questions.title, [*questions.sections, trial]), *rest]
    facts = {} if "why" in sliders else {"panel-data": sliders}
    return page(title, _lead(results.study), cards(results, drawings), shown, facts)


def _panel_words(sliders: Mapping[str, object]) -> list[str]:
    """What the panel shows and assumes; why there is none."""
    if "why" in sliders:
        return [f"No panel: {sliders['why']}"]
    told = (
        "The predictions are those of python -m analysis advise: a Gaussian process over own data, other data and "
        "strategy; the intervals are those of its curve, without the scatter of single runs. It needs scripts."
    )
    return [told, str(sliders["note"])]


def _lead(study: Study) -> str:
    """The first sentence of the report: how many measurements of what."""
    cells = f" from {counted(study.table['cell'].nunique(), 'cell')}" if "cell" in study.table else ""
    return f"{counted(len(study.table), 'measurement')}{cells} of {', '.join(study.abilities)}."
