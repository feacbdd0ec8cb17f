"""report.html: one self-contained page, readable without scripts: answers, questions, curves, details, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from analysis.figures.render import Picture
from analysis.report.html import anchor, asset, bullets, data, figure, folded, table
from analysis.text_table import TextTable

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; connect-src 'self'"
"""The page may ask nothing of any host but the one that serves it (``analysis serve``); opened from a file, of none.
Vega compiles its expressions, hence unsafe-eval.
"""
SCRIPTS = ("vega.min.js", "tables.js", "figures.js", "panel.js", "page.js")

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

    ``pictures`` stand above the tables, ``further`` below them. ``folded`` are sentences that are shown on a click.
    ``warnings`` say where, code, meaning and remedy. ``body`` is HTML of its own. ``tags`` say what the section is
    about, such as its ability, so that readers may show some and hide others.
    """

    title: str
    tables: Sequence[TextTable] = ()
    pictures: Sequence[Picture] = ()
    further: Sequence[Picture] = ()
    sentences: Sequence[str] = ()
    folded: Sequence[str] = ()
    warnings: Sequence[tuple[str, str, str, str]] = ()
    body: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A part of the page: a heading and its sections."""

    title: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class Card:
    """A question with its answer: sentences, the id of the section that tells more, and a small figure."""

    question: str
    answers: Sequence[str]
    more: str = ""
    picture: Picture | None = None
    code: str = ""


def page(title: str, lead: str, cards: Sequence[Card], parts: Sequence[Part], facts: Mapping[str, object]) -> str:
    """The whole page, which needs no other file and no network. ``facts`` are data for its scripts, by name."""
    method = Part("How to read this", [Section("Method", sentences=METHOD)])
    shown = [part for part in (*parts, method) if part.sections]
    body = "".join(map(_part, shown))
    scripts = "".join(f"<script>{asset(name)}</script>\n" for name in SCRIPTS)
    licence = f"<!-- Vega, in the first script below:\n{asset('vega.LICENSE.txt')}-->\n"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{asset('page.css')}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#main">Skip to the answers</a>\n<div class="columns">\n{_contents(shown)}'
        f'<main id="main">\n<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>\n'
        f'<h2 id="answers">Answers</h2>\n<div class="cards">{"".join(map(_card, cards))}</div>\n{body}'
        f"</main>\n</div>\n{''.join(data(name, value) for name, value in facts.items())}{licence}{scripts}"
        "</body>\n</html>\n"
    )


def _contents(parts: Sequence[Part]) -> str:
    """Links to every part and section."""
    lines = '<li><a href="#answers">Answers</a></li>'
    for part in parts:
        inner = "".join(
            f'<li><a href="#{anchor(section.title)}">{escape(section.title)}</a></li>' for section in part.sections
        )
        lines += f'<li><a href="#part-{anchor(part.title)}">{escape(part.title)}</a><ol>{inner}</ol></li>'
    return (
        '<nav class="contents" aria-label="Contents"><details open><summary>Contents</summary>'
        f"<ol>{lines}</ol></details></nav>\n"
    )


def _part(part: Part) -> str:
    name = f"part-{anchor(part.title)}"
    return f'<h2 id="{name}">{escape(part.title)}{_link(name)}</h2>\n{"".join(map(_section, part.sections))}'


def _link(name: str) -> str:
    return f'<a class="anchor" href="#{name}" aria-label="Link to this place">#</a>'


def _section(section: Section) -> str:
    name = anchor(section.title)
    figures, further = ("".join(map(figure, group)) for group in (section.pictures, section.further))
    tables = "".join(table(t, caption=t.title.lower() != section.title.lower()) for t in section.tables)
    warned = TextTable("warnings", ("warning of", "code", "what it means", "what helps"), tuple(section.warnings))
    notes = f'<div class="warnings">{table(warned)}</div>\n' if section.warnings else ""
    tags = "".join(f' data-{key}="{escape(value, quote=True)}"' for key, value in section.tags.items())
    return (
        f'<section class="part" id="{name}"{tags}><h3>{escape(section.title)}{_link(name)}</h3>\n'
        + (f'<div class="figures">{figures}</div>\n' if figures else "")
        + bullets(section.sentences)
        + section.body
        + folded("In words", bullets(section.folded))
        + tables
        + (folded("Checks of the curves", f'<div class="figures">{further}</div>') if further else "")
        + notes
        + "</section>\n"
    )


def _card(card: Card) -> str:
    picture = figure(card.picture) if card.picture else ""
    more = f'<p class="more"><a href="#{card.more}">More on this</a></p>' if card.more else ""
    code = f"<pre><code>{escape(card.code)}</code></pre>" if card.code else ""
    return (
        f'<article class="card" id="card-{anchor(card.question)}"><h3>{escape(card.question)}</h3>\n'
        f"{bullets(card.answers)}{code}{picture}{more}</article>\n"
    )
