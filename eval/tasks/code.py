"""Finding the code that a model's text means, and summing up how the programs ended."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence

from eval.items.jsonl import Row
from eval.items.metrics import Metric, by_item, mean, pass_at_k, present, rate

FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
STARTS = re.compile(r"^(?:from |import |def |async def |class |@|\w+ *= *\S)", re.MULTILINE)
SPACE = re.compile(r"\A (?=(?: {4})*\S)")  # some chat templates put one space between prompt and answer
LONGEST = 20_000  # characters of an answer that are looked at; a function that answers a problem is far shorter
KS = (5, 10, 100)


def cleaned(text: str) -> str:
    """The part of an answer that is looked at, with plain line ends."""
    return SPACE.sub("", text[:LONGEST].replace("\r\n", "\n"))


def definition(name: str) -> re.Pattern[str]:
    """What a definition of that function at the margin looks like."""
    return re.compile(rf"^(?:async )?def {re.escape(name)}\b", re.MULTILINE)


def function(code: str, defines: re.Pattern[str]) -> str:
    """The part of ``code`` from its first import, definition or constant to the last line that still parses."""
    for match in STARTS.finditer(code):
        parsed = longest(code[match.start() :])
        if defines.search(parsed):
            return parsed
    return code


def longest(code: str) -> str:
    """``code`` without the lines from the one on where Python stops understanding it."""
    while code.strip():
        match _error(code):
            case None:
                return code
            case SyntaxError(lineno=number):
                lines = code.split("\n")
                code = "\n".join(lines[: min(number or 1, len(lines)) - 1])
            case _:
                return ""
    return ""


def _error(code: str) -> Exception | None:
    """Why Python cannot parse ``code``; None when it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in a model's text are none of our business
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def judged(program: str, entry_point: str, status: str) -> Row:
    """``correct`` only if the program passed; ``status`` as the sandbox reports it; ``parsed``: is there a function?"""
    parsed = bool(definition(entry_point).search(program)) and _error(program) is None
    return {"correct": status == "passed", "status": status, "parsed": parsed, "extracted": program}


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """Shares of answers: ``accuracy`` (pass@1) and ``timeout_rate``; ``pass@k`` where each item has k answers or more.

    Items with several answers are clusters.
    """
    timeouts = [{**row, "late": row["status"] == "timeout"} for row in scores]
    groups = [[bool(row["correct"]) for row in rows] for rows in by_item(scores)]
    fewest = min(map(len, groups), default=0)
    wide = [
        mean(f"pass@{k}", [pass_at_k(len(right), sum(right), k) for right in groups]) for k in KS if 1 < k <= fewest
    ]
    return present(rate("accuracy", scores, "correct"), *wide, rate("timeout_rate", timeouts, "late"))
