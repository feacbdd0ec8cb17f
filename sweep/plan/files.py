"""The user's files as a plan needs them: a digest of their content and their number of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from common.digest import digest_of
from common.json_file import write_json
from common.rows import count_rows
from common.wording import announce
from sweep.stages.disk import files_of, stamp
from sweep.stages.stage import File
from sweep.stages.store import Store

LARGE = 2**28
"""Bytes of a file or folder above which its reading is announced."""


class Files:
    """Digests, sizes and row counts of files, remembered in the store until a file's `stamp` changes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.memory = store.root / "files.json"
        try:
            self.facts: dict[str, dict[str, Any]] = json.loads(self.memory.read_bytes())
        except (FileNotFoundError, ValueError):
            self.facts = {}
        self.current: dict[str, dict[str, Any]] = {}
        self.fresh = False
        self.absent: dict[str, None] = {}

    def file(self, where: str, path: str, has_declared_rows: bool = False) -> File:
        """The file or folder at ``path``, the value of the config key ``where``.

        Raises a ValueError when it does not exist. With ``has_declared_rows`` a plan can be made without the file,
        which is then noted in ``absent``.
        """
        if has_declared_rows and not Path(path).exists():
            self.absent[f"{where}={path}"] = None
            return File(Path(path).absolute(), "absent")
        facts = self._look(where, path)
        return File(Path(path).absolute(), facts["digest"], facts["stamp"])

    def rows(self, where: str, path: str) -> int:
        """Number of rows (jsonl: lines that are not blank; json: list items; csv, parquet: rows).

        Raises a ValueError for a missing file and for one that cannot be parsed.
        """
        facts = self._look(where, path)
        if "rows" not in facts:
            facts["rows"] = _counted(where, Path(path))
            self.fresh = True
        return int(facts["rows"])

    def bytes(self, where: str, path: str) -> int:
        """Size of the file, or of all files in the folder. Raises a ValueError for a missing one."""
        return int(self._look(where, path)["size"])

    def save(self) -> None:
        """Write what this plan added to the store, for the next plan."""
        if self.fresh:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.memory, self.facts)

    def _look(self, where: str, path: str) -> dict[str, Any]:
        absolute = Path(path).absolute()
        if str(absolute) not in self.current:
            if not absolute.exists():
                raise ValueError(f"{where}={path} does not exist; give the path of an existing file")
            self.current[str(absolute)] = self._recall(absolute)
        return self.current[str(absolute)]

    def _recall(self, absolute: Path) -> dict[str, Any]:
        present = stamp(absolute)
        facts = self.facts.get(str(absolute))
        if facts is None or facts["stamp"] != present:
            size = sum(part.stat().st_size for part in files_of(absolute))
            if size > LARGE:
                announce(f"reading {absolute}, {size / 2**30:.1f} GiB, to recognise its content later")
            facts = {"stamp": present, "size": size, "digest": digest_of(absolute)}
            self.facts[str(absolute)] = facts
            self.fresh = True
        return facts


def _counted(where: str, path: Path) -> int:
    try:
        return count_rows(path)
    except ValueError as problem:
        raise ValueError(f"{where}: {problem}") from None
