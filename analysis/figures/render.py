"""From a figure to SVG, PNG and PDF, and to the Vega specification that a page runs; no browser, no network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from analysis.figures.figure import Figure, Spec
from analysis.figures.look import FONT
from analysis.figures.narrow import difference, narrow

FORMATS = ("png", "pdf")
"""Formats of files of figures beside SVG; a PNG takes longer than all else that is done to draw its figure."""
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
DRAWN = re.compile(r'class="mark-(?:symbol|line|area|rect|rule|text) role-mark[^"]*"[^>]*>\s*<(?!/g>)')
"""A mark of the data, not of an axis or a legend, in a picture before `SILENT` is taken out."""
CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
CJK_FONT = re.compile(
    r"cjk|sourcehan|wqy|unifont|droidsansfallback|notosans(sc|tc|jp|kr)|ipa[gm]|vl-gothic|nanum|uming|ukai", re.I
)
FONTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts",
         Path.home() / ".local/share/fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts"),
         Path("C:/Windows/Fonts"))  # fmt: skip
"""Where machines keep their fonts."""
TAG = re.compile(r"<[^>]*>")
LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
"""Places in a tag, of which a tenth of a pixel is left; opacities have two decimals."""


@dataclass(frozen=True)
class Picture:
    """A figure with its picture: ``svg`` on no background, and ``vega``, the specification that a page runs.

    ``narrow`` is what changes in ``vega`` where there is little room, as `difference` gives it.
    """

    figure: Figure
    vega: dict[str, Any]
    svg: str
    narrow: list[list[Any]]

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
    vega, small = compiled(figure.spec()), compiled(narrow(figure))
    return Picture(figure, vega, svg(vega), difference(vega, small))


def compiled(spec: Spec) -> dict[str, Any]:
    """The Vega specification of one in Vega-Lite."""
    vega: dict[str, Any] = _converter().vegalite_to_vega(spec, vl_version=VEGA_LITE)
    return vega


def svg(vega: dict[str, Any]) -> str:
    """A Vega specification as a small SVG text: one decimal, the font said once."""
    text: str = _converter().vega_to_svg(vega, allowed_base_urls=[])
    if _has_rows(vega) and not DRAWN.search(text):  # Vega logs an error in a specification and draws nothing
        raise RuntimeError(
            f"figure {vega.get('description', '')!r}: Vega drew none of its rows; its specification is wrong"
        )
    text = SILENT.sub("", text).replace(f' font-family="{FONT}"', "")
    text = TAG.sub(lambda tag: LONG.sub(_tenths, tag[0]), text)  # outside of tags stand the numbers that readers see
    return text.replace("<svg", f'<svg font-family="{FONT}"', 1)


def _tenths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".rstrip("0").rstrip(".")


def _has_rows(vega: dict[str, Any]) -> bool:
    return any(isinstance(table.get("values"), list) and table["values"] for table in vega.get("data", ()))


def without_font(texts: Iterable[str]) -> str:
    """A sentence for figures with Chinese, Japanese or Korean text on a machine without a font for it; else empty.

    SVG files are drawn with the fonts of whoever looks at them; PNG and PDF files need the font here.
    """
    if not any(CJK.search(text) for text in texts) or any(place.is_dir() and _finds_font(place) for place in FONTS):
        return ""
    return (
        "figures/*.png and *.pdf have boxes for Chinese, Japanese and Korean characters, as this machine has no font "
        "for them (on Debian: apt-get install fonts-noto-cjk); the report and the SVG files show them"
    )


@cache
def _finds_font(place: Path) -> bool:
    return any(
        CJK_FONT.search(path.name) for path in place.rglob("*") if path.suffix.lower() in (".ttf", ".otf", ".ttc")
    )


def on_white(picture: str) -> str:
    """An SVG text on a white background, for files."""
    return re.sub(r"(<svg[^>]*>)", r'\1<rect width="100%" height="100%" fill="white"/>', picture, count=1)


def write(folder: Path, drawn: Picture, formats: Sequence[str] = ()) -> list[str]:
    """Write ``NAME.svg``, on white, and the figure in some of `FORMATS`; the names of the files."""
    text, name = on_white(drawn.svg), drawn.figure.name
    (folder / f"{name}.svg").write_text(text, encoding="utf-8")
    for form in FORMATS:  # one of an earlier analysis would show other values than the SVG
        (folder / f"{name}.{form}").unlink(missing_ok=True)
    for form in formats:
        convert = {"png": partial(_converter().svg_to_png, scale=SCALE), "pdf": _converter().svg_to_pdf}[form]
        (folder / f"{name}.{form}").write_bytes(convert(text))
    return [f"{name}.{form}" for form in ("svg", *formats)]
