"""items.html: the answers behind the numbers, beside report.html; a page of its own, as it may be large."""

from __future__ import annotations

from html import escape

from analysis.format import counted
from analysis.report.answers import Answers
from analysis.report.html import asset, data
from analysis.report.page import POLICY

NAME = "items.html"
CHOICES = (
    ("task", "task", ()),
    ("cell", "cell", ()),
    ("verdict", "verdict", ("right", "wrong", "cut off", "unreadable", "rated")),
    ("mark", "change", ("fixed by more data", "broken by mixing")),
)


def items_page(title: str, answers: Answers) -> str:
    """The whole page, which needs no other file and no network, but scripts."""
    left_out = f" {counted(answers.left_out, 'answer')} more are left out." if answers.left_out else ""
    lead = f"{counted(len(answers.rows), 'answer')} of {counted(len(answers.cells), 'cell')}.{left_out}"
    fields = "".join(
        f'<label>{words} <select id="by-{name}"><option value="">all</option>'
        + "".join(f"<option>{option}</option>" for option in options)
        + "</select></label>\n"
        for name, words, options in CHOICES
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}: answers</title>\n<style>{asset('page.css')}{asset('items.css')}</style>\n"
        "</head>\n<body>\n"
        f'<main class="items"><h1>{escape(title)}: answers</h1>\n<p class="lead">{escape(lead)} '
        '<a href="report.html">Back to the report.</a></p>\n'
        f'<form class="choices" id="choices">{fields}<label>text <input type="search" id="by-text"></label></form>\n'
        '<p class="notes" id="count" role="status"></p>\n<noscript><p>This page needs scripts.</p></noscript>\n'
        '<div class="both"><div id="list" tabindex="0" role="listbox" aria-label="Answers"><div id="all"></div></div>\n'
        '<article id="one" aria-live="polite"></article></div>\n</main>\n'
        f"{data('answers', answers.record())}<script>{asset('items.js')}</script>\n</body>\n</html>\n"
    )
