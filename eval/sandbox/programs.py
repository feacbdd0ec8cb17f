"""What the sandbox runs: programs with their tests, their limits and verdicts, and the order in which parts run."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

OWN, CONDITION, TESTS = "own", "condition", "tests"

MIN_MEMORY = 128 << 20


@dataclass(frozen=True)
class Program:
    """Code under test and the tests that call it. Without ``tests`` they are looked for in ``code``, see `parts`."""

    code: str
    tests: str | None = None


@dataclass(frozen=True)
class Limits:
    """What each process of a program may use: CPU seconds, rounded up to whole ones, and bytes of address space.

    By the clock a program may take three times its CPU seconds, since the machine may be busy. Raises ValueError for
    values that no program could run with.
    """

    seconds: float
    memory_bytes: int

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"seconds={self.seconds} must be above 0")
        if self.memory_bytes < MIN_MEMORY:
            raise ValueError(
                f"memory_bytes={self.memory_bytes} must be at least {MIN_MEMORY >> 20} MiB, which the interpreter "
                "itself needs"
            )


@dataclass(frozen=True)
class ProgramVerdict:
    """How a program ended. ``status`` is passed, failed, timeout, memory, crashed, or refused (it was never run).

    ``seconds`` is wall time, ``memory_bytes`` the peak resident memory, ``detail`` the kind and message of an error.
    """

    status: str
    seconds: float
    memory_bytes: int
    detail: str


@dataclass(frozen=True)
class ProgramPart:
    """Statements that run together: OWN ones in the program's process, a CONDITION or TESTS in the test process.

    A CONDITION is a single assertion of the program itself. OWN statements and TESTS may still be text.
    """

    kind: str
    body: list[ast.stmt] | str


def parts(program: Program) -> list[ProgramPart]:
    """A program's parts, in the order of its statements.

    Separate tests are one part after the code. Without them, a test function that the last statement calls is one, and
    so is every assertion at the margin that reads nothing private; all the rest is the program's own. Raises
    SyntaxError for code without separate tests that Python cannot parse; other code raises it when it is run.
    """
    if program.tests is not None:
        return [ProgramPart(OWN, program.code), ProgramPart(TESTS, program.tests)]
    body = ast.parse(program.code).body
    test = _called_test(body)
    ordered: list[ProgramPart] = []
    for statement in body[:-1] if test else body:
        if statement is test:
            continue
        if isinstance(statement, ast.Assert) and _is_public(statement):
            ordered.append(ProgramPart(CONDITION, [statement]))
        elif ordered and ordered[-1].kind == OWN and isinstance(ordered[-1].body, list):
            ordered[-1].body.append(statement)
        else:
            ordered.append(ProgramPart(OWN, [statement]))
    return [*ordered, ProgramPart(TESTS, [test, body[-1]])] if test else ordered


def free_names(body: Sequence[ast.stmt]) -> tuple[list[str], list[str]]:
    """The names that statements read without defining them: those that no builtin has, and those that one has."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    # A name that a function defines for itself is not looked up in the program.
    local = _defined(nodes) | {node.arg for node in nodes if isinstance(node, ast.arg)}
    outer = list(_outside_functions(body))
    read = sorted((_read(outer) | _read(nodes) - local) - _defined(outer))
    return [name for name in read if not hasattr(builtins, name)], [name for name in read if hasattr(builtins, name)]


def _defined(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that are assigned, defined or imported."""
    names = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    names |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return names | {(one.asname or one.name).partition(".")[0] for node in imports for one in node.names}


def _read(nodes: Sequence[ast.AST]) -> set[str]:
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _outside_functions(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of the statements except those inside a function."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _outside_functions(list(ast.iter_child_nodes(node)))


def _called_test(body: Sequence[ast.stmt]) -> ast.stmt | None:
    """The function with assertions that the last statement calls, if there is one."""
    match body[-1:]:
        case [ast.Expr(ast.Call(ast.Name(name)))]:
            functions = [one for one in body if isinstance(one, ast.FunctionDef) and one.name == name]
            asserts = bool(functions) and any(isinstance(node, ast.Assert) for node in ast.walk(functions[-1]))
            return functions[-1] if asserts and not functions[-1].decorator_list else None
    return None


def _is_public(statement: ast.stmt) -> bool:
    """Whether it reads no private name: such a condition cannot reach the test process's own state."""
    nodes = list(ast.walk(statement))
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    attributes = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    return not any(name.startswith("_") for name in attributes) and not any(name.startswith("__") for name in names)
