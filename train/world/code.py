"""Small Python functions in the HumanEval layout, and instruction pairs about such functions.

A function takes one list, number or string through one or two operations of a long-tailed table. Operations are
written with ``{v}`` for the variable and ``{k}`` for a small constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from train.world.skills import Tail

INSTRUCTION = "Complete the following Python function.\n\n"


@dataclass(frozen=True)
class Operation:
    """A phrase in words, the expression that does it, and what type it leaves: list, number or string."""

    phrase: str
    expression: str
    leaves: str


def table(leaves: str, text: str) -> list[Operation]:
    """Operations written one a line as ``phrase -> expression``."""
    pairs = [line.split(" -> ") for line in text.strip().splitlines()]
    return [Operation(phrase, expression, leaves) for phrase, expression in pairs]


LIST_TO_LIST = table(
    "list",
    """
sort it -> sorted({v})
reverse it -> {v}[::-1]
drop the first item -> {v}[1:]
add {k} to each item -> [x + {k} for x in {v}]
keep the even items -> [x for x in {v} if x % 2 == 0]
drop the last item -> {v}[:-1]
double each item -> [x * 2 for x in {v}]
keep the odd items -> [x for x in {v} if x % 2 == 1]
keep the first {k} items -> {v}[:{k}]
square each item -> [x * x for x in {v}]
keep items above {k} -> [x for x in {v} if x > {k}]
keep the last {k} items -> {v}[-{k}:]
negate each item -> [-x for x in {v}]
append {k} -> {v} + [{k}]
keep every second item -> {v}[::2]
drop items equal to {k} -> [x for x in {v} if x != {k}]
sort it from high to low -> sorted({v}, reverse=True)
repeat it -> {v} + {v}
put {k} in front -> [{k}] + {v}
keep items below {k} -> [x for x in {v} if x < {k}]
drop both ends -> {v}[1:-1]
halve each item -> [x // 2 for x in {v}]
mirror it -> {v} + {v}[::-1]
remove duplicates -> list(dict.fromkeys({v}))
rotate it -> {v}[1:] + {v}[:1]
keep multiples of {k} -> [x for x in {v} if x % {k} == 0]
""",
)
LIST_TO_NUMBER = table(
    "number",
    """
return the sum -> sum({v})
return the length -> len({v})
return the largest -> max({v})
return the first item -> {v}[0]
return the smallest -> min({v})
return the last item -> {v}[-1]
count the {k}s -> {v}.count({k})
count the even items -> sum(x % 2 == 0 for x in {v})
return the range -> max({v}) - min({v})
count items above {k} -> sum(x > {k} for x in {v})
return the sum of squares -> sum(x * x for x in {v})
return the middle item -> {v}[len({v}) // 2]
count distinct items -> len(set({v}))
return the floored mean -> sum({v}) // len({v})
return the position of the largest -> {v}.index(max({v}))
return the runner up -> sorted({v})[-2]
""",
)
NUMBER = table(
    "number",
    """
add {k} -> {v} + {k}
double it -> {v} * 2
subtract {k} -> {v} - {k}
multiply by {k} -> {v} * {k}
square it -> {v} * {v}
negate it -> -{v}
take the absolute value -> abs({v})
take the remainder by {k} -> {v} % {k}
halve it -> {v} // 2
raise it to at least {k} -> max({v}, {k})
take its last digit -> abs({v}) % 10
subtract it from {k} -> {k} - {v}
limit it to {k} -> min({v}, {k})
cube it -> {v} ** 3
divide by {k} -> {v} // {k}
count its digits -> len(str(abs({v})))
add its square -> {v} + {v} * {v}
sum its digits -> sum(int(d) for d in str(abs({v})))
""",
)
STRING_TO_STRING = table(
    "string",
    """
make it upper case -> {v}.upper()
reverse it -> {v}[::-1]
drop the first letter -> {v}[1:]
make it lower case -> {v}.lower()
repeat it {k} times -> {v} * {k}
keep the first {k} letters -> {v}[:{k}]
drop the last letter -> {v}[:-1]
remove the spaces -> {v}.replace(" ", "")
add a bang -> {v} + "!"
capitalise it -> {v}.capitalize()
keep the last {k} letters -> {v}[-{k}:]
swap the case -> {v}.swapcase()
sort the letters -> "".join(sorted({v}))
keep every second letter -> {v}[::2]
put a hash in front -> "#" + {v}
join it with dashes -> "-".join({v})
""",
)
STRING_TO_NUMBER = table(
    "number",
    """
return the length -> len({v})
count the vowels -> sum(c in "aeiou" for c in {v})
count the spaces -> {v}.count(" ")
count the words -> len({v}.split())
count distinct letters -> len(set({v}))
find the first space -> {v}.find(" ")
count the capitals -> sum(c.isupper() for c in {v})
""",
)
FIRST = {
    "list": Tail(LIST_TO_LIST, exponent=1.5, offset=2.0),
    "number": Tail(NUMBER, exponent=1.5, offset=2.0),
    "string": Tail(STRING_TO_STRING, exponent=1.5, offset=2.0),
}
LAST = {
    "list": Tail(LIST_TO_NUMBER, exponent=1.5, offset=2.0),
    "number": Tail(NUMBER, exponent=1.5, offset=2.0),
    "string": Tail(STRING_TO_NUMBER, exponent=1.5, offset=2.0),
}
ARGUMENTS = {"list": ("xs", "nums", "items"), "number": ("n", "m", "value"), "string": ("s", "text", "word")}
TYPES = Tail(("list", "number", "string"), exponent=1.0, offset=1.0)
NAMES = """solve apply work step run build handle convert treat process compute change adjust perform carry shape
form turn transform update modify derive produce render figure execute operate manage prepare arrange finish settle
tackle resolve polish tune craft bake blend mix stir fold press weave knit plant grind pour""".split()
SHARE_COMPLETE = 0.7


@dataclass(frozen=True)
class Function:
    """A function to write: its name, its argument, what it does in words, and its lines."""

    name: str
    kind: str
    argument: str
    task: str
    lines: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """Signature and docstring, as in HumanEval."""
        return f'def {self.name}({self.argument}):\n    """Given {self.argument}, {self.task}."""\n'

    @property
    def formal_prompt(self) -> str:
        """The prompt with expressions in place of words."""
        steps = ", then do ".join(line.split(" ", 2)[2] if "=" in line.split()[1] else line.split(" ", 1)[1] for line in self.lines)
        return f'def {self.name}({self.argument}):\n    """Given {self.argument}, do {steps}."""\n'

    @property
    def body(self) -> str:
        """The indented lines of the solution."""
        return "".join(f"    {line}\n" for line in self.lines)

    @property
    def source(self) -> str:
        """The whole function without its docstring."""
        return f"def {self.name}({self.argument}):\n{self.body}".rstrip("\n")

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two functions the same exercise, however the instruction is put."""
        return (self.name, self.argument, self.task)


def draw_function(rng: Random) -> Function:
    """One function of one or two operations."""
    kind = TYPES.draw(rng)
    argument = rng.choice(ARGUMENTS[kind])
    first = FIRST[kind].draw(rng)
    shape = rng.random()
    operations = [first] if shape < 0.25 else [first, LAST[kind].draw(rng)] if shape < 0.75 else [LAST[kind].draw(rng)]
    phrases, expressions = [], []
    for operation in operations:
        k = rng.randint(2, 5)
        phrases.append(operation.phrase.format(k=k))
        expressions.append(operation.expression.format(v=argument, k=k))
    lines = [f"{argument} = {expression}" for expression in expressions[:-1]] + [f"return {expressions[-1]}"]
    return Function(rng.choice(NAMES), kind, argument, ", then ".join(phrases), tuple(lines))


def training_row(function: Function, rng: Random) -> dict[str, str]:
    """An Alpaca row: mostly a function to complete, otherwise a request in one sentence."""
    if rng.random() < SHARE_COMPLETE:
        return {"instruction": INSTRUCTION + function.prompt, "input": "", "output": function.source}
    request = f"Write a Python function {function.name}({function.argument}). Given {function.argument}, {function.task}."
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
    except (IndexError, ValueError, ZeroDivisionError):
        return None
    return list(zip(arguments, results, strict=True)) if len({repr(result) for result in results}) > 1 else None


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
