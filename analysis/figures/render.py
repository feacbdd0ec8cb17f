"""From a figure to SVG, PNG and PDF, and to the Vega specification that a page runs; no browser, no network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from analysis.figures.figure import Figure
from analysis.figures.look import FONT

VEGA_LITE = "6.4"
"""The version of Vega-Lite that compiles the specifications."""
SCALE = 2.0
"""Pixels of a PNG to one of the figure."""
SILENT = re.compile(
    r'<path class="(?:fore|back)ground" aria-hidden="true" d="(?:M0,0h0v0h0Z)?"[^>]*/>'
    r'| (?:opacity="1"|pointer-events="none"|aria-hidden="true"|role="[^"]*"|aria-roledescription="[^"]*"'
    r'|class="mark-[^"]*"|stroke-miterlimit="10"|version="1.1"|class="marks")'
)
"""What changes nothing in a picture that nobody points at."""
LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")


@dataclass(frozen=True)
class Picture:
    """A figure with its picture: ``svg`` on no background, and ``vega``, the specification that a page runs."""

    figure: Figure
    vega: dict[str, Any]
    svg: str

    @property
    def width(self) -> float:
        """In pixels."""
        found = re.search(r'<svg[^>]* width="([0-9.]+)"', self.svg)
        assert found is not None
        return float(found[1])


@cache
def _converter() -> ModuleType:
    """vl-convert; imported late, as it starts JavaScript's engine."""
    import vl_convert

    return vl_convert


def picture(figure: Figure) -> Picture:
    """Draw a figure. The same input gives the same bytes."""
    vega: dict[str, Any] = _converter().vegalite_to_vega(figure.spec(), vl_version=VEGA_LITE)
    return Picture(figure, vega, svg(vega))


def svg(vega: dict[str, Any]) -> str:
    """A Vega specification as a small SVG text: two decimals, the font said once."""
    text: str = _converter().vega_to_svg(vega, allowed_base_urls=[])
    text = SILENT.sub("", text).replace(f' font-family="{FONT}"', "")
    text = LONG.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), text)
    return text.replace("<svg", f'<svg font-family="{FONT}"', 1)


def on_white(picture: str) -> str:
    """An SVG text on a white background, for files."""
    return re.sub(r"(<svg[^>]*>)", r'\1<rect width="100%" height="100%" fill="white"/>', picture, count=1)


def write(folder: Path, drawn: Picture) -> None:
    """Write ``NAME.svg`` and ``NAME.png``, both on white."""
    text = on_white(drawn.svg)
    (folder / f"{drawn.figure.name}.svg").write_text(text, encoding="utf-8")
    (folder / f"{drawn.figure.name}.png").write_bytes(_converter().svg_to_png(text, scale=SCALE))


def pdf(drawn: Picture) -> bytes:
    """The figure as a PDF."""
    document: bytes = _converter().svg_to_pdf(on_white(drawn.svg))
    return document
