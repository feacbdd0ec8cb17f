"""Remove the models of a sweep that its config need not keep, once all that is planned over them is scored."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path

from common.wording import plural
from sweep.config.kept_models import goes
from sweep.results.garbage import size_of
from sweep.results.saved_sweep import LOCK, SavedSweep, load
from sweep.results.sweep_files import FILE, used_stages
from sweep.stages import claims
from sweep.stages.claims import Busy
from sweep.stages.disk import SCRATCH, files_of, locked, remove, sync
from sweep.stages.stage import Stage, StageRef
from sweep.stages.store import SEAL, Damaged, Store

RECORDS = (SEAL, "record.json", "summary.json", "timings.json", "metrics.jsonl")
"""What stays of a model that is removed: what tables, reports, trackers and later plans read."""

REST = 10.0
"""How many times as long as a look through the store the next one waits."""


class Removal:
    """Removes the models of a saved sweep that it need not keep, as soon as they may go, or at its end.

    A model stays while a stage that is still to be built rests on it, while a process builds it, and while another
    sweep of the store names it.
    """

    def __init__(self, saved: SavedSweep, store: Store) -> None:
        self.saved, self.store = saved, store
        self.removed: list[str] = []  # the stages' names, such as train-0123456789abcdef
        self.size, self.shared = 0, 0
        self._tried: set[str] = set()
        self._next = 0.0

    @property
    def active(self) -> bool:
        """Whether any model is to be removed."""
        return self.saved.keep != "all"

    def while_running(self, missing: Collection[str]) -> None:
        """Remove what may go while the stages ``missing`` (keys) are still to be built.

        To look through the store takes long where it holds many stages, so that is done for each model once, and at
        most for a tenth of the time.
        """
        if not self.active or time.monotonic() < self._next:
            return
        begun = time.monotonic()
        free = {stage.key for stage in removable(self.saved, self.store, missing)} - self._tried
        if free:
            self._tried |= free
            with contextlib.suppress(ValueError, Damaged):  # at the end it is told
                self._remove()
        self._next = time.monotonic() + REST * (time.monotonic() - begun)

    def at_the_end(self) -> str:
        """Remove what is left; return a sentence on all that was removed, '' where there was nothing."""
        problem = self._remove() if self.active else ""
        if problem or not (self.removed or self.shared):
            return problem
        left = f"; {plural(self.shared, 'model')} that other sweeps name stay" if self.shared else ""
        return (
            f"keep={self.saved.keep}: removed {plural(len(self.removed), 'model')}, {self.size / 2**20:,.1f} MiB{left}"
        )

    def _remove(self) -> str:
        """Remove what may go by what the store holds; return why nothing is, '' otherwise."""
        store = self.store
        with locked(store.root / LOCK):  # a sweep that is saved later finds the models gone, and plans them anew
            saved = load(store, self.saved.name)  # another command may have added cells
            doomed = removable(saved, store, store.lacking(job.stage for job in saved.jobs.values()))
            others, unreadable = used_stages(store, store.sweep(saved.name) / FILE) if doomed else (set(), [])
            if unreadable:
                return f"keep={saved.keep}: no model is removed, as other sweeps may need them: {unreadable[0]}"
            free = [stage for stage in doomed if StageRef(stage.kind, stage.key) not in others]
            gone = {stage.name: aside for stage in free if (aside := _set_aside(stage, store))}
        self.removed += gone
        self.size, self.shared = self.size + size_of(gone.values()), len(doomed) - len(free)
        for folder in gone.values():
            remove(folder)
        return ""


def removable(saved: SavedSweep, store: Store, missing: Collection[str]) -> list[Stage]:
    """The models in the store that the sweep's ``keep`` lets go: scored, and none of the stages ``missing`` needs them.

    ``missing`` has the keys of the stages that are still to be built.
    """
    needed = set(missing)
    scored: set[str] = set()
    for key, job in reversed(list(saved.jobs.items())):  # a stage is seen after all that are made from it
        above = {node.key for node in job.stage.inputs.values()}
        needed |= above if key in needed else set()
        scored |= above if key in scored or job.stage.kind == "score" else set()
    last = {cell.trained[-1] for cell in saved.cells if cell.trained}
    trained = [job.stage for job in saved.jobs.values() if job.stage.kind == "train"]
    return [
        stage
        for stage in trained
        if stage.key in scored and stage.key not in needed and goes(stage, saved.keep, last)
        if store.own(stage).exists()
    ]


def _set_aside(stage: Stage, store: Store) -> Path | None:
    """Move a model into the trash, its records apart; None where a process is building it.

    A kill at any moment leaves the model whole or its records complete.
    """
    own, spent = store.own(stage), store.spent(stage)
    with contextlib.suppress(Busy), claims.held(store.claim(stage), uuid.uuid4().hex[:12]):
        scratch = spent.with_name(spent.name + SCRATCH)
        remove(scratch)
        scratch.mkdir(parents=True)
        for name in RECORDS:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(own / name, scratch / name)
        sync([*files_of(scratch), scratch])
        remove(spent)  # of an earlier model of this key
        scratch.rename(spent)
        sync([spent.parent])
        return store.set_aside(own)
    return None


def trained_again(missing: Iterable[Stage], store: Store) -> str:
    """A sentence on those of the stages to build whose models were removed after scoring; '' without any."""
    again = sum(stage.kind == "train" and store.spent(stage).exists() for stage in missing)
    return f"{plural(again, 'model')} to train again: removed after scoring (keep=)" if again else ""
