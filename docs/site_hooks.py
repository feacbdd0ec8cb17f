"""What the site changes of a page: GitHub reads a word behind a block's language (``sh run``), the site does not."""

import re
from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The text of a page with ``run``, the mark of examples that the tests run, taken off its blocks."""
    return re.sub(r"^```(\w+) run$", r"```\1", markdown, flags=re.MULTILINE)
