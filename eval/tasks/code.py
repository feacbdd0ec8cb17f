"""Find the code in a model's answer, and aggregate how programs ended."""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Sequence
from itertools import islice

from eval.items.jsonl import Row
from eval.items.metrics import Metric, by_item, mean, pass_at_k, present, rate

FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<body>.*?)(?:^[ \t]*(?P=fence)|\Z)", re.MULTILINE | re.DOTALL
)
STARTS = re.compile(r"^(?:from |import |def |async def |class |@|\w+ *= *\S)", re.MULTILINE)
SURE = re.compile(r"(?:async )?def \w+ ?\(|class \w+ ?[:(]|@\w")  # no sentence begins like this
SPACE = re.compile(r"\A (?=(?: {4})*\S)")  # some chat templates put one space between prompt and answer
MARGIN = re.compile(r"^(?![ \t\n)\]}]|\Z)(?!else\b|elif\b|except\b|finally\b)", re.MULTILINE)
MAX_TRIES = 20  # places where code may start, and statements cut off behind it
MAX_CHARACTERS = 20_000  # of an answer; a function that solves a problem is far shorter
KS = (5, 10, 100)


def cleaned(text: str) -> str:
    """The first `MAX_CHARACTERS` of an answer, with plain line ends and without a template's leading space."""
    return SPACE.sub("", text[:MAX_CHARACTERS].replace("\r\n", "\n"))


def definition(name: str) -> re.Pattern[str]:
    """A pattern for a definition of that function at the margin, or for a value of that name such as a lambda."""
    return re.compile(rf"^(?:(?:async )?def {re.escape(name)}\b|{re.escape(name)} *(?::[^=\n]*)?=(?!=))", re.MULTILINE)


def blocks(text: str) -> list[str]:
    """The fenced blocks of a text, without the indentation of their fence."""
    found = []
    for match in FENCE.finditer(text):
        width = len(match["indent"])
        lines = match["body"].split("\n")
        found.append("\n".join(line[width:] if not line[:width].strip() else line for line in lines))
    return found


def definition_in(text: str, name: str, given: str = "") -> str | None:
    """The code in an answer that defines that function; None where none does.

    It is the last fenced block that defines the function and holds all it needs, besides what ``given`` defines; else
    the blocks together, else the code in the text.
    """
    defines, found = definition(name), blocks(text)
    defining = [place for place, block in enumerate(found) if defines.search(block)]
    known = _bound(given)
    for place in reversed(defining):
        if (part := function(found[place], defines)) and not _lacking(part, known):
            return part
    if defining:
        # What is not Python, such as a shell command or its output, is no part of the answer.
        earlier = [block for block in found[: defining[-1]] if _parse_error(block) is None and _bound(block)]
        return function("\n".join([*earlier, found[defining[-1]]]), defines)
    return function(text, defines) if defines.search(text) else None


def function(code: str, defines: re.Pattern[str]) -> str:
    """``code`` from its first import, definition or constant on, without what follows the function and is not Python.

    Code that is broken before or in the function stays as it is, and fails as it does in Python.
    """
    for match in islice(STARTS.finditer(code), MAX_TRIES):
        # Text before the code may itself look like code, so starts are tried until the function is found.
        part = code[match.start() :]
        cut = _cut_behind(part, defines)
        if cut is not None:
            return without_input(cut)
        if SURE.match(part):
            return part
    return code


def _cut_behind(code: str, defines: re.Pattern[str]) -> str | None:
    """``code`` without the statements behind the function from a broken one on; None where it is broken before."""
    for _ in range(MAX_TRIES):
        defined = list(defines.finditer(code))
        error = _parse_error(code)
        if not defined or not isinstance(error, SyntaxError | None):
            return None
        if error is None:
            return code
        ends = [0, *(match.end() for match in re.finditer("\n", code)), len(code)]
        broken = ends[min(error.lineno or 1, len(ends) - 1)]
        starts = [match.start() for match in MARGIN.finditer(code, 0, broken)]
        last = defined[-1].start() if _parse_error(code[: defined[-1].start()]) is None else defined[0].start()
        if not starts or starts[-1] <= last:
            return None
        code = code[: starts[-1]]
    return None


def without_input(code: str) -> str:
    """Code without the statements at the margin, from the first on that reads what a user types; definitions stay."""
    body = ast.parse(code).body
    asking = [number for number, statement in enumerate(body) if not _defines(statement) and _reads_input(statement)]
    if not asking:
        return code
    lines = code.split("\n")
    for statement in body[asking[0] :]:
        if not _defines(statement):
            lines[statement.lineno - 1 : statement.end_lineno] = [""] * (
                (statement.end_lineno or 0) - statement.lineno + 1
            )
    return "\n".join(lines)


def _defines(statement: ast.stmt) -> bool:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
    return isinstance(statement, kinds)


def _reads_input(statement: ast.stmt) -> bool:
    nodes = list(ast.walk(statement))
    named = any(isinstance(node, ast.Name) and node.id == "input" for node in nodes)
    return named or any(isinstance(node, ast.Attribute) and node.attr == "stdin" for node in nodes)


def _lacking(code: str, known: set[str]) -> set[str]:
    """The names that code reads and neither it nor Python defines; with ``*`` where it cannot be parsed."""
    if _parse_error(code) is not None:
        return {"*"}
    nodes = list(ast.walk(ast.parse(code)))
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bound = _bound(code)
    return set() if "*" in bound else read - bound - known - set(dir(builtins)) - {"__name__", "__file__"}


def _bound(code: str) -> set[str]:
    """All names that code binds anywhere: imports, definitions, arguments and assignments; none if it is not Python."""
    if _parse_error(code) is not None:
        return set()
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
    return names


def is_python(code: str) -> bool:
    return _parse_error(code) is None


def _parse_error(code: str) -> Exception | None:
    """Why Python cannot parse ``code``; None when it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unknown escapes in the model's code
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def verdict(program: str, entry_point: str, status: str) -> Row:
    """``correct``: the program passed; ``status`` of the sandbox; ``parsed``: it is Python and defines the function."""
    parsed = bool(definition(entry_point).search(program)) and _parse_error(program) is None
    return {"correct": status == "passed", "status": status, "parsed": parsed, "extracted": program}


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy`` (pass@1), ``timeout_rate``, and ``pass@k`` for each k in `KS` up to the answers that all items have.

    Standard errors are clustered by item.
    """
    # Too many timeouts say that the limit, not the model, was measured.
    timeouts = [{**row, "late": row["status"] == "timeout"} for row in scores]
    groups = [[bool(row["correct"]) for row in rows] for rows in by_item(scores)]
    fewest = min(map(len, groups), default=0)
    pass_at = [
        mean(f"pass@{k}", [pass_at_k(len(right), sum(right), k) for right in groups]) for k in KS if 1 < k <= fewest
    ]
    return present(rate("accuracy", scores, "correct"), *pass_at, rate("timeout_rate", timeouts, "late"))
