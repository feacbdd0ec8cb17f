"""report.html of an analysis: cards, parts, provenance, and the data of its scripts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from analysis.data.study import Study
from analysis.data.sweep_folder import SweepFolder
from analysis.format import counted
from analysis.report import items_page
from analysis.report.answers import Answers
from analysis.report.behind import behind
from analysis.report.drawings import Drawings
from analysis.report.page import Card, Part, Section, page
from analysis.report.panel import panel
from analysis.report.provenance import lines
from analysis.report.results import Results
from analysis.report.sections import parts
from analysis.report.training import training
from analysis.text_table import TextTable

PANEL = (
    "The predictions are those of python -m analysis advise: a Gaussian process over own data, other data and "
    "strategy; the intervals are those of its curve, without the scatter of single runs. They widen with the distance "
    "from the nearest cell measured, and are unknown where the cells do not tell by how much; far means that "
    "an ability's amount is 4x or more away from every cell of that strategy. The panel needs scripts."
)

MOST_COMMANDS = 12
"""Commands that the page lists."""


def report_page(
    title: str,
    results: Results,
    top: Sequence[Card],
    drawings: Drawings,
    overlaps: Sequence[TextTable],
    record: Mapping[str, Any],
    answers: Answers | None,
    folders: Sequence[SweepFolder] = (),
) -> str:
    """The page as HTML; ``record`` is that of `provenance`, ``answers`` are those of the page beside it, ``folders``
    the sweeps.
    """
    sliders = panel(results.study)
    questions, *rest = parts(results, drawings, overlaps)
    runs = training(folders)
    trained = [Part("Training", [runs])] if runs else []
    shown = [Part(questions.title, [*questions.sections, _trial(sliders)]), *rest, *trained, _origin(record)]
    if answers is not None:
        shown.insert(1, Part("Answers of the models", [_answers(answers)]))
    facts: dict[str, object] = {} if "why" in sliders else {"panel-data": sliders}
    rows = (row for drawn in drawings.curves.values() for row in drawn.figure.rows)
    named = {name for row in rows for name in str(row.get("cells") or "").split("; ")}
    known = behind(results.study, folders, answers, named)
    if known["facts"]:
        facts["cells"] = known
    return page(title, _lead(results.study), top, shown, facts)


def _trial(sliders: Mapping[str, object]) -> Section:
    """The panel with sliders; why there is none."""
    if "why" in sliders:
        return Section("Try a mixture", sentences=[f"No panel: {sliders['why']}"])
    return Section("Try a mixture", sentences=[PANEL, str(sliders["note"])], body='<div id="sliders"></div>')


def _answers(answers: Answers) -> Section:
    """Where the answers are to be read."""
    count = counted(len(answers.rows), "answer")
    link = (
        f'<a id="items-link" href="{items_page.NAME}">{escape(count)}, right and wrong, with prompts and verdicts</a>'
    )
    body = f"<p>{link}</p>\n"
    return Section("Right and wrong answers", body=body)


def _origin(record: Mapping[str, Any]) -> Part:
    """Provenance, and how to come to the same results."""
    runs = record["sweep"]
    further = [f"# and {len(runs) - MOST_COMMANDS} more, in provenance.json"] if len(runs) > MOST_COMMANDS else []
    commands = [*runs[:MOST_COMMANDS], *further, record["analysis"]]
    body = f"<pre><code>{escape(chr(10).join(commands))}</code></pre>\n"
    told = [] if runs else ["The table does not say how its cells were run."]
    told += ["Cite the version and the commands; the keys in provenance.json name every result."]
    sections = [
        Section("How to cite or reproduce", sentences=told, body=body),
        Section("Versions, machines, data", sentences=lines(record)),
    ]
    return Part("Provenance", sections)


def analysis_command(names: Sequence[str], table: str, further: Sequence[str]) -> str:
    """The command that makes the analysis again; ``further`` are options that are not the default."""
    source = f"sweep={','.join(names)}" if names else f"table={table}"
    return shlex.join(["python", "-m", "analysis", source, *further])


def _lead(study: Study) -> str:
    """The first sentence of the report: how many measurements of what."""
    cells = f" from {counted(study.table['cell'].nunique(), 'cell')}" if "cell" in study.table else ""
    return f"{counted(len(study.table), 'measurement')}{cells} of {', '.join(study.abilities)}."
