"""One grammar for every command: ``PROGRAM [verb] key=value ...``, read into typed dataclasses.

A command's options are a frozen dataclass whose fields are made by `option`. The same parser reads them for every verb
of every package, so booleans, numbers, lists and quotes are written alike everywhere, and ``--help`` is generated.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from common.interrupt import INTERRUPTED
from common.renames import note
from common.restore import made
from common.wording import closest, reason

Options = TypeVar("Options")

HELP = ("-h", "--help", "help")


@dataclass(frozen=True)
class Command:
    """One verb: its options, what it does in a sentence, and the function that runs it.

    The function returns the exit status, a text to print for a command that succeeded, or a `Result`.
    """

    options: type
    summary: str
    run: Callable[[Any], int | str | Result]


@dataclass(frozen=True)
class Result:
    """What a command found: a text for people, the same as plain values for programs, and the exit status."""

    text: str
    record: Any
    status: int = 0


def option(
    meaning: str,
    default: Any = dataclasses.MISSING,
    *,
    key: str = "",
    choices: Sequence[str] = (),
    default_text: str = "",
    formerly: str = "",
) -> Any:
    """A field of an options class; without ``default`` the option is required.

    ``key`` is its spelling on the command line where that is not the field's name (``from`` is a word of Python).
    ``choices`` are the values allowed. ``default_text`` describes a default that depends on the machine or the suite.
    ``formerly`` is an old spelling that is accepted for one more release.
    """
    metadata = {
        "meaning": meaning, "key": key, "choices": tuple(choices), "default_text": default_text, "formerly": formerly,
    }  # fmt: skip
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class AsJson:
    """The option of commands that return a `Result`."""

    json: bool = option("print the result as JSON, and nothing else on standard output", False)


def run(
    program: str,
    commands: Mapping[str, Command],
    words: Sequence[str],
    *,
    usage: str = "",
    errors: tuple[type[Exception], ...] = (ValueError, OSError),
) -> int:
    """Run one command; return its exit status.

    The verb is the first word without ``=``; the command named ``""`` runs without a verb. ``usage`` stands above the
    list of verbs in the help. ``errors`` are what a user can correct: one line on standard error and status 2. Without
    words the help is printed and nothing runs.
    """
    named = bool(words) and "=" not in words[0] and (words[0] in HELP or not words[0].startswith("-"))
    verb, rest = (words[0], words[1:]) if named else ("", words)
    try:
        if not words or verb in HELP:
            print(overview(program, commands, usage))
            return 0 if words else 2
        if verb not in commands:
            known = [name for name in commands if name]
            raise ValueError(f"{verb!r} is not a verb of {program}{near(verb, known)}; its verbs: {', '.join(known)}")
        command = commands[verb]
        if any(word in HELP for word in rest):
            usage = f"{program} {verb}".rstrip()
            print(f"{usage} [KEY=VALUE ...]\n\n{command.summary}\n\n{options_text(command.options)}")
            return 0
        return _printed(command, parse(command.options, rest))
    except BrokenPipeError:  # the reader of the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except errors as problem:
        print(f"error: {reason(problem)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def print_record(record: Any) -> None:
    """Print what a command found, as plain values, for programs."""
    print(json.dumps(record, ensure_ascii=False, indent=1), flush=True)


def _printed(command: Command, options: Any) -> int:
    """Run a command and print its result; with ``json``, what else it prints goes to standard error."""
    as_json = isinstance(options, AsJson) and options.json
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        result = command.run(options)
    if isinstance(result, int):
        return result
    if isinstance(result, str):
        result = Result(result, result)
    if as_json:
        print_record(result.record)
    elif result.text:
        print(result.text.rstrip("\n"), flush=True)
    return result.status


def parse(cls: type[Options], words: Iterable[str]) -> Options:
    """The options in ``key=value`` words. Raises ValueError that says of all mistakes at once what helps.

    Values are read by the field's type: booleans as true/false, yes/no, on/off or 1/0 in any case; ``null`` for None;
    lists as ``a,b`` or ``[a, b]``; dictionaries as ``{a: 1}``. One pair of quotes around a text is taken off.
    """
    fields = {_key(field): field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    renamed = {field.metadata["formerly"]: key for key, field in fields.items() if field.metadata["formerly"]}
    texts: dict[str, str | None] = {}
    problems: dict[str, list[str]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if key in renamed:
            note(key, renamed[key])
            key = renamed[key]
        if key not in fields:
            listed = ", ".join(f"{name}=" for name in fields) or "none"
            unknown = f"{word!r}: {key!r} is not an option{near(key, fields) or f'; the options: {listed}'}"
            problems[unknown] = closest(key, fields)
        elif not equals:
            problems[f"{word!r} has no value; write {key}=VALUE"] = [key]
        elif key in texts:
            problems[f"{key}= is given twice; keep one"] = [key]
        texts.setdefault(key, text if equals else None)
    if missing := [f"{key}=" for key, field in fields.items() if _required(field) and key not in texts]:
        problems[f"{', '.join(missing)} missing; --help says what to give"] = []
    hints = typing.get_type_hints(cls)
    actions = (
        (field.name, partial(_value, key, value, hints[field.name], field.metadata["choices"]))
        for key, field in fields.items()
        if (value := texts.get(key)) is not None
    )
    return made(cls, actions, problems)


def near(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'X'?`` for the known word nearest to ``word``, or an empty text when none is near."""
    return "".join(f"; did you mean {match!r}?" for match in closest(word, known))


def _key(field: dataclasses.Field[Any]) -> str:
    return str(field.metadata["key"] or field.name)


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(key: str, text: str, hint: Any, choices: Sequence[str]) -> Any:
    """``text`` as a value of the field's type."""
    kind, optional = _kind(hint)
    if optional and text.strip().lower() in ("null", "none"):
        return None
    value = _convert(key, text, kind)
    for one in value if isinstance(value, list) else [value]:
        if choices and one not in choices:
            listed = ", ".join(choices)
            raise ValueError(f"{key}={text}: {one!r} is unknown{near(str(one), choices)}; choose one of: {listed}")
    return value


def _kind(hint: Any) -> tuple[Any, bool]:
    """The type of a field without None, and whether None is allowed."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    (kind,) = (one for one in kinds if one is not type(None))
    return kind, type(None) in kinds


def _convert(key: str, text: str, kind: Any) -> Any:
    plain = _unquoted(text.strip())
    if kind is str:
        return _unquoted(text)
    if kind is bool and plain.lower() in BOOLEANS:
        return BOOLEANS[plain.lower()]
    if kind == list[str]:
        items = plain[1:-1] if plain.startswith("[") and plain.endswith("]") else plain
        parts = [_unquoted(part.strip()) for part in items.split(",")]
        if all(parts):
            return parts
    elif kind is not bool:
        with contextlib.suppress(ValueError, TypeError):
            value = kind(plain) if kind in (int, float) else _dictionary(plain, kind)
            if not isinstance(value, float) or math.isfinite(value):
                return value
    raise ValueError(f"{key}={text} is not {KINDS[typing.get_origin(kind) or kind]}")


def _dictionary(text: str, kind: Any) -> Any:
    from omegaconf import OmegaConf  # takes as long to import as all the rest of a small command
    from omegaconf.errors import OmegaConfBaseException

    try:
        typed = OmegaConf.structured(dataclasses.make_dataclass("Value", [("value", kind)]))
        return OmegaConf.to_container(OmegaConf.merge(typed, OmegaConf.from_dotlist([f"value={text}"])))["value"]  # type: ignore[call-overload, index]
    except OmegaConfBaseException as error:
        raise ValueError(text) from error


BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "y", "1"), True),
    **dict.fromkeys(("false", "no", "off", "n", "0"), False),
}

KINDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", list: "a list such as a,b",
         dict: "a dictionary such as {a: 1, b: 2}"}  # fmt: skip
"""What a value of each type is called in an error."""


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def overview(program: str, commands: Mapping[str, Command], usage: str = "") -> str:
    """How to call a program, and its verbs with a sentence each."""
    width = max(len(name) for name in commands)
    lines = [usage or f"{program} [VERB] [KEY=VALUE ...]\n"]
    lines += [f"  {name:<{width}}  {command.summary}" for name, command in commands.items() if name]
    if "" in commands:
        lines += ["", f"Without a verb: {commands[''].summary}", "", options_text(commands[""].options)]
    return "\n".join([*lines, "", f"{program} VERB --help lists the options of a verb."])


def options_text(options: type) -> str:
    """Each option of a class with its key, type, default and meaning: required ones first, inherited ones last."""
    hints, own = typing.get_type_hints(options), options.__annotations__
    lines = []
    for field in sorted(dataclasses.fields(options), key=lambda one: (not _required(one), one.name not in own)):
        head = f"  {_key(field)}={_type_name(hints[field.name], field.metadata['choices'])}"
        default = "required" if _required(field) else f"default: {_default(field)}"
        lines += [f"{head}  ({default})"]
        lines += textwrap.wrap(field.metadata["meaning"], 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.metadata["default_text"]:
        return str(field.metadata["default_text"])
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    match value:
        case None | "":
            return "none"
        case bool():
            return str(value).lower()
        case list() | dict():
            return ",".join(map(str, value)) or "none"
    return str(value)


def _type_name(hint: Any, choices: Sequence[str]) -> str:
    kind, _ = _kind(hint)
    names = {str: "TEXT", int: "INTEGER", float: "NUMBER", bool: "true|false", list: "TEXT,...", dict: "{KEY: VALUE}"}
    return "|".join(choices) or names[typing.get_origin(kind) or kind]
