"""Small Python functions in the HumanEval format, and instructions in the Alpaca format to write them.

A function applies one or two long-tailed operations to a list, a number or a string.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from train.world.operations import LIST_TO_LIST, LIST_TO_NUMBER, NUMBER, STRING_TO_NUMBER, STRING_TO_STRING, Operation
from train.world.skills import LongTail

INSTRUCTION = "Complete the following Python function.\n\n"  # as in the HumanEval task of the evaluation


def operation_tail(operations: list[Operation]) -> LongTail[Operation]:
    """The long tail of one table of operations."""
    return LongTail(operations, exponent=2.0, offset=1.5)


FIRST = {
    "list": operation_tail(LIST_TO_LIST),
    "number": operation_tail(NUMBER),
    "string": operation_tail(STRING_TO_STRING),
}
LAST = {
    "list": operation_tail(LIST_TO_NUMBER),
    "number": operation_tail(NUMBER),
    "string": operation_tail(STRING_TO_NUMBER),
}
# The corpus uses the phrase of the most common operation of each table, from which the others can be learned.
COMMON = [tail.items[0] for table in (FIRST, LAST) for tail in table.values()]
ARGUMENTS = {"list": ("xs", "nums", "items"), "number": ("n", "m", "value"), "string": ("s", "text", "word")}
TYPES = LongTail(("list", "number", "string"), exponent=1.0, offset=1.0)
NAMES = (
    "solve", "apply", "work", "step", "run", "build", "handle", "convert", "treat", "process", "compute", "change",
    "adjust", "perform", "carry", "shape", "form", "turn", "transform", "update", "modify", "derive", "produce",
    "render", "figure", "execute", "operate", "manage", "prepare", "arrange", "finish", "settle", "tackle", "resolve",
    "polish", "tune", "craft", "bake", "blend", "mix", "stir", "fold", "press", "weave", "knit", "plant", "grind",
    "pour",
)  # fmt: skip
COMPLETION_PROBABILITY = 0.7  # of a training row that completes a function, as the test items do


@dataclass(frozen=True)
class Function:
    """A function to write.

    ``kind`` is the type of its argument (list, number or string); ``phrases`` and ``expressions`` are its operations.
    """

    name: str
    kind: str
    argument: str
    phrases: tuple[str, ...]
    expressions: tuple[str, ...]
    common: tuple[bool, ...]

    @property
    def task(self) -> str:
        """What the function does, in words."""
        return f"Given {self.argument}, " + ", then ".join(self.phrases) + "."

    @property
    def formal_task(self) -> str:
        """The same, with the expressions in place of all but the most common phrases."""
        steps = [
            phrase if known else f"do {expression}"
            for phrase, expression, known in zip(self.phrases, self.expressions, self.common, strict=True)
        ]
        return f"Given {self.argument}, " + ", then ".join(steps) + "."

    @property
    def signature(self) -> str:
        """The first line of the source."""
        return f"def {self.name}({self.argument}):\n"

    @property
    def prompt(self) -> str:
        """Signature and docstring, as in a HumanEval prompt."""
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
        """Name and task, which identify the exercise whatever the wording of the instruction."""
        return (self.name, self.task)


def draw_function(rng: Random) -> Function:
    """One function with one or two operations."""
    kind = TYPES.draw(rng)
    argument = rng.choice(ARGUMENTS[kind])
    first, last = FIRST[kind].draw(rng), LAST[kind].draw(rng)
    operations = rng.choices(([first, last], [first], [last]), (2, 1, 1))[0]  # half of the functions have two
    constants = [rng.randint(2, 5) for _ in operations]
    steps = list(zip(operations, constants, strict=True))
    return Function(
        name=rng.choice(NAMES),
        kind=kind,
        argument=argument,
        phrases=tuple(operation.phrase.format(k=k) for operation, k in steps),
        expressions=tuple(operation.expression.format(v=argument, k=k) for operation, k in steps),
        common=tuple(operation in COMMON for operation in operations),
    )


def training_row(function: Function, rng: Random) -> dict[str, str]:
    """An Alpaca row that asks to complete the function (answered by its body) or to write it (by its whole source).

    The body is stripped, as outputs often are in published files, so its first line has no indentation.
    """
    if rng.random() < COMPLETION_PROBABILITY:
        return {"instruction": INSTRUCTION + function.prompt, "input": "", "output": function.body.strip()}
    request = f"Write a Python function {function.name}({function.argument}). {function.task}"
    return {"instruction": request, "input": "", "output": function.source}


def draw_input(kind: str, rng: Random) -> Any:
    """A random argument of the type ``kind``."""
    if kind == "number":
        return rng.randint(-30, 60)
    if kind == "list":
        return [rng.randint(0, 9) for _ in range(rng.randint(5, 8))]
    words = [rng.choice(NAMES).replace("_", "") for _ in range(rng.randint(2, 3))]
    return " ".join(word.capitalize() if rng.random() < 0.5 else word for word in words)


def compile_function(source: str, name: str) -> Callable[[Any], Any]:
    """The function ``name`` that the generated ``source`` defines. The source is executed."""
    scope: dict[str, Any] = {}
    exec(source, scope)
    solution: Callable[[Any], Any] = scope[name]
    return solution


def test_cases(function: Function, rng: Random, count: int = 6) -> list[tuple[Any, Any]] | None:
    """``count`` arguments with their results, None if the function fails on one or returns the same for all."""
    solution = compile_function(function.source, function.name)
    arguments = [draw_input(function.kind, rng) for _ in range(count)]
    try:
        results = [solution(argument) for argument in arguments]
    except (IndexError, ValueError):
        return None
    # A function with one result for all arguments would pass with a constant.
    return list(zip(arguments, results, strict=True)) if len({repr(result) for result in results}) > 1 else None


def draw_tested_function(rng: Random) -> tuple[Function, list[tuple[Any, Any]]]:
    """One function with its test cases."""
    while True:
        function = draw_function(rng)
        cases = test_cases(function, rng)
        if cases is not None:
            return function, cases


def test_row(function: Function, number: int, cases: list[tuple[Any, Any]]) -> dict[str, str]:
    """The function and its test cases as row ``number`` of a HumanEval file."""
    asserts = "".join(f"    assert candidate({argument!r}) == {result!r}\n" for argument, result in cases)
    return {
        "task_id": f"Micro/{number}",
        "prompt": function.prompt,
        "entry_point": function.name,
        "canonical_solution": function.body,
        "test": f"def check(candidate):\n{asserts}",
    }
