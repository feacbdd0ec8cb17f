"""A judge's replies and their cost, kept on disk so that no prompt is sent or paid for twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from common.rows import jsonl_line
from eval.judge.prompts import Messages
from eval.spec.judge import Judge


@dataclass(frozen=True)
class JudgePrompt:
    """A conversation to send to a judge, and the number of the repetition (from 0)."""

    messages: Messages
    repeat: int

    @property
    def name(self) -> str:
        """32 hex digits of the conversation's SHA-256, and the repetition."""
        text = json.dumps(self.messages, sort_keys=True)
        return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}-{self.repeat}"


@dataclass(frozen=True)
class Reply:
    """A text, the numbers of tokens read and written for it, and 'length' where it was cut off."""

    text: str
    input_tokens: int
    output_tokens: int
    finish: str = "stop"


OnReply = Callable[[JudgePrompt, Reply], None]
"""Called with each reply as it arrives."""

Room = Callable[[JudgePrompt], AbstractContextManager[None]]
"""Entered for each call that costs money, with its prompt; raises ValueError when it may not be spent."""


class Replies:
    """The replies of one judge below ``folder``: one file per prompt and repetition.

    A file is complete or absent. When two processes send the same prompt at once, both get the reply stored first.
    """

    def __init__(self, folder: Path, judge: Judge) -> None:
        self._judge = [judge.model, judge.temperature, judge.max_tokens, judge.extra]
        # Only what shapes a reply is part of the name; repeats are numbered in the prompt's own name.
        self._folder = folder / "replies" / hashlib.sha256(json.dumps(self._judge).encode()).hexdigest()[:16]

    def find(self, prompt: JudgePrompt) -> Reply | None:
        """The stored reply; None when there is none or its file is damaged."""
        try:
            return Reply(**json.loads(self._path(prompt).read_bytes())["reply"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def keep(self, prompt: JudgePrompt, reply: Reply) -> Reply:
        """Store a reply unless there is one already; return the stored one."""
        path = self._path(prompt)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own, as another process may be storing the same reply.
        scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        record = {"judge": self._judge, "messages": prompt.messages, "reply": asdict(reply)}
        scratch.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)  # unlike a rename, this never replaces another process's reply
        first = self.find(prompt)
        if first is None:
            scratch.replace(path)  # the file there is damaged
        scratch.unlink(missing_ok=True)
        return first or reply

    def _path(self, prompt: JudgePrompt) -> Path:
        return self._folder / prompt.name[:2] / f"{prompt.name}.json"


class Ledger:
    """Dollars spent under one name by all processes on all machines: one file per process, one line per call."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / "spent" / name
        self._own = self._folder / f"{uuid.uuid4().hex}.jsonl"
        self._lock = threading.Lock()
        self._totals: dict[Path, tuple[int, float]] = {}  # by file: bytes read so far, and their sum

    def spent(self) -> float:
        """Dollars spent so far. Reads only what has been appended since the last call."""
        with self._lock:
            for path in self._folder.glob("*.jsonl"):
                start, total = self._totals.get(path, (0, 0.0))
                with path.open("rb") as file:
                    file.seek(start)
                    whole, newline, _ = file.read().rpartition(b"\n")  # a line may be half written
                total += sum(json.loads(entry)["dollars"] for entry in whole.split(b"\n") if entry)
                self._totals[path] = (start + len(whole) + len(newline), total)
            return sum(total for _, total in self._totals.values())

    def charge(self, name: str, dollars: float) -> None:
        """Add the cost of the reply with that name."""
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._own.open("a", encoding="utf-8") as file:
                file.write(jsonl_line({"reply": name, "dollars": dollars}))
