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

from common.rows import jsonl_line
from eval.judge.prompts import Messages
from eval.spec.judge import Judge


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
    """Dollars spent under one name, over all processes and machines: a file each, a line a call."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / "spent" / name
        self._own = self._folder / f"{uuid.uuid4().hex}.jsonl"
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[int, float]] = {}

    def spent(self) -> float:
        """The sum so far; reads what was appended since the last look."""
        with self._lock:
            for path in self._folder.glob("*.jsonl"):
                place, total = self._known.get(path, (0, 0.0))
                with path.open("rb") as file:
                    file.seek(place)
                    whole, newline, _ = file.read().rpartition(b"\n")
                total += sum(json.loads(entry)["dollars"] for entry in whole.split(b"\n") if entry)
                self._known[path] = (place + len(whole) + len(newline), total)
            return sum(total for _, total in self._known.values())

    def charge(self, name: str, dollars: float) -> None:
        """Add what the reply of that name has cost."""
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._own.open("a", encoding="utf-8") as file:
                file.write(jsonl_line({"reply": name, "dollars": dollars}))
