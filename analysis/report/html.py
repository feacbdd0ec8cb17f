"""Elements of the page: tables, lists, figures."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from analysis.figures.render import Picture
from analysis.text_table import TextTable

ASSETS = Path(__file__).parent / "assets"


def asset(name: str) -> str:
    """The text of a file of `ASSETS`."""
    return (ASSETS / name).read_text(encoding="utf-8")


def anchor(text: str) -> str:
    """A text as the id of an element, for links."""
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "part"


def data(name: str, value: object) -> str:
    """A value for scripts, as JSON that no text in it can end."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{escape(name)}">{text}</script>\n'


def bullets(lines: Sequence[str], kind: str = "") -> str:
    """A list of the lines that are not empty."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines if line)
    start = f'<ul class="{kind}">' if kind else "<ul>"
    return f"{start}{items}</ul>\n" if items else ""


def folded(summary: str, body: str) -> str:
    """What is shown on a click."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>\n" if body else ""


def table(shown: TextTable, caption: bool = True) -> str:
    """A table with its title above it; the title is only spoken where a heading says the same."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in shown.header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in shown.rows)
    name = f'<p class="caption">{escape(shown.title)}</p>\n' if caption else ""
    label = escape(shown.title, quote=True)
    return (
        f'{name}<div class="scroll" tabindex="0" role="group" aria-label="{label}"><table aria-label="{label}">\n'
        f"<thead><tr>{top}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


def figure(picture: Picture) -> str:
    """A figure as a picture that scripts replace by a live one; described once, its marks silent."""
    name, width = picture.figure.name, f"{1.15 * picture.width:.0f}px"
    label = escape(picture.figure.description, quote=True)
    plot = f'<div class="plot" role="img" aria-label="{label}">{inline(picture.svg, name)}</div>'
    spec = data(
        f"vega-{name}", {"wide": _without_silent(picture.vega), "narrow": picture.narrow, "width": picture.width}
    )
    return f'<figure id="{escape(name)}" style="max-width: {width}">{plot}\n{spec}</figure>\n'


SCRIPTS_READ = {"series", "model", "cells", "runs"}
"""Columns of a figure's rows that the page's scripts read, besides those that its specification does."""


def _without_silent(vega: dict[str, Any]) -> dict[str, Any]:
    """A Vega specification whose rows have no missing numbers, and no columns that nothing on the page reads."""
    bare = json.dumps([{key: value for key, value in one.items() if key != "values"} for one in vega["data"]])
    bare += json.dumps({key: value for key, value in vega.items() if key != "data"})

    def kept(row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {k: v for k, v in row.items() if v is not None and (k in SCRIPTS_READ or k in bare)}

    tables = [{**one, "values": list(map(kept, one["values"]))} if "values" in one else one for one in vega["data"]]
    return {**vega, "data": tables}


def inline(svg: str, prefix: str) -> str:
    """An SVG document as an element of a page: without namespaces, and with ids that no other figure has."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r' xmlns(:xlink)?="[^"]*"', "", element).replace("xlink:href=", "href=")
    element = re.sub(r'\bid="', f'id="{prefix}-', element)
    element = re.sub(r'href="#', f'href="#{prefix}-', element)
    return re.sub(r"url\(#", f"url(#{prefix}-", element).strip()
