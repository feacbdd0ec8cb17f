"""The files of all sweeps in a store: which stages they use, and which of them cannot tell."""

from __future__ import annotations

import json
from pathlib import Path

from sweep.results import replaced
from sweep.stages.disk import SCRATCH
from sweep.stages.stage import StageRef
from sweep.stages.store import Store

FILE = "sweep.json"
"""The file in a sweep's folder that holds its cells and jobs."""

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""Raised when the file cannot be opened, is not JSON, or does not have the structure that `save` writes."""

REMEDY = "run that sweep's command again to write it anew, or remove its folder"


def used_stages(store: Store, given_up: Path | None = None) -> tuple[set[StageRef], list[str]]:
    """The stages of all sweeps in the store, and a sentence on each sweep whose stages cannot be told.

    Keys are read as they stand in the files, so a sweep that another version of the code planned counts too, and so
    does one that was replaced. Sweeps below the folder ``given_up`` do not count.
    """
    used: set[StageRef] = set()
    problems = []
    for path in sorted(store.root.glob(f"sweeps/**/{FILE}")):
        if given_up is None or not path.is_relative_to(given_up):
            try:
                used |= _stages_in(path)
            except UNREADABLE as problem:
                problems.append(f"{unreadable(path, problem)}; {_remedy(path.parent)}")
    for pattern in ("sweeps/*", f"sweeps/*/{replaced.FOLDER}/*"):
        for folder in sorted(store.root.glob(pattern)):
            if (given_up is None or not folder.is_relative_to(given_up)) and _is_lost(folder):
                problems.append(f"{folder} has lost its {FILE}; {_remedy(folder)}")
    return used, problems


def _stages_in(path: Path) -> set[StageRef]:
    """The stages of the sweep in a file. Raises one of `UNREADABLE`."""
    return {StageRef(job["kind"], job["key"]) for job in json.loads(path.read_bytes())["jobs"]}


def _is_lost(folder: Path) -> bool:
    """Whether the folder of a sweep holds anything of one, but not its file."""
    own = [path for path in folder.rglob("*") if path.relative_to(folder).parts[0] != replaced.FOLDER]
    return not any(path.name == FILE for path in own) and any(
        path.is_file() and not path.name.endswith(SCRATCH) for path in own
    )


def _remedy(folder: Path) -> str:
    if folder.parent.name == replaced.FOLDER:
        return f"give it up with: python -m sweep gc name={folder.parents[1].name} store={folder.parents[3]}"
    return REMEDY


def unknown_stages(folder: Path) -> str:
    """A sentence where the folder holds a sweep whose stages cannot be told and that a new one will take the place of.

    '' for any other.
    """
    path = folder / FILE
    try:
        problem = f"{folder} has lost its {FILE}" if _is_lost(folder) else ""
        if path.exists():
            _stages_in(path)
    except UNREADABLE as error:
        problem = unreadable(path, error)
    return problem and (
        f"{problem}; what is there is kept below {folder / replaced.FOLDER}, and gc removes no stage of the store "
        f"until you give it up with: python -m sweep gc name={folder.name} store={folder.parents[1]}"
    )


def unreadable(path: Path, problem: Exception) -> str:
    """That the file of a sweep cannot be read, and why."""
    reason = f"it has no {problem}" if isinstance(problem, KeyError) else str(problem)
    return f"{path} cannot be read ({reason})"
