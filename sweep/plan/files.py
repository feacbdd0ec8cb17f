"""What a plan must know of the user's files: a digest of their content and their number of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from common.digest import digest_of
from common.json_file import write_json
from common.rows import count_rows
from sweep.stages.stage import File
from sweep.stages.store import Store


class Files:
    """Digests and row counts, remembered in the store by path, size and time of change."""

    def __init__(self, store: Store) -> None:
        self.memory = store.root / "files.json"
        try:
            self.known: dict[str, dict[str, Any]] = json.loads(self.memory.read_bytes())
        except (FileNotFoundError, ValueError):
            self.known = {}
        self.seen: dict[str, dict[str, Any]] = {}
        self.fresh = False
        self.absent: dict[str, None] = {}

    def file(self, where: str, path: str, declared: bool = False) -> File:
        """The file or folder at ``path``; raises a ValueError that names ``where`` in the config it is asked for.

        With ``declared`` rows a plan can be made without the file: it is then only noted in ``absent``.
        """
        if declared and not Path(path).exists():
            self.absent[f"{where}={path}"] = None
            return File(Path(path).absolute(), "absent")
        return File(Path(path).absolute(), self._look(where, path)["digest"])

    def rows(self, where: str, path: str) -> int:
        """Number of rows (jsonl: lines that are not blank; json: list items; csv, parquet: rows)."""
        facts = self._look(where, path)
        if "rows" not in facts:
            facts["rows"] = _counted(where, Path(path))
            self.fresh = True
        return int(facts["rows"])

    def bytes(self, where: str, path: str) -> int:
        return int(self._look(where, path)["size"])

    def save(self) -> None:
        """Keep what was learned, for the next plan."""
        if self.fresh:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.memory, self.known)

    def _look(self, where: str, path: str) -> dict[str, Any]:
        place = Path(path).absolute()
        if str(place) not in self.seen:
            if not place.exists():
                raise ValueError(f"{where}={path} does not exist; give the path of an existing file")
            self.seen[str(place)] = self._recall(place)
        return self.seen[str(place)]

    def _recall(self, place: Path) -> dict[str, Any]:
        stamp = _stamp(place)
        facts = self.known.get(str(place))
        if facts is None or facts["stamp"] != stamp:
            facts = {"stamp": stamp, "size": stamp[0], "digest": digest_of(place)}
            self.known[str(place)] = facts
            self.fresh = True
        return facts


def _stamp(place: Path) -> list[int]:
    """Total size and newest change (ns) of a file or of everything in a folder."""
    parts = [p for p in place.rglob("*") if p.is_file()] if place.is_dir() else [place]
    stats = [p.stat() for p in parts]
    return [sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0), len(stats)]


def _counted(where: str, path: Path) -> int:
    try:
        return count_rows(path)
    except ValueError as problem:
        raise ValueError(f"{where}: {problem}") from None
