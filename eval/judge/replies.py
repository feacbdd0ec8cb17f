"""What a judge has said and what it has cost, kept on disk so that nothing is asked or paid twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.judge.prompts import Messages
from eval.judge.spec import Judge
from eval.rows import line


@dataclass(frozen=True)
class Question:
    """A prompt put for the ``repeat``-th time (from 0)."""

    messages: Messages
    repeat: int

    @property
    def name(self) -> str:
        text = json.dumps(self.messages, sort_keys=True)
        return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}-{self.repeat}"


@dataclass(frozen=True)
class Reply:
    """What the judge said, and the tokens it took."""

    text: str
    input_tokens: int
    output_tokens: int


class Replies:
    """One file a reply under ``folder``, named by judge, prompt and repeat.

    Files appear whole or not at all. When two processes ask the same at once, the first reply stands for both.
    """

    def __init__(self, folder: Path, judge: Judge) -> None:
        self._judge = [judge.model, judge.temperature, judge.max_tokens, judge.extra]
        self._folder = folder / "replies" / hashlib.sha256(json.dumps(self._judge).encode()).hexdigest()[:16]

    def find(self, question: Question) -> Reply | None:
        """The reply that is kept; None when there is none, or its file was damaged."""
        try:
            return Reply(**json.loads(self._path(question).read_bytes())["reply"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def keep(self, question: Question, reply: Reply) -> Reply:
        """Keep a reply, unless somebody did so before; return the one that is kept."""
        path = self._path(question)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        record = {"judge": self._judge, "messages": question.messages, "reply": asdict(reply)}
        scratch.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
        first = self.find(question)
        if first is None:
            scratch.replace(path)  # what stood there was damaged
        scratch.unlink(missing_ok=True)
        return first or reply

    def _path(self, question: Question) -> Path:
        return self._folder / question.name[:2] / f"{question.name}.json"


class Ledger:
    """Dollars spent under one name, over all processes: a line a call, appended in one write."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / "spent" / f"{name}.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock, self._read, self._sum = threading.Lock(), 0, 0.0

    def spent(self) -> float:
        """The sum so far; reads what was appended since the last look."""
        with self._lock:
            if self._path.exists():
                with self._path.open("rb") as file:
                    file.seek(self._read)
                    whole = file.read().rpartition(b"\n")[0]
                self._read += len(whole) + 1 if whole else 0
                self._sum += sum(json.loads(entry)["dollars"] for entry in whole.split(b"\n") if entry)
            return self._sum

    def charge(self, name: str, dollars: float) -> None:
        entry = line({"reply": name, "dollars": dollars}).encode()
        number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(number, entry)
        finally:
            os.close(number)
