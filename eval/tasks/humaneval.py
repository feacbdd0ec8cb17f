"""Function completion (HumanEval): does the function pass the problem's own tests?

The model is asked in chat form. Its text may be a fenced block, a whole function with or without talk around it, or a
bare body; `candidate` turns each into the definition that is tested. Imports and helpers of the prompt are kept in
front of it.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path

from eval.metrics import Metric, present, share
from eval.rows import Row, field, read
from eval.sandbox.programs import Program

ASK = "Complete the following Python function.\n\n"
STOPS = ("\nif __name__",)  # nothing after it can matter to the tests
FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
LONGEST = 20_000  # characters of an answer that are looked at; a function that answers a problem is far shorter
SPACE = re.compile(r"\A (?=(?: {4})*\S)")  # some chat templates put one space between prompt and answer
STARTS = re.compile(r"^(?:from |import |def |async def |class |@)", re.MULTILINE)


def items(path: Path) -> list[Row]:
    """The problems; ``id`` is the task_id."""
    found = []
    for number, row in enumerate(read(path)):
        kept = {name: field(path, number, row, name, str) for name in ("prompt", "entry_point", "test")}
        found.append({"id": field(path, number, row, "task_id", str), **kept})
    return found


def messages(item: Row) -> list[dict[str, str]]:
    """The request, then signature and docstring."""
    return [{"role": "user", "content": ASK + item["prompt"]}]


def program(item: Row, text: str) -> Program:
    """What is run: the candidate; and, apart from it, the problem's tests and the call of ``check``."""
    return Program(candidate(item, text) + "\n", f"{item['test']}\ncheck({item['entry_point']})\n")


def score(item: Row, text: str, status: str) -> Row:
    """``correct`` only if the program ran through its check; ``status`` as the sandbox reports it."""
    return {"correct": status == "passed", "status": status, "extracted": candidate(item, text)}


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """Shares of items: ``accuracy`` (pass@1 of one answer) and ``timeout_rate``."""
    return present(
        share("accuracy", [row["correct"] for row in scores]),
        share("timeout_rate", [row["status"] == "timeout" for row in scores]),
    )


def candidate(item: Row, text: str) -> str:
    """The definition meant by an answer.

    The first fenced block, or else the whole text, that defines the entry point counts as a whole function and follows
    the prompt's preamble. Otherwise the first fenced block, or else the whole text, is a body and follows the prompt.
    Lines that Python cannot parse are cut off at the end. A text that fits none of this is put under the prompt as it
    is, and will fail.
    """
    text = SPACE.sub("", text[:LONGEST].replace("\r\n", "\n"))
    blocks = FENCE.findall(text)
    preamble, defines = _split(item)
    for code in [*blocks, text]:
        if defines.search(code):
            return preamble + _function(code, defines)
    code = blocks[0] if blocks else text
    return _under(item["prompt"], code)


def _split(item: Row) -> tuple[str, re.Pattern[str]]:
    """What the prompt holds before the function to complete, and the pattern of that function's definition."""
    defines = re.compile(rf"^(?:async )?def {re.escape(item['entry_point'])}\b", re.MULTILINE)
    # The last definition of that name: prompts may define helpers first.
    starts = [match.start() for match in defines.finditer(item["prompt"])]
    return (item["prompt"][: starts[-1]] if starts else ""), defines


def _function(code: str, defines: re.Pattern[str]) -> str:
    """The part of ``code`` from its first import or definition to the last line that still parses."""
    for match in STARTS.finditer(code):
        parsed = _longest(code[match.start() :])
        if defines.search(parsed):
            return parsed
    return code


def _under(prompt: str, code: str) -> str:
    """The prompt with ``code`` as the body of its function, indented in the way that keeps most lines."""
    code = code.strip("\n")
    # Its first line may have lost its indentation to stripping, or the body never had any.
    ways = [code if code[:1].isspace() else "    " + code, textwrap.indent(textwrap.dedent(code), "    ")]
    kept = [_longest(prompt + _indented(way)) for way in ways]
    best = max(kept, key=lambda text: text.rstrip().count("\n"))
    return best if len(best.rstrip()) > len(prompt.rstrip()) else prompt + code


def _indented(body: str) -> str:
    """The lines up to the first that stands at the margin: there the body has ended."""
    lines = body.split("\n")
    ends = (number for number, line in enumerate(lines) if line and not line[0].isspace())
    return "\n".join(lines[: next(ends, len(lines))])


def _longest(code: str) -> str:
    """``code`` without the lines from the one on where Python stops understanding it."""
    while code.strip():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd escapes in a model's text are none of our business
                ast.parse(code)
            return code
        except SyntaxError as error:
            lines = code.split("\n")
            code = "\n".join(lines[: min((error.lineno or 1), len(lines)) - 1])
        except (ValueError, RecursionError, MemoryError):
            return ""
    return ""
