"""From a table file to a folder of results: texts, JSON records, figures, report.html and items.html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.data.study import read_study
from analysis.data.sweep_folder import sweep_folders
from analysis.data.table_file import read_csv
from analysis.records import json_text
from analysis.report import items_page
from analysis.report.answers import answers
from analysis.report.cards import answers_record, cards
from analysis.report.drawings import draw_all
from analysis.report.provenance import provenance
from analysis.report.report import analysis_command, report_page
from analysis.report.results import analyse
from analysis.report.tables import overlap_table
from analysis.report.terminal import all_tables, terminal_text
from analysis.verdicts.verdict import MARGIN


def write(
    tables: Sequence[Path],
    out: Path,
    title: str,
    margin: float = MARGIN,
    items: Sequence[Path] = (),
    weights: Mapping[str, float] | None = None,
    overlaps: Sequence[Path] = (),
    x: str = "samples",
    formats: Sequence[str] = (),
) -> list[str]:
    """Analyse ``tables`` into ``out``; return the names of the files written. The same tables give the same bytes,
    except for PDFs.

    ``margin`` and ``weights`` are those of `findings`, ``items`` files of per-item results, ``overlaps`` tables of
    training sources and the test items that they contain, ``x`` is what curves are along, one of `AXES`;
    ``formats`` are those of figures beside SVG, of `FORMATS`. Raises ValueError where a file is not a long table.
    """
    results = analyse(read_study(tables, items, x), margin, weights)
    drawings = draw_all(results, out / "figures", formats)
    overlap = [table for path in overlaps if (table := overlap_table(read_csv(path)))]
    folders = sweep_folders(tables)
    further = [*([f"x={x}"] if x != "samples" else []), *([f"margin={margin:g}"] if margin != MARGIN else [])]
    command = analysis_command([f.name for f in folders], tables[0].name, further)
    record = provenance(results.study, folders, title, command)
    given = answers(results.study, folders)
    top = cards(results, drawings)
    texts = {
        "summary.txt": "".join(f"note: {line}\n" for line in drawings.missing if "fonts" in line)
        + terminal_text(results, top),
        "table.txt": all_tables(results),
        "curves.json": json_text({"measures": results.curves_record()}),
        "verdicts.json": json_text({"answers": answers_record(top), **results.verdicts_record()}),
        "provenance.json": json_text(record),
        "report.html": report_page(title, results, top, drawings, overlap, record, given, folders),
    }
    if given is not None:
        texts[items_page.NAME] = items_page.items_page(title, given)
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [*texts, *(f"figures/{name}" for name in drawings.files)]
