"""The pages that are served: the report with a line on the state of its sweep, and one to wait with before it."""

from __future__ import annotations

from html import escape

STRIP = """
<style>#live { position: sticky; bottom: 0; margin: 0; padding: .45rem 1.25rem; font: 14px/1.4 system-ui, sans-serif;
  color: #1c1e21; background: #eef1f4; border-top: 1px solid #cdd3da; z-index: 9; }</style>
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
<title>%s</title><style>body { margin: 0; color: #1c1e21; background: #fbfbfc; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem; } pre { overflow-x: auto; }</style></head>
<body><main><h1>%s</h1><p>%s</p><pre>%s</pre></main>
</body></html>
"""


def waiting(title: str, reason: str, listing: str) -> str:
    """The page before there is a report: why there is none, and the cells of the sweep with their states."""
    return WAITING % tuple(map(escape, (title, title, reason, listing)))


def with_strip(page: str, line: str, version: str) -> str:
    """The page with ``line`` at its lower edge; in a browser it loads itself again once the version is another."""
    body, end, rest = page.rpartition("</body>")
    return body + STRIP % (escape(line), escape(version)) + end + rest
