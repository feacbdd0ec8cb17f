"""Function completion (HumanEval): does the function pass the problem's own tests?

In chat form the text may be a fenced block, a whole function with or without talk around it, or a bare body;
`candidate` turns each into the definition that is tested. Imports and helpers of the prompt are kept in front of it. In
completion form the model goes on with the prompt as published, its last newline included, up to the first line at the
margin, and prompt and text are tested as they are (Chen et al. 2021, arXiv:2107.03374).
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from pathlib import Path

from eval.items.jsonl import Row, field, read
from eval.sandbox.programs import Program
from eval.spec.answers import AS_IS, Reading
from eval.tasks import code

ASK = "Complete the following Python function.\n\n"
STOPS = ("\nif __name__",)  # nothing after it can matter to the tests; an answer may begin with imports or a fence
MARGIN = tuple(f"\n{word}" for word in ("class", "def", "#", "if", "print", "@", "```", "import", "from", "assert"))


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The problems; ``id`` is the task_id."""
    found = []
    for number, row in enumerate(read(path, dict(reading.fields))):
        kept = {name: field(path, number, row, name, str) for name in ("prompt", "entry_point", "test")}
        solution = {"code": row["canonical_solution"]} if "canonical_solution" in row else {}
        found.append({"id": field(path, number, row, "task_id", str), **kept, **solution})
    return found


def messages(item: Row) -> list[dict[str, str]]:
    """The request, then signature and docstring."""
    return [{"role": "user", "content": ASK + item["prompt"]}]


def program(item: Row, text: str) -> Program:
    """What is run: the candidate; and, apart from it, the problem's tests and the call of ``check``."""
    return Program(candidate(item, text) + "\n", f"{item['test']}\ncheck({item['entry_point']})\n")


def score(item: Row, text: str, status: str) -> Row:
    """``correct`` only if the program ran through its check; ``status`` as the sandbox reports it."""
    return code.judged(candidate(item, text), item["entry_point"], status)


def continued(item: Row) -> list[dict[str, str]]:
    """The prompt, to the letter."""
    return [{"role": "text", "content": item["prompt"]}]


def joined(item: Row, text: str) -> Program:
    """As `program`, for a text that goes on with the prompt."""
    return replace(program(item, text), code=item["prompt"] + text + "\n")


def judged(item: Row, text: str, status: str) -> Row:
    """As `score`, for a text that goes on with the prompt."""
    return code.judged(item["prompt"] + text, item["entry_point"], status)


def candidate(item: Row, text: str) -> str:
    """The definition meant by an answer.

    The first fenced block, or else the whole text, that defines the entry point counts as a whole function and follows
    the prompt's preamble. Otherwise the first fenced block, or else the whole text, is a body and follows the prompt.
    Lines that Python cannot parse are cut off at the end. A text that fits none of this is put under the prompt as it
    is, and will fail.
    """
    text = code.cleaned(text)
    blocks = code.FENCE.findall(text)
    preamble, defines = _split(item)
    for part in [*blocks, text]:
        if defines.search(part):
            return preamble + code.function(part, defines)
    return _under(item["prompt"], blocks[0] if blocks else text)


def _split(item: Row) -> tuple[str, re.Pattern[str]]:
    """What the prompt holds before the function to complete, and the pattern of that function's definition."""
    defines = code.definition(item["entry_point"])
    # The last definition of that name: prompts may define helpers first.
    starts = [match.start() for match in defines.finditer(item["prompt"])]
    return (item["prompt"][: starts[-1]] if starts else ""), defines


def _under(prompt: str, text: str) -> str:
    """The prompt with ``text`` as the body of its function, indented in the way that keeps most lines."""
    text = text.strip("\n")
    # Its first line may have lost its indentation to stripping, or the body never had any.
    ways = [text if text[:1].isspace() else "    " + text, textwrap.indent(textwrap.dedent(text), "    ")]
    kept = [code.longest(prompt + _indented(way)) for way in ways]
    best = max(kept, key=lambda whole: whole.rstrip().count("\n"))
    return best if len(best.rstrip()) > len(prompt.rstrip()) else prompt + text


def _indented(body: str) -> str:
    """The lines up to the first that stands at the margin: there the body has ended."""
    lines = body.split("\n")
    ends = (number for number, line in enumerate(lines) if line and not line[0].isspace())
    return "\n".join(lines[: next(ends, len(lines))])
