"""The pages that are served: the report with a line on the state of its sweep, and one to wait with before it."""

from __future__ import annotations

from html import escape

STRIP = """
<style>#live { position: sticky; bottom: 0; margin: 0; padding: .45rem 1.25rem; font: 14px/1.4 system-ui, sans-serif;
  color: #1c1e21; background: #eef1f4; border-top: 1px solid #cdd3da; z-index: 9; }
  @media (prefers-color-scheme: dark) { #live { color: #e6e8eb; background: #23272e; border-color: #363b43; } }
  @media print { #live { display: none; } }</style>
<p id="live" role="status">%s</p>
<script>
(function () {
  const strip = document.getElementById("live"), version = "%s";
  async function look() {
    try {
      const state = await (await fetch("/state", {cache: "no-store"})).json();
      if (state.version !== version) { location.reload(); return; }
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
<title>%s</title><style>:root { color-scheme: light dark; --ink: #1c1e21; --page: #f7f8fa; --card: #fff;
  --line: #d9dde3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --page: #121417; --card: #1a1d22; --line: #363b43; } }
body { margin: 0; color: var(--ink); background: var(--page); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; } h1 { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .6rem .8rem; font-size: .86em; }</style></head>
<body><main><h1>%s</h1><p>%s</p><p>This page renews itself.</p><pre>%s</pre></main>
</body></html>
"""


def waiting(title: str, reason: str, listing: str) -> str:
    """The page before there is a report: why there is none, and the cells of the sweep with their states."""
    return WAITING % tuple(map(escape, (title, title, reason, listing)))


def with_strip(page: str, line: str, version: str) -> str:
    """The page with ``line`` at its lower edge; in a browser it loads itself again once the version is another."""
    body, end, rest = page.rpartition("</body>")
    return body + STRIP % (escape(line), escape(version)) + end + rest
