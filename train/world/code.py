"""Small Python functions in the HumanEval layout, and instruction pairs about such functions.

A function takes one list, number or string through one or two operations of a long-tailed table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from train.world.operations import LIST_TO_LIST, LIST_TO_NUMBER, NUMBER, STRING_TO_NUMBER, STRING_TO_STRING, Operation
from train.world.skills import Tail

INSTRUCTION = "Complete the following Python function.\n\n"  # the words of the HumanEval task, so that training fits it


def tail(operations: list[Operation]) -> Tail[Operation]:
    """The draw over one table of operations."""
    return Tail(operations, exponent=1.5, offset=2.0)


FIRST = {"list": tail(LIST_TO_LIST), "number": tail(NUMBER), "string": tail(STRING_TO_STRING)}
LAST = {"list": tail(LIST_TO_NUMBER), "number": tail(NUMBER), "string": tail(STRING_TO_NUMBER)}
ARGUMENTS = {"list": ("xs", "nums", "items"), "number": ("n", "m", "value"), "string": ("s", "text", "word")}
TYPES = Tail(("list", "number", "string"), exponent=1.0, offset=1.0)
NAMES = (
    "solve", "apply", "work", "step", "run", "build", "handle", "convert", "treat", "process", "compute", "change",
    "adjust", "perform", "carry", "shape", "form", "turn", "transform", "update", "modify", "derive", "produce",
    "render", "figure", "execute", "operate", "manage", "prepare", "arrange", "finish", "settle", "tackle", "resolve",
    "polish", "tune", "craft", "bake", "blend", "mix", "stir", "fold", "press", "weave", "knit", "plant", "grind",
    "pour",
)  # fmt: skip
SHARE_COMPLETE = 0.7


@dataclass(frozen=True)
class Function:
    """A function to write: its name, the type and name of its argument, and its steps in words and as expressions."""

    name: str
    kind: str
    argument: str
    phrases: tuple[str, ...]
    expressions: tuple[str, ...]

    @property
    def task(self) -> str:
        """What the function does, in words."""
        return f"Given {self.argument}, " + ", then ".join(self.phrases) + "."

    @property
    def formal_task(self) -> str:
        """The same, with expressions in place of words."""
        return f"Given {self.argument}, do " + ", then do ".join(self.expressions) + "."

    @property
    def signature(self) -> str:
        """The first line."""
        return f"def {self.name}({self.argument}):\n"

    @property
    def prompt(self) -> str:
        """Signature and docstring, as in HumanEval."""
        return f'{self.signature}    """{self.task}"""\n'

    @property
    def body(self) -> str:
        """The indented lines of the solution."""
        lines = [f"{self.argument} = {expression}" for expression in self.expressions[:-1]]
        return "".join(f"    {line}\n" for line in [*lines, f"return {self.expressions[-1]}"])

    @property
    def source(self) -> str:
        """The whole function without its docstring."""
        return (self.signature + self.body).rstrip("\n")

    @property
    def key(self) -> tuple[str, str]:
        """What makes two functions the same exercise, however the instruction is put."""
        return (self.name, self.task)


def draw_function(rng: Random) -> Function:
    """One function of one or two operations."""
    kind = TYPES.draw(rng)
    argument = rng.choice(ARGUMENTS[kind])
    first, last = FIRST[kind].draw(rng), LAST[kind].draw(rng)
    operations = rng.choices(([first, last], [first], [last]), (2, 1, 1))[0]
    constants = [rng.randint(2, 5) for _ in operations]
    steps = list(zip(operations, constants, strict=True))
    return Function(
        name=rng.choice(NAMES),
        kind=kind,
        argument=argument,
        phrases=tuple(operation.phrase.format(k=k) for operation, k in steps),
        expressions=tuple(operation.expression.format(v=argument, k=k) for operation, k in steps),
    )


def training_row(function: Function, rng: Random) -> dict[str, str]:
    """An Alpaca row: mostly a function to complete, answered by its body; otherwise one to write in whole.

    A body starts without its indentation, as texts do in files whose makers strip them.
    """
    if rng.random() < SHARE_COMPLETE:
        return {"instruction": INSTRUCTION + function.prompt, "input": "", "output": function.body.strip()}
    request = f"Write a Python function {function.name}({function.argument}). {function.task}"
    return {"instruction": request, "input": "", "output": function.source}


def draw_input(kind: str, rng: Random) -> Any:
    """One argument on which a function is tested."""
    if kind == "number":
        return rng.randint(-30, 60)
    if kind == "list":
        return [rng.randint(0, 9) for _ in range(rng.randint(5, 8))]
    words = [rng.choice(NAMES).replace("_", "") for _ in range(rng.randint(2, 3))]
    return " ".join(word.capitalize() if rng.random() < 0.5 else word for word in words)


def compile_function(source: str, name: str) -> Callable[[Any], Any]:
    """The function ``name`` that our own generated ``source`` defines."""
    scope: dict[str, Any] = {}
    exec(source, scope)
    solution: Callable[[Any], Any] = scope[name]
    return solution


def cases(function: Function, rng: Random, count: int = 6) -> list[tuple[Any, Any]] | None:
    """Arguments with their right results; None where the function fails on one or always returns the same."""
    solution = compile_function(function.source, function.name)
    arguments = [draw_input(function.kind, rng) for _ in range(count)]
    try:
        results = [solution(argument) for argument in arguments]
    except (IndexError, ValueError):
        return None
    return list(zip(arguments, results, strict=True)) if len({repr(result) for result in results}) > 1 else None


def draw_tested(rng: Random) -> tuple[Function, list[tuple[Any, Any]]]:
    """One function with the cases that test it."""
    while True:
        function = draw_function(rng)
        checks = cases(function, rng)
        if checks is not None:
            return function, checks


def test_row(function: Function, number: int, checks: list[tuple[Any, Any]]) -> dict[str, str]:
    """A HumanEval row."""
    asserts = "".join(f"    assert candidate({argument!r}) == {result!r}\n" for argument, result in checks)
    return {
        "task_id": f"Micro/{number}",
        "prompt": function.prompt,
        "entry_point": function.name,
        "canonical_solution": function.body,
        "test": f"def check(candidate):\n{asserts}",
    }
