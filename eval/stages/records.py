"""A file of records that grows while a stage runs, so that a killed run continues where it stopped."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from common.rows import jsonl_line, write_jsonl
from eval.items.jsonl import Row


class Records:
    """Records by id, in ``NAME.partial.jsonl`` of a folder until `finish` writes them in order to ``NAME.jsonl``.

    The first line of the partial file is the key of the run. What a run with another key has left is discarded, and so
    is everything from the first damaged line on.
    """

    def __init__(self, folder: Path, name: str, key: str) -> None:
        self._whole, self._partial = folder / f"{name}.jsonl", folder / f"{name}.partial.jsonl"
        self._lock = threading.Lock()
        earlier = _earlier(self._partial, key)
        self.records: dict[str, Row] = {row["id"]: row for row in earlier}
        # Rewritten without what is damaged, so that appending continues from a whole line.
        write_jsonl(self._partial, [{"key": key}, *earlier])
        self._file = self._partial.open("a", encoding="utf-8")

    def __enter__(self) -> Records:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Append the records whose ids are new. Safe to call from several threads."""
        for row in rows:
            with self._lock:
                if row["id"] not in self.records:
                    self.records[row["id"]] = row
                    self._file.write(jsonl_line(row))
        with self._lock:
            self._file.flush()

    def finish(self, ids: Sequence[str]) -> list[Row]:
        """Write the complete file in the order of ``ids``, delete the partial one, and return the rows."""
        rows = [self.records[name] for name in ids]
        write_jsonl(self._whole, rows)
        self._partial.unlink()
        return rows


def _earlier(partial: Path, key: str) -> list[Row]:
    """The complete records of an earlier run with the same key."""
    if not partial.exists():
        return []
    rows: list[Row] = []
    # What follows the last newline is a line that a kill has cut off.
    for text in partial.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]:
        try:
            rows.append(json.loads(text))
        except ValueError:
            break
    return rows[1:] if rows and rows[0] == {"key": key} else []
