"""The test process: it runs the tests and asks the program's process for everything that the program defines.

The two processes share nothing but two pipes. So the program can reach neither the verdict, nor the tests, nor the
values they compare with; it can only answer, as a function does.
"""

from __future__ import annotations

import builtins
import importlib
import json
import marshal
from collections.abc import Callable, Sequence
from typing import Any

from eval.sandbox import conditions, messages, values
from eval.sandbox.copier import TESTS as OUR_SIDE
from eval.sandbox.copier import Copier
from eval.sandbox.messages import Channel
from eval.sandbox.parts import CONDITION, OWN, Part, parts
from eval.sandbox.programs import Program
from eval.sandbox.proxies import Handle, NotJudged

MAX_ANSWER_BYTES = 16 << 20
MODULES = {name: name for name in values.MODULES} | {"np": "numpy", "pd": "pandas"}


class ProgramEnded(BaseException):
    """The program's process has ended, or sends no more than part of an answer. No test may catch it."""


class RemoteProgram:
    """The program's process as the test process sees it. ``send`` gives it a line, ``receive`` waits for its answer."""

    def __init__(self, send: Callable[[bytes], object], receive: Callable[[], bytes]) -> None:
        self._send, self._receive = send, receive
        self._copier = Copier(OUR_SIDE, lambda number, name: Handle(number, self.ask), callable)
        self.ended = False
        self.garbled = False

    def ask(self, act: str, *arguments: Any, **named: Any) -> Any:
        """Let the program act, see `LoadedProgram.answer`; return a copy of the result, or raise the program's error.

        What it changes in place is changed here as well. Raises ProgramEnded when no answer comes, or none that
        `LoadedProgram` could have given: a test that catches errors must not take that for one.
        """
        message = self._copier.pack((arguments, tuple(named.items())))
        # After the changes have been noted: the program may still hold what the tests have changed and let go.
        reply = self._exchange({**message, "act": act, "dropped": self._copier.dropped()})
        while "call" in reply:
            answer = self._called(reply)
            reply = self._exchange({**answer, "dropped": []})
        value, error = self._read(lambda: messages.taken(reply, self._copier))
        # Where nothing was iterated, the end of an iteration could only cut short one of the tests.
        if isinstance(error, StopIteration | StopAsyncIteration) and act != "operate":
            raise RuntimeError(f"the program raised {type(error).__name__}")
        if error:
            raise error
        return value

    def _called(self, call: dict[str, Any]) -> dict[str, Any]:
        """Call a function of the tests, as the program asks."""
        function, arguments, named = self._read(lambda: self._copier.unpack(call))
        return messages.result_of(lambda: function(*arguments, **dict(named)), self._copier)

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        line = b""
        if not self.ended:
            try:
                self._send(messages.line(message))
                line = self._receive()
            except OSError:
                line = b""
        if not line or len(line) > MAX_ANSWER_BYTES:
            self.ended = True
            raise ProgramEnded
        reply: dict[str, Any] = self._read(lambda: {**json.loads(line)})
        return reply

    def _read(self, read: Callable[[], Any]) -> Any:
        """What ``read`` makes of an answer."""
        try:
            return read()
        except (MemoryError, NotJudged):
            raise
        except Exception:
            self.ended = self.garbled = True
            raise ProgramEnded from None


def remote_by(channel: Channel) -> RemoteProgram:
    """The program's process at the other end of the pipes."""
    return RemoteProgram(channel.send, lambda: channel.receive(MAX_ANSWER_BYTES))


def outcome(program: Program, remote: RemoteProgram) -> str:
    """Run the program and its tests: 'passed' once every part has run to its end, else 'STATUS DETAIL'.

    Raises ProgramEnded when the program's process gives no answer.
    """
    result = "passed"
    try:
        _run(parts(program), remote)
    except MemoryError:
        result = "memory MemoryError"
    except BaseException as error:
        result = _failed(*(getattr(error, "described", None) or messages.described(error)))
    # The tests may have caught the sign that they have seen no answer, or none that counts.
    if remote.garbled:
        return "crashed answered what is no answer"
    if remote.ended:
        raise ProgramEnded
    return _failed("NotJudged", NotJudged.raised[0]) if NotJudged.raised else result


def _failed(kind: str, message: str) -> str:
    """The outcome that names an error, on one line."""
    return f"failed {kind}: {message}".replace("\n", " ").replace("\r", " ")


def _run(ordered: Sequence[Part], remote: RemoteProgram) -> None:
    fetched: dict[str, Any] | None = None
    flags = 0
    for number, part in enumerate(ordered):
        if part.kind != OWN:
            _test(part, remote, _fetch(part, remote) if fetched is None else fetched)
            fetched = None
            continue
        code: str | bytes = part.body if isinstance(part.body, str) else b""
        if not code:
            compiled = compile(part.module(), "program", "exec", flags, dont_inherit=True)
            flags |= compiled.co_flags & _FUTURE
            code = marshal.dumps(compiled)
        # The names that the next part will need come with the same answer, which saves a round trip.
        after = next((names for follower in ordered[number + 1 : number + 2] if (names := _names(follower)[0])), [])
        found = remote.ask("run", code, tuple(after), False)
        fetched = _asked(after, found) if after else None


def _fetch(part: Part, remote: RemoteProgram) -> dict[str, Any]:
    """The program's objects that tests name. A builtin stays Python's own."""
    names, shared = _names(part)
    if names or not shared:
        return _asked(names, remote.ask("names", tuple(names), False)) if names else {}
    # The tests name nothing else, so the program may define a function of a builtin's name; but only that one.
    found = _asked(shared, remote.ask("names", tuple(shared), True))
    return found if len(found) == 1 else {}


def _asked(names: Sequence[str], found: Any) -> dict[str, Any]:
    """Of an answer, what was asked for: the program may say more, to replace what the tests use."""
    answered = dict(found)
    return {name: answered[name] for name in names if name in answered}


def _test(part: Part, remote: RemoteProgram, fetched: dict[str, Any]) -> None:
    """Run tests in this process with the program's objects that they name."""
    space: dict[str, Any] = {
        "__name__": "__main__",
        "__builtins__": builtins,
        conditions.TYPE: conditions.type_of,
        **fetched,
    }
    if modules := MODULES.keys() & fetched.keys():  # the program could answer with something of its own
        space |= {name: importlib.import_module(MODULES[name]) for name in modules & part.namespaces()}
    if part.kind == CONDITION:  # it may come from the program, so it gets nothing that could reach this process
        space |= {"__builtins__": dict(conditions.BUILTINS), conditions.ATTRIBUTE: conditions.attribute}
    exec(compile(conditions.guarded(part), "tests", "exec", dont_inherit=True), space)
    if part.kind == CONDITION and (names := part.assigned()):
        remote.ask("bind", *((name, space[name]) for name in names if name in space))


def _names(part: Part) -> tuple[list[str], list[str]]:
    """The names that tests need from the program, and those that builtins have too."""
    if part.kind == OWN:
        return [], []
    names, shared = part.names
    if part.kind == CONDITION:
        return [*names, *part.assigned(), *(name for name in shared if name not in conditions.BUILTINS)], shared
    return names, shared


_FUTURE = 0
for _name in __import__("__future__").all_feature_names:
    _FUTURE |= getattr(__import__("__future__"), _name).compiler_flag
