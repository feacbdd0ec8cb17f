"""A growing file of records: append-only while work goes on, so that a killed run goes on where it stood."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from common.rows import jsonl_line, write_jsonl
from eval.items.jsonl import Row


class Records:
    """Records by id, kept in ``NAME.partial.jsonl`` of a folder until `finish` puts them in order in ``NAME.jsonl``.

    The first line of the partial file holds the key of the run. What another key left behind is overwritten, and so is
    everything from the first damaged line on.
    """

    def __init__(self, folder: Path, name: str, key: str) -> None:
        self._whole, self._partial = folder / f"{name}.jsonl", folder / f"{name}.partial.jsonl"
        self._lock = threading.Lock()
        kept = _kept(self._partial, key)
        self.records: dict[str, Row] = {row["id"]: row for row in kept}
        write_jsonl(self._partial, [{"key": key}, *kept])
        self._file = self._partial.open("a", encoding="utf-8")

    def __enter__(self) -> Records:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Append records whose id is not there yet; several threads may."""
        for row in rows:
            with self._lock:
                if row["id"] not in self.records:
                    self.records[row["id"]] = row
                    self._file.write(jsonl_line(row))
        with self._lock:
            self._file.flush()

    def finish(self, ids: Sequence[str]) -> list[Row]:
        """Write the whole file in the order of ``ids``, drop the partial one, and return the rows."""
        rows = [self.records[name] for name in ids]
        write_jsonl(self._whole, rows)
        self._partial.unlink()
        return rows


def _kept(partial: Path, key: str) -> list[Row]:
    """The whole records that an earlier run under the same key left."""
    if not partial.exists():
        return []
    rows: list[Row] = []
    for text in partial.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]:
        try:
            rows.append(json.loads(text))
        except ValueError:
            break
    return rows[1:] if rows and rows[0] == {"key": key} else []
