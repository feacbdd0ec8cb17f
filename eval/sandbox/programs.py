"""What the sandbox runs, and the order in which it is run and judged."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

OWN, ASSERTED, TESTS = "own", "asserted", "tests"


@dataclass(frozen=True)
class Program:
    """Code under test and the tests that call it. Without ``tests`` they are looked for in ``code``, see `parts`."""

    code: str
    tests: str | None = None


@dataclass(frozen=True)
class Part:
    """Statements that run together: the program's OWN in its process; an ASSERTED condition and TESTS at the judge.

    OWN statements and TESTS may still be text.
    """

    kind: str
    body: list[ast.stmt] | str


def parts(program: Program) -> list[Part]:
    """A program in the order of its statements. What Python cannot parse is a SyntaxError, here or when it is run.

    Given tests are one part after the code. Otherwise a test function that the last statement calls is one, and so is
    every assertion at the margin that looks at nothing private; all the rest is the program's own.
    """
    if program.tests is not None:
        return [Part(OWN, program.code), Part(TESTS, program.tests)]
    body = ast.parse(program.code).body
    last = _called(body)
    tests = [statement for statement in body if statement is last]
    found: list[Part] = []
    for statement in body[:-1] if tests else body:
        if statement is last:
            continue
        if isinstance(statement, ast.Assert) and _plain(statement):
            found.append(Part(ASSERTED, [statement]))
        elif found and found[-1].kind == OWN and isinstance(found[-1].body, list):
            found[-1].body.append(statement)
        else:
            found.append(Part(OWN, [statement]))
    return [*found, Part(TESTS, [*tests, body[-1]])] if tests else found


def wanted(body: Sequence[ast.stmt]) -> tuple[list[str], list[str]]:
    """The names that statements read without making them: those of no builtin, and those that a builtin has too."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    local = _made(nodes) | {node.arg for node in nodes if isinstance(node, ast.arg)}
    outer = list(_outside_functions(body))
    read = sorted((_read(outer) | _read(nodes) - local) - _made(outer))
    return [name for name in read if not hasattr(builtins, name)], [name for name in read if hasattr(builtins, name)]


def _made(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that are assigned, defined or imported."""
    made = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    made |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return made | {(one.asname or one.name).partition(".")[0] for node in imports for one in node.names}


def _read(nodes: Sequence[ast.AST]) -> set[str]:
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _outside_functions(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Statements and what they hold, functions themselves but not what is in them."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _outside_functions(list(ast.iter_child_nodes(node)))


def _called(body: Sequence[ast.stmt]) -> ast.stmt | None:
    """The test function, one with assertions, that the last statement calls."""
    match body[-1:]:
        case [ast.Expr(ast.Call(ast.Name(name)))]:
            made = [one for one in body if isinstance(one, ast.FunctionDef) and one.name == name]
            tests = bool(made) and any(isinstance(node, ast.Assert) for node in ast.walk(made[-1]))
            return made[-1] if tests and not made[-1].decorator_list else None
    return None


def _plain(statement: ast.stmt) -> bool:
    """True when nothing private is looked at: such a condition cannot reach the judge's own state."""
    nodes = list(ast.walk(statement))
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    attributes = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    return not any(name.startswith("_") for name in attributes) and not any(name.startswith("__") for name in names)
