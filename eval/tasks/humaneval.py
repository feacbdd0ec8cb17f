"""Function completion (HumanEval, Chen et al. 2021, arXiv:2107.03374): does the function pass the problem's tests?

In the chat form an answer may be a fenced block, a whole function with or without text around it, or a bare body;
`candidate` turns each into the definition that is tested, after the imports and helpers of the prompt. In the
completion form the model continues the prompt as published, final newline included, up to the first line at the margin,
and prompt and answer are tested as they are. Items of HumanEval+ (EvalPlus, Liu et al. 2023, arXiv:2305.01210) are the
same with more tests.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

from eval.items.jsonl import Row, field, read
from eval.sandbox.programs import Program
from eval.spec.answers import AS_IS, Reading
from eval.tasks import code
from eval.tasks.benchmark import Benchmark

ASK = "Complete the following Python function.\n\n"
# What follows this cannot matter to the tests. The stops of the completion form would cut an answer that begins with
# imports or a fence.
STOPS = ("\nif __name__",)
# In the published HumanEval+ no answer can pass item 32 (evalplus issue 253); a root of the polynomial should.
UNPACKED, ROOT = "_poly(*candidate(*inp), inp)", "abs(_poly(*inp, candidate(*inp)))"
MARGIN = tuple(f"\n{word}" for word in ("class", "def", "#", "if", "print", "@", "```", "import", "from", "assert"))


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The problems; ``id`` is the task_id. Raises ValueError for a missing field."""
    problems = []
    for number, row in enumerate(read(path, dict(reading.fields))):
        fields = {name: field(path, number, row, name, str) for name in ("prompt", "entry_point", "test")}
        fields["test"] = fields["test"].replace(UNPACKED, ROOT)
        solution = {"code": row["canonical_solution"]} if "canonical_solution" in row else {}
        problems.append({"id": field(path, number, row, "task_id", str), **fields, **solution})
    return problems


def messages(item: Row) -> list[dict[str, str]]:
    """The request, followed by the prompt: signature and docstring."""
    return [{"role": "user", "content": ASK + item["prompt"]}]


def program(item: Row, text: str) -> Program:
    """The candidate, and as separate tests the problem's own with a call of ``check``."""
    return Program(candidate(item, text) + "\n", f"{item['test']}\ncheck({item['entry_point']})\n")


def score(item: Row, text: str, status: str) -> Row:
    """The verdict on an answer whose program ended with that ``status`` of the sandbox."""
    return code.verdict(candidate(item, text), item["entry_point"], status)


def completion(item: Row) -> list[dict[str, str]]:
    """The prompt, exactly as published."""
    return [{"role": "text", "content": item["prompt"]}]


def completion_program(item: Row, text: str) -> Program:
    """As `program`, for an answer that continues the prompt."""
    return replace(program(item, text), code=item["prompt"] + text + "\n")


def score_completion(item: Row, text: str, status: str) -> Row:
    """As `score`, for an answer that continues the prompt."""
    return code.verdict(item["prompt"] + text, item["entry_point"], status)


def candidate(item: Row, text: str) -> str:
    """The code that an answer means.

    A whole function (`code.definition_in`) follows the prompt's preamble. Without one, the first fenced block, or else
    the whole text, is a body and follows the prompt. A text that fits neither case follows the prompt unchanged, and
    fails.
    """
    text = code.cleaned(text)
    preamble = _preamble(item)
    if (whole := code.definition_in(text, item["entry_point"], preamble)) is not None:
        return preamble + whole
    return _under(item["prompt"], (code.blocks(text) or [text])[0])


def _preamble(item: Row) -> str:
    """The part of the prompt before the function to complete."""
    # The last definition of that name: prompts may define helpers first.
    starts = [match.start() for match in code.definition(item["entry_point"]).finditer(item["prompt"])]
    return item["prompt"][: starts[-1]] if starts else ""


def _under(prompt: str, text: str) -> str:
    """The prompt with ``text`` as the function's body, in the indentation of two in which it is Python."""
    text = text.strip("\n")
    # Stripping may have removed the indentation of the first line, or the body never had any.
    bodies = [text if text[:1].isspace() else "    " + text, textwrap.indent(textwrap.dedent(text), "    ")]
    wholes = [prompt + body for body in map(_indented, bodies)]
    fit = [whole for whole in wholes if code.is_python(whole) and len(whole.rstrip()) > len(prompt.rstrip())]
    # More lines are left in the right indentation; on a tie the text as it is wins.
    return max(fit, key=lambda whole: whole.rstrip().count("\n"), default=prompt + text)


def _indented(body: str) -> str:
    """The lines before the first one at the margin, where the body ends."""
    lines = body.split("\n")
    ends = (number for number, line in enumerate(lines) if line and not line[0].isspace())
    return "\n".join(lines[: next(ends, len(lines))])


CHAT = Benchmark(
    items=items, messages=messages, program=program, score=score, metrics=code.metrics, parts=("prompt", "code"),
    stops=STOPS,
)  # fmt: skip
COMPLETION = replace(CHAT, messages=completion, stops=MARGIN, program=completion_program, score=score_completion)
FORMS = {"chat": CHAT, "completion": COMPLETION}
