"""What a condition may do. It runs in the test process, but stands in the text of the program that it judges.

So it must not reach that process: it has few builtins and statements, and attributes of plain values alone. Of objects
of the program every attribute is asked for in the program's own process.
"""

from __future__ import annotations

import ast
import builtins
import datetime
import decimal
import fractions
import re
import types
from typing import Any

from eval.sandbox.parts import CONDITION, Part
from eval.sandbox.proxies import Handle, NotJudged, ask_of
from eval.sandbox.values import MODULES

TYPE, ATTRIBUTE = ".type", ".attribute"  # names that no program can write

# Builtins that a condition may use; whatever else it names is looked up in the program.
PLAIN = (
    "abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float format frozenset hash "
    "hex int isinstance issubclass iter len list map max min next oct ord pow range repr reversed round set slice "
    "sorted str sum tuple zip"
)
BUILTINS: dict[str, Any] = {name: getattr(builtins, name) for name in PLAIN.split()}
BUILTINS |= {
    name: one for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, BaseException)
}

_STATEMENTS = (
    ast.Assert, ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.While, ast.If, ast.With, ast.Try,
    ast.Raise, ast.Pass, ast.Break, ast.Continue, ast.Return, ast.Import, ast.ImportFrom,
)  # fmt: skip
_MODULES = set(MODULES) - {"operator", "functools", "typing", "copy"}  # those can read attributes by name
_VALUES = (
    str, bytes, bytearray, int, float, complex, bool, list, tuple, dict, set, frozenset, range, slice, decimal.Decimal,
    fractions.Fraction, datetime.date, datetime.time, datetime.timedelta, re.Match, re.Pattern,
)  # fmt: skip
_LIBRARIES = ("collections", "array", "uuid", "pathlib", "pathlib._local")  # of further types; the last in Python 3.13
_OF_ARRAYS = ("T", "all", "any", "dtype", "item", "max", "mean", "min", "ndim", "shape", "size", "sum", "tolist")
_OF_ERRORS = ("args", "errno", "strerror", "filename", "code", "value", "name", "msg")
_FORMATS = ("format", "format_map")  # a format may name attributes


def guarded(part: Part) -> ast.Module:
    """The statements of tests, ready to be compiled. Raises NotJudged for a condition that does more than it may."""
    module = part.module()
    assert isinstance(module, ast.Module)
    if part.kind == CONDITION:
        _Guard(part.statements[0]).visit(module)
    for node in ast.walk(module) if "type" in part.names[1] else ():
        match node:
            case ast.Call(ast.Name("type") as name, [_], []):
                name.id = TYPE
    return module


class _Guard(ast.NodeTransformer):
    """Let a condition read attributes through `attribute` alone."""

    def __init__(self, test: ast.stmt) -> None:
        self._test = test

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load):
            raise NotJudged(f"an assertion beside an assignment to .{node.attr}: put the assertion at the margin")
        read = ast.Call(ast.Name(ATTRIBUTE, ast.Load()), [node.value, ast.Constant(node.attr)], [])
        return ast.fix_missing_locations(ast.copy_location(read, node))

    def generic_visit(self, node: ast.AST) -> ast.AST:
        is_test = node is self._test and isinstance(node, ast.FunctionDef)
        if isinstance(node, ast.stmt) and not is_test and not isinstance(node, _STATEMENTS):
            raise NotJudged(f"an assertion beside {type(node).__name__}: put the assertion at the margin")
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom):
            raise NotJudged(f"an assertion beside {type(node).__name__}")
        return super().generic_visit(node)


def _import(name: str, space: Any = None, local: Any = None, wanted: Any = (), level: int = 0) -> Any:
    """As ``import`` does, of the modules that a condition may use."""
    if name not in _MODULES or level:
        raise NotJudged(f"an assertion beside an import of {name}: put the import at the margin")
    module = __import__(name)
    return types.SimpleNamespace(**{one: attribute(module, one) for one in wanted}) if wanted else module


BUILTINS["__import__"] = _import


def attribute(value: Any, name: str) -> Any:
    """The attribute of a value, as far as a condition may read it."""
    if type(value) is Handle:
        return getattr(value, name)
    if name == "__class__":
        return type(value)
    if isinstance(value, type) and name == "__name__":
        return value.__name__
    if not name.startswith("_") and _may_read(value, name):
        found = getattr(value, name)
        if not isinstance(found, types.ModuleType):
            return _formatter(found) if name in _FORMATS else found
    raise NotJudged(f"an assertion reads .{name} of a {type(value).__name__}")


def _may_read(value: Any, name: str) -> bool:
    if isinstance(value, types.ModuleType):
        return value.__name__ in _MODULES
    if isinstance(value, BaseException):
        return name in _OF_ERRORS or name in vars(value)
    if isinstance(value, type):
        return issubclass(value, _VALUES) and name not in _FORMATS
    if isinstance(value, _VALUES):
        return True
    module = type(value).__module__
    return module in _LIBRARIES or (module == "numpy" and name in _OF_ARRAYS)


def _formatter(function: Any) -> Any:
    """A string's method that fills in its fields, unless these reach into values."""
    if re.search(r"\{[^{}]*[.\[]", function.__self__):
        raise NotJudged("a format in an assertion reads attributes")
    return function


def type_of(value: Any) -> Any:
    """As ``type``, with a class of the program for its objects."""
    return ask_of(value)("operate", "type", value) if type(value) is Handle else type(value)
