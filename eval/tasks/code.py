"""Find the code in a model's answer, and aggregate how programs ended."""

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
MAX_CHARACTERS = 20_000  # of an answer; a function that solves a problem is far shorter
KS = (5, 10, 100)


def cleaned(text: str) -> str:
    """The first `MAX_CHARACTERS` of an answer, with plain line ends and without a template's leading space."""
    return SPACE.sub("", text[:MAX_CHARACTERS].replace("\r\n", "\n"))


def definition(name: str) -> re.Pattern[str]:
    """A pattern for a definition of that function at the margin."""
    return re.compile(rf"^(?:async )?def {re.escape(name)}\b", re.MULTILINE)


def function(code: str, defines: re.Pattern[str]) -> str:
    """``code`` from its first import, definition or constant on, up to the last line that Python can still parse."""
    for match in STARTS.finditer(code):
        # Text before the code may itself look like code, so starts are tried until the function is found.
        parsed = parsable(code[match.start() :])
        if defines.search(parsed):
            return parsed
    return code


def parsable(code: str) -> str:
    """``code`` up to the line before the first one that Python cannot parse."""
    while code.strip():
        match _parse_error(code):
            case None:
                return code
            case SyntaxError(lineno=number):
                lines = code.split("\n")
                # Each round drops at least one line, so this ends.
                code = "\n".join(lines[: min(number or 1, len(lines)) - 1])
            case _:
                return ""
    return ""


def _parse_error(code: str) -> Exception | None:
    """Why Python cannot parse ``code``; None when it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unknown escapes in the model's code
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def verdict(program: str, entry_point: str, status: str) -> Row:
    """``correct``: the program passed; ``status`` of the sandbox; ``parsed``: it is Python and defines the function."""
    parsed = bool(definition(entry_point).search(program)) and _parse_error(program) is None
    return {"correct": status == "passed", "status": status, "parsed": parsed, "extracted": program}


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy`` (pass@1), ``timeout_rate``, and ``pass@k`` for each k in `KS` up to the answers that all items have.

    Standard errors are clustered by item.
    """
    # Too many timeouts say that the limit, not the model, was measured.
    timeouts = [{**row, "late": row["status"] == "timeout"} for row in scores]
    groups = [[bool(row["correct"]) for row in rows] for rows in by_item(scores)]
    fewest = min(map(len, groups), default=0)
    pass_at = [
        mean(f"pass@{k}", [pass_at_k(len(right), sum(right), k) for right in groups]) for k in KS if 1 < k <= fewest
    ]
    return present(rate("accuracy", scores, "correct"), *pass_at, rate("timeout_rate", timeouts, "late"))
