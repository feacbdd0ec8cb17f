"""report.html: one self-contained page with figures, tables, sentences and warnings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from analysis.text_table import TextTable

STYLE = """
:root { --ink: #1c1e21; --soft: #5c6370; --line: #dfe3e8; --page: #fbfbfc; --card: #ffffff; --mark: #0072B2; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; }
.lead { color: var(--soft); margin: 0 0 2rem; max-width: 46rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1.25rem 1.4rem;
  margin: 0 0 1.4rem; }
.both { display: flex; flex-wrap: wrap; gap: .5rem 2.5rem; align-items: center; }
.both > div { min-width: 0; }
figure { margin: 0; flex: 1 1 30rem; }
.row { display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin: .6rem 0 0; }
.row figure { flex: 1 1 18rem; }
figure svg { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .9rem .32rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; border-bottom-color: #b9c0c9; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; color: var(--soft); font-size: .88rem; padding: .5rem 0 .2rem; }
summary { color: var(--mark); cursor: pointer; margin: .8rem 0 0; }
ul { padding-left: 1.1rem; margin: .8rem 0 0; }
.warnings td { white-space: normal; text-align: left; vertical-align: top; }
.warnings th { text-align: left; }
.notes { color: var(--soft); font-size: .88rem; }
code { font-size: .86em; }
"""

METHOD = (
    "Points show the mean of the runs at an amount. Their bars are 95 % intervals: Wilson's for shares of items, "
    "standard errors for other values, or the spread over three or more seeds where it is wider.",
    "A curve is the weighted average of several laws. Each law is weighted by the inverse of its squared "
    "rolling-origin error: fitted on smaller amounts, tested on larger ones. With too few amounts for that, AICc "
    "weights take its place. The band is the 95 % interval of the curve itself: t-based, with the dispersion estimated "
    "from the residuals, never narrower than the number of items allows, and including the disagreement between the "
    "laws. The dispersion of shares is drawn towards what items and the usual spread between training runs give, one "
    "point at a share of one half. Single runs scatter around the curve.",
    "Verdicts: an effect counts as equal when its 90 % interval lies within the margin (two one-sided tests). It "
    "counts as better or worse when its 95 % interval excludes 0 and its p value, adjusted by Holm over all verdicts "
    "of the report, is below 5 %. Power is the chance that a true effect as large as the margin is found. All runs "
    "answer the same items. How far runs of one design scatter is measured where seeds repeat; for shares and ratings "
    "it is drawn towards the usual spread, which takes its place where no seed repeats.",
    "Fewer than three distinct amounts give no curve, and neither do shares that no law follows (chi-squared test of "
    "the best law's deviance, level 1 %); a thin line joins their points. Models trained without an ability's data are "
    "not part of its curve.",
)


@dataclass(frozen=True)
class Section:
    """One section of the page: a title, tables, figures, sentences and warnings.

    ``figure`` is an SVG text, ``further_figures`` are captions with SVG texts. ``folded`` are sentences that are shown
    on a click. ``warnings`` say where, code, meaning and remedy.
    """

    title: str
    tables: Sequence[TextTable]
    figure: str = ""
    further_figures: Sequence[tuple[str, str]] = ()
    sentences: Sequence[str] = ()
    folded: Sequence[str] = ()
    warnings: Sequence[tuple[str, str, str, str]] = ()


def page(title: str, lead: str, parts: Sequence[Section]) -> str:
    """The whole page, which needs no other file and no network."""
    body = "\n".join(_section(part, f"f{i}") for i, part in enumerate(parts))
    method = "".join(f"<li>{escape(line)}</li>" for line in METHOD)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>\n{body}\n'
        f'<section><h2>How to read this</h2><ul class="notes">{method}</ul></section>\n</main>\n</body>\n</html>\n'
    )


def _section(part: Section, prefix: str) -> str:
    figure = _figure(part.title, part.figure, prefix) if part.figure else ""
    further = (_figure(caption, svg, f"{prefix}-{i}") for i, (caption, svg) in enumerate(part.further_figures))
    row = f'<div class="row">{"".join(further)}</div>\n' if part.further_figures else ""
    tables = "".join(_table(table, part.title) for table in part.tables)
    sentences = _list(part.sentences)
    if part.folded:
        sentences += f"<details><summary>In words</summary>{_list(part.folded)}</details>\n"
    warned = TextTable("warnings", ("warning of", "code", "what it means", "what helps"), tuple(part.warnings))
    notes = f'<div class="warnings">{_table(warned, part.title)}</div>\n' if part.warnings else ""
    top = f'<div class="both">{figure}<div>{tables}</div></div>\n'
    return f"<section>\n<h2>{escape(part.title)}</h2>\n{top}{row}{sentences}{notes}</section>"


def _list(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines if line)
    return f"<ul>{items}</ul>\n" if items else ""


def _figure(alt: str, svg: str, prefix: str) -> str:
    points = re.search(r'<svg[^>]* width="([0-9.]+)pt"', svg)
    width = f' style="max-width: {1.6 * float(points[1]):.0f}px"' if points else ""
    return f'<figure role="img" aria-label="{escape(alt)}"{width}>{inline(svg, prefix)}</figure>\n'


def _table(table: TextTable, title: str) -> str:
    """A table; its title is the caption where the section has another title."""
    caption = f"<caption>{escape(table.title)}</caption>\n" if table.title != title else ""
    top = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in table.rows)
    return (
        f'<div class="scroll"><table>\n{caption}<thead><tr>{top}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n'
    )


def inline(svg: str, prefix: str) -> str:
    """An SVG document as an element of a page: without prologue, and with ids that no other figure has."""
    if not svg:
        return ""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>\s*", "", element, flags=re.DOTALL)
    element = re.sub(r' xmlns(:xlink)?="[^"]*"', "", element).replace("xlink:href=", "href=")
    element = re.sub(r'\bid="', f'id="{prefix}-', element)
    element = re.sub(r'href="#', f'href="#{prefix}-', element)
    return re.sub(r"url\(#", f"url(#{prefix}-", element).strip()
