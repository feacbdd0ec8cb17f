"""The pages that are served: the report with a line on the state of its sweep, and one to wait with before it."""

from __future__ import annotations

from html import escape

from analysis.figures.narrow import patched
from analysis.figures.render import svg
from analysis.report.html import asset, bullets, inline, table
from analysis.report.page import Section

STRIP = """
<style>#live { position: sticky; bottom: 0; margin: 0; padding: .45rem 1.25rem; font: 14px/1.4 system-ui, sans-serif;
  color: #1c1e21; background: #eef1f4; border-top: 1px solid #cdd3da; z-index: 9; }
  @media (prefers-color-scheme: dark) { #live { color: #e6e8eb; background: #23272e; border-color: #363b43; } }
  @media print { #live { display: none; } }</style>
<p id="live"><span role="status">%s</span>%s</p>
<script>
(function () {
  const strip = document.querySelector("#live span"), name = "%s", version = "%s";
  async function look() {
    try {
      const state = await (await fetch("/state", {cache: "no-store"})).json();
      if (state[name] !== version) { location.reload(); return; }
      if (strip.textContent !== state.line) strip.textContent = state.line;
    } catch (problem) { strip.textContent = "The server has stopped. What is shown stays as it is."; }
    setTimeout(look, 2000);
  }
  setTimeout(look, 2000);
})();
</script>
"""

WAITING = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<title>%s</title><style>%s
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.1rem 4rem; }
.small { display: none; } @media (max-width: 40rem) { .large { display: none; } .small { display: block; } }
</style></head>
<body><main><h1>%s</h1><p>%s</p><p class="notes">This page renews itself.</p>%s%s</main>
</body></html>
"""


def waiting(title: str, reason: str, listing: str, body: str = "") -> str:
    """The page before there is a report: why there is none, the cells of the sweep with their states, and ``body``."""
    cells = f"<pre>{escape(listing)}</pre>" if listing else ""
    return WAITING % (escape(title), asset("page.css"), escape(title), escape(reason), cells, body)


def training_part(section: Section) -> str:
    """The training runs as HTML that needs no script: it is made anew every few seconds."""
    drawn = "".join(
        f'<div class="{kind}" role="img" aria-label="{escape(one.figure.description, quote=True)}">'
        f"{inline(text, kind)}</div>"
        for one in section.pictures
        for kind, text in (("large", one.svg), ("small", svg(patched(one.vega, one.narrow))))
    )
    tables = "".join(table(one, caption=False) for one in section.tables)
    heading = f"<h2>{escape(section.title)}</h2>"
    return f'{heading}<section class="part"><figure>{drawn}</figure>{tables}{bullets(section.sentences)}</section>'


def with_strip(page: str, line: str, name: str, version: str, link: str = "") -> str:
    """The page with ``line`` and a link, as HTML, at its lower edge.

    In a browser it loads itself again once the state of that name is another than ``version``.
    """
    body, end, rest = page.rpartition("</body>")
    return body + STRIP % (escape(line), link, name, escape(version)) + end + rest
