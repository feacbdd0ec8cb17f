"""Short programs (MBPP, Austin et al. 2021, arXiv:2108.07732) with all asserts shown: does the function pass them?

Of the full published file only the 500 items of the test split count, task ids 11 to 510; the worked examples are ids
2, 3 and 4. The completion form puts code between [BEGIN] and [DONE], in the words of lm-eval's task mbpp. The asserts
call the function from another process, so what it returns is compared by value.

Items of MBPP+ (EvalPlus, Liu et al. 2023, arXiv:2305.01210) have a field ``test``, which covers the inputs of the
asserts too, with tolerance for floats and for the order where none is asked for; so the asserts are only shown.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

from eval.items.jsonl import Row, field, read
from eval.sandbox.programs import Program
from eval.spec.answers import AS_IS, Reading
from eval.tasks import code
from eval.tasks.benchmark import Benchmark

FULL, TEST = 974, range(11, 511)
EXAMPLES = ("2", "3", "4")
ASK = "{text}\n\nYour code should pass these tests:\n\n{tests}\n"
CONTINUE = (
    "You are an expert Python programmer, and here is your task: {text} "
    "Your code should pass these tests:\n\n{tests}\n[BEGIN]\n"
)
STOPS = ("[DONE]",)
# In the published MBPP+ the comparison for functions that return a match object asserts nothing (evalplus issue 253).
NOT_ASSERTED = "exact_match = exp == (out is not None)\n"
ASSERTED = f"{NOT_ASSERTED}    assert exact_match\n"


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The problems; ``id`` is the task_id. Raises ValueError when the tests call no function of the solution."""
    rows = read(path, dict(reading.fields))
    test_split = [row for row in rows if row.get("task_id") in TEST] if len(rows) == FULL else rows
    return [_item(path, number, row) for number, row in enumerate(test_split)]


def examples(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The published worked examples in a file."""
    rows = read(path, dict(reading.fields))
    return [_item(path, number, row) for number, row in enumerate(rows) if str(row.get("task_id")) in EXAMPLES]


def messages(item: Row) -> list[dict[str, str]]:
    """The description and the asserts, after the worked examples in ``item["shots"]`` as earlier turns."""
    shots = item.get("shots", ())
    examples = [turn for one in shots for turn in (("user", _ask(ASK, one)), ("assistant", one["code"]))]
    return [{"role": role, "content": text} for role, text in [*examples, ("user", _ask(ASK, item))]]


def completion(item: Row) -> list[dict[str, str]]:
    """The same as one text to continue."""
    examples = [f"{_ask(CONTINUE, one)}{one['code']}\n[DONE]\n\n" for one in item.get("shots", ())]
    return [{"role": "text", "content": "".join(examples) + _ask(CONTINUE, item)}]


def program(item: Row, text: str) -> Program:
    """The candidate, and as separate tests the problem's setup and asserts."""
    return Program(candidate(item, text) + "\n", "\n".join([*item["setup"], *item["checks"]]) + "\n")


def score(item: Row, text: str, status: str) -> Row:
    """The verdict on an answer whose program ended with that ``status`` of the sandbox."""
    return code.verdict(candidate(item, text), item["entry_point"], status)


def completion_program(item: Row, text: str) -> Program:
    """As `program`, for an answer that is nothing but code."""
    return replace(program(item, text), code=text + "\n")


def score_completion(item: Row, text: str, status: str) -> Row:
    """As `score`, for an answer that is nothing but code."""
    return code.verdict(text, item["entry_point"], status)


def candidate(item: Row, text: str) -> str:
    """The code that an answer means: what defines the function, or else the first fenced block, or the text."""
    text = code.cleaned(text)
    whole = code.definition_in(text, item["entry_point"])
    return (code.blocks(text) or [text])[0] if whole is None else whole


def _ask(wording: str, item: Row) -> str:
    return wording.format(text=item["text"], tests="\n".join(item["tests"]))


def _item(path: Path, number: int, row: Row) -> Row:
    tests = field(path, number, row, "test_list", list)
    solution = field(path, number, row, "code", str)
    defined = [node.name for node in ast.walk(ast.parse(solution)) if isinstance(node, ast.FunctionDef)]
    # Only plain calls: a method or a builtin in an assert is not the function under test.
    called = {
        node.func.id
        for test in tests
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    entries = [name for name in defined if name in called]
    if not entries:
        raise ValueError(f"{path}: item {number}: its tests call no function of its solution")
    return {
        "id": str(field(path, number, row, "task_id", (int, str))),
        "code": solution,
        "text": field(path, number, row, "text" if "text" in row else "prompt", str),
        "tests": tests,
        "checks": [row["test"].replace(NOT_ASSERTED, ASSERTED)] if row.get("test") else tests,
        "setup": [row.get("test_setup_code") or "", *(row.get("test_imports") or ())],
        # Helpers come first in the published solutions.
        "entry_point": entries[-1],
    }


CHAT = Benchmark(
    items=items, messages=messages, program=program, score=score, metrics=code.metrics, parts=("text", "code"),
    examples=examples,
)  # fmt: skip
COMPLETION = replace(CHAT, messages=completion, stops=STOPS, program=completion_program, score=score_completion)
FORMS = {"chat": CHAT, "completion": COMPLETION}
