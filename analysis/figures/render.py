"""From a figure to SVG, PNG and PDF, and to the Vega specification that a page runs; no browser, no network."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from analysis.figures.figure import Figure

VEGA_LITE = "6.4"
"""The version of Vega-Lite that compiles the specifications."""
SCALE = 2.0
"""Pixels of a PNG to one of the figure."""


@cache
def _converter() -> ModuleType:
    """vl-convert; imported late, as it starts JavaScript's engine."""
    import vl_convert

    return vl_convert


def compiled(figure: Figure) -> dict[str, Any]:
    """The figure as a Vega specification with its rows inside."""
    vega: dict[str, Any] = _converter().vegalite_to_vega(figure.spec(), vl_version=VEGA_LITE)
    return vega


def svg(vega: dict[str, Any]) -> str:
    """A compiled figure as an SVG text on no background. The same input gives the same bytes."""
    text: str = _converter().vega_to_svg(vega, allowed_base_urls=[])
    return text


def write(folder: Path, name: str, picture: str) -> None:
    """Write ``NAME.svg`` and ``NAME.png``, both on white."""
    white = re.sub(r"(<svg[^>]*>)", r'\1<rect width="100%" height="100%" fill="white"/>', picture, count=1)
    (folder / f"{name}.svg").write_text(white, encoding="utf-8")
    (folder / f"{name}.png").write_bytes(_converter().svg_to_png(white, scale=SCALE))


def pdf(picture: str) -> bytes:
    """An SVG text as a PDF."""
    document: bytes = _converter().svg_to_pdf(picture)
    return document
