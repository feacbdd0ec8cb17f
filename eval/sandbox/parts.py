"""The parts of a program with its tests, in the order in which they run, and where each of them runs."""

from __future__ import annotations

import ast
import builtins
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from eval.sandbox.programs import Program

OWN, CONDITION, TESTS = "own", "condition", "tests"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Part:
    """Statements that run together: OWN ones in the program's process, a CONDITION or TESTS in the test process.

    A CONDITION stands in the program's own text, so it is allowed little, see `eval.sandbox.conditions`.
    """

    kind: str
    body: tuple[ast.stmt, ...] | str  # text where it need not be looked at

    def module(self) -> ast.Module | str:
        """What Python can compile."""
        return self.body if isinstance(self.body, str) else ast.Module(list(self.body), [])

    @property
    def statements(self) -> tuple[ast.stmt, ...]:
        return () if isinstance(self.body, str) else self.body

    @cached_property
    def names(self) -> tuple[list[str], list[str]]:
        """See `free_names`."""
        return free_names(self.statements)

    def namespaces(self) -> set[str]:
        """The names of which nothing but attributes are read."""
        nodes = [node for statement in self.statements for node in ast.walk(statement)]
        bases = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        names = [node for node in nodes if isinstance(node, ast.Name)]
        return {node.id for node in names} - {node.id for node in names if id(node) not in bases}

    def assigned(self) -> list[str]:
        """The names that its statements give a value, outside functions."""
        nodes = _outside_functions(self.statements)
        return sorted({node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)})


def parts(program: Program) -> list[Part]:
    """A program's parts, in the order of its statements.

    Separate tests are one part after the code. Without them the tests are looked for in the code: a statement at the
    margin that asserts something, also in a loop or below ``if __name__ == "__main__"``, and a function with
    assertions that a statement at the margin calls. All the rest is the program's own. Raises SyntaxError for code
    that Python cannot parse, and for a decorated test function, which the program could replace.
    """
    if program.tests is not None:
        return [Part(OWN, program.code), Part(TESTS, tuple(ast.parse(program.tests, "tests").body))]
    ordered: list[Part] = []
    body = list(_unguarded(ast.parse(program.code, "program").body))
    tests = _called_tests(body)
    for place, statement in enumerate(body):
        if statement in tests.values():
            continue
        if statement in tests:
            kind = TESTS if place == len(body) - 1 else CONDITION
            ordered.append(Part(kind, (tests[statement], statement)))
        elif _asserts(_outside_functions([statement])):
            ordered.append(Part(CONDITION, (statement,)))
        elif ordered and ordered[-1].kind == OWN:
            ordered[-1] = Part(OWN, (*ordered[-1].statements, statement))
        else:
            ordered.append(Part(OWN, (statement,)))
    return ordered


def _unguarded(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements, with those below ``if __name__ == "__main__"`` at the margin where there are tests among them."""
    for statement in body:
        match statement:
            case ast.If(ast.Compare(ast.Name("__name__"), [ast.Eq()], [ast.Constant("__main__")]), guarded, []):
                inner = _called_tests([*body, *guarded]).keys() & set(guarded)
                yield from guarded if inner or _asserts(_outside_functions(guarded)) else [statement]
            case _:
                yield statement


def _called_tests(body: Sequence[ast.stmt]) -> dict[ast.stmt, ast.stmt]:
    """The statements that do no more than call a function with assertions, and those functions.

    Of several statements that call the same one, the last; and no function that the rest of the program uses too.
    """
    functions = {one.name: one for one in body if isinstance(one, Function) and _asserts(ast.walk(one))}
    calls: dict[str, ast.stmt] = {}
    for statement in body:
        match statement:
            case ast.Expr(ast.Call(ast.Name(name))) if name in functions:
                calls[name] = statement
    own = [node for one in body if one not in calls.values() for node in ast.walk(one)]
    used = _read(own)
    tests = {call: functions[name] for name, call in calls.items() if name not in used or call is body[-1]}
    for function in tests.values():
        assert isinstance(function, Function)
        if function.decorator_list:
            raise SyntaxError(f"a decorated test function, {function.name}: its tests could be replaced")
    return dict(tests)


def _asserts(nodes: Iterator[ast.AST]) -> bool:
    return any(isinstance(node, ast.Assert) for node in nodes)


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
    names |= {node.name for node in nodes if isinstance(node, Function | ast.ClassDef)}
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return names | {(one.asname or one.name).partition(".")[0] for node in imports for one in node.names}


def _read(nodes: Sequence[ast.AST]) -> set[str]:
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _outside_functions(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of the statements except those inside a function."""
    for node in body:
        yield node
        if not isinstance(node, Function | ast.Lambda):
            yield from _outside_functions(list(ast.iter_child_nodes(node)))


def imported(program: Program) -> list[str]:
    """The modules that a program and its tests import anywhere, as far as Python can parse them."""
    names: set[str] = set()
    for text in (program.code, program.tests or ""):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    names |= {one.name for one in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return sorted(names)
