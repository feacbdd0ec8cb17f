"""Config keys that got a clearer name. Their old spelling is accepted for one release, with a note on standard error.

Old names are replaced where they come in: on the command line, in YAML files and in what earlier sweeps have saved.
Behind those edges only the new names exist.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

_SOURCE = {"samples": "num_rows", "fields": "columns", "held_out": "held_out_rows", "on_long": "on_overlong"}
_TASK = {"seconds": "time_limit_seconds", "items": "max_items", "samples": "answers_per_item", "fields": "columns"}

RENAMED = {
    "total": "total_samples",
    "repeat": "allow_repeats",
    "rounding": "sample_rounding",
    "arm": "ratio_arm",
    "suite.engine": "backend",
    "suite.judging": "judge_client",
    "suite.batch_rows": "eval_batch_size",
    **{f"data.{part}.*.{old}": new for part in ("sources", "corpus") for old, new in _SOURCE.items()},
    **{f"suite.tasks.*.{old}": new for old, new in _TASK.items()},
}
"""Old keys, in which ``*`` stands for any name, and the new name of their last part."""

GROUPS = ("arm",)
"""The renamed keys that are groups, folders of conf/."""

EXCLUDE = "exclude"
"""The key below which the keys of dictionaries are whole dotted keys."""

KeyPath = tuple[str, ...]

_PATTERNS = {old: old.split(".") for old in RENAMED}
_OVERRIDE = re.compile(r"(\+\+|\+|~|)([^=@]*)(@[^=]*)?(=.*)?", re.DOTALL)
_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\$\{|[{}\[\],:]|[^{}\[\],:'"$]+|.""", re.DOTALL)
_REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_][\w.]*)\}")
_GROUP = re.compile(rf"((?:override |optional )*/?)({'|'.join(GROUPS)})(?=[@/]|$)")


def current_key(key: str, *, noted: bool = False) -> str:
    """A dotted key in its current spelling; ``noted`` tells the user if that is another one."""
    return ".".join((_noted if noted else _current)(tuple(key.split("."))))


def old_group(group: str) -> str | None:
    """The former name of a group, below which a user's own choices may still lie."""
    return next((old for old in GROUPS if RENAMED[old] == group), None)


def current_override(text: str) -> str:
    """An override of Hydra's grammar (``key=value``, ``+key=value``, ``~key``, ``group@package=choice``)."""
    match = _OVERRIDE.fullmatch(text)
    if match is None or (match[4] is None and match[1] != "~"):
        return text
    path = _noted(tuple(match[2].split(".")))
    value = _references(_value(match[4] or "", path), path[:-1])
    return f"{match[1]}{'.'.join(path)}{match[3] or ''}{value}"


def current_tree(tree: Any, path: KeyPath = ()) -> Any:
    """What a YAML file sets below ``path``. Raises a ValueError where a key is there under its old and its new name."""
    if isinstance(tree, dict):
        renamed: dict[Any, Any] = {}
        for name, value in tree.items():
            new = _name(name, path) if isinstance(name, str) else name
            if new in renamed:
                raise ValueError(f"{'.'.join((*path, new))} is given twice, once under its old name; keep one")
            renamed[new] = current_tree(value, (*path, str(new)))
        return renamed
    if isinstance(tree, list):
        return [current_tree(item, (*path, str(place))) for place, item in enumerate(tree)]
    return _references(tree, path[:-1]) if isinstance(tree, str) else tree


def current_defaults(defaults: Sequence[Any]) -> list[Any]:
    """The defaults list of a config, with groups by their current names."""

    def current(text: str) -> str:
        match = _GROUP.match(text)
        return f"{match[1]}{_noted((match[2],))[0]}{text[match.end() :]}" if match else text

    return [
        {current(name): choice for name, choice in item.items()} if isinstance(item, dict) else current(item)
        for item in defaults
    ]


@cache
def _current(path: KeyPath) -> KeyPath:
    names = list(path)
    for old in _matching(path):
        names[old.count(".")] = RENAMED[old]
    return tuple(names)


def _matching(path: KeyPath) -> list[str]:
    """The old keys on the way to ``path``."""
    return [
        old
        for old, parts in _PATTERNS.items()
        if len(parts) <= len(path) and all(part in ("*", name) for part, name in zip(parts, path, strict=False))
    ]


def _noted(path: KeyPath) -> KeyPath:
    """The current spelling of ``path``, with a note to the user if that is another one."""
    for old in _matching(path):
        pattern = old.replace("*", "NAME")
        note(pattern, ".".join([*pattern.split(".")[:-1], RENAMED[old]]))
    return _current(path)


@cache
def note(old: str, new: str) -> None:
    """Tell the user, once a process, that a name has changed."""
    print(f"note: {old} is now {new}; the old name is accepted for one more release", file=sys.stderr)


def _name(name: str, path: KeyPath) -> str:
    """The current spelling of a name in a dictionary at ``path``."""
    return current_key(name, noted=True) if path[:1] == (EXCLUDE,) else _noted((*path, name))[-1]


def _references(text: str, parent: KeyPath) -> str:
    """A text with its interpolations, such as ``${suite.engine}`` or ``${.items}``, in their current spelling."""

    def current(match: re.Match[str]) -> str:
        base = parent[: max(len(parent) - len(match[1]) + 1, 0)] if match[1] else ()
        return f"${{{match[1]}{'.'.join(_noted((*base, *match[2].split('.')))[len(base) :])}}}"

    return _REFERENCE.sub(current, text)


@dataclass
class _Bracket:
    """An open bracket in a value: which one, the path of what is in it, and the key of the entry being read."""

    kind: str
    path: KeyPath
    key: str | None = None


def _value(text: str, path: KeyPath) -> str:
    """The text of an override's value with the keys of its dictionaries in their current spelling."""
    open_brackets = [_Bracket("", path)]
    tokens = []
    for token in _TOKEN.findall(text):
        inner = open_brackets[-1]
        match token:
            case "{" | "[" | "${":
                place = {"{": inner.key or "", "[": "0"}.get(inner.kind)
                open_brackets.append(_Bracket(token, inner.path if place is None else (*inner.path, place)))
            case "}" | "]" if len(open_brackets) > 1:
                open_brackets.pop()
            case ",":
                inner.key = None
            case _ if inner.kind == "{" and inner.key is None and (name := token.strip()):
                inner.key = _name(name, inner.path)
                token = token.replace(name, inner.key)
        tokens.append(token)
    return "".join(tokens)
