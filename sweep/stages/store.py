"""The store: one folder for each key, published whole by one rename, built by the process that holds the claim.

STORE/<kind>/<key>/          finished: stage.json (identity; sizes and digests of the files), record.json, the output
STORE/partial/<stage>.<owner>  work in progress; kept after a crash so that training goes on from it
STORE/claims/<stage>         the process that builds it (claims.py); touched while that process lives
STORE/failed/<stage>.json    the last failure, for people; never read to decide anything
STORE/logs/<stage>.log       what the last attempts printed
STORE/spent/<kind>/<key>/    the records of a model that was removed after it was scored; without its weights
STORE/trash/                 folders on their way out: moved here by one rename, then removed
STORE/code/<digest>/         a copy of the code that stages are built with (snapshot.py)
STORE/sweeps/<name>/         a sweep: its cells and its table
STORE/upstream.json          the stores whose stages are used too, and never changed (upstream.py)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from common.digest import digest_of
from common.json_file import write_json
from common.sweep_name import check_sweep_name
from sweep.stages import claims, upstream
from sweep.stages.claims import Busy
from sweep.stages.disk import cached_digest, files_of, remove, remove_scratch, sync
from sweep.stages.stage import Stage, StageRef, to_build

SEAL = "stage.json"
"""Written last into a stage's folder: its identity, and the size and digest of every file."""


class Damaged(RuntimeError):
    """A published folder no longer holds what was published."""


class Unreadable(Damaged):
    """A published folder that the file system does not let this process read, whatever it holds."""


class Store:
    """A store at ``root``. Several processes and machines may share it if it honours exclusive create and rename.

    Stages of the stores ``upstream``, and of those that it lists, count as its own.
    """

    def __init__(self, root: Path | str, upstream: Sequence[str] = ()) -> None:
        self.root = Path(root).absolute()
        self.upstream_names = tuple(upstream)

    def check(self, *, written: bool) -> None:
        """Raise a ValueError where the root is no folder, or cannot be ``written`` to."""
        if self.root.exists() and not self.root.is_dir():
            raise ValueError(f"store={self.root} is not a folder; give another place")
        try:
            if written:
                self.root.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=self.root):
                    pass
        except OSError as problem:
            raise ValueError(
                f"store={self.root} cannot be written to: {problem.strerror}; give another place"
            ) from None

    @cached_property
    def upstream(self) -> tuple[Path, ...]:
        """The stores read after this one. Raises a ValueError for one that is not there."""
        return upstream.folders(self.root, upstream.joined(self.root, self.upstream_names))

    def remember_upstream(self) -> None:
        """List the upstream stores in this one, for every process that opens it from now on."""
        upstream.remember(self.root, self.upstream_names)

    def own(self, stage: Stage | StageRef) -> Path:
        """The folder in this store to which the stage is published."""
        return self.root / stage.kind / stage.key

    def path(self, stage: Stage | StageRef) -> Path:
        """The folder of the stage once it is published: here, or else in the first upstream store that has it."""
        own = self.own(stage)
        if not own.exists():
            for root in self.upstream:
                if (folder := root / stage.kind / stage.key).exists():
                    return folder
        return own

    def spent(self, stage: Stage | StageRef) -> Path:
        """The folder for the records of a stage whose result was removed."""
        return self.root / "spent" / stage.kind / stage.key

    def records(self, stage: Stage | StageRef) -> Path:
        """The folder with the records of a stage that was built: its own, or what stays of it once it is removed."""
        spent = self.spent(stage)
        return spent if spent.exists() and not self.path(stage).exists() else self.path(stage)

    def partial(self, stage: Stage, owner: str) -> Path:
        """The private folder in which one owner builds the stage."""
        return self.root / "partial" / f"{stage.name}.{owner}"

    def log(self, stage: Stage) -> Path:
        return self.root / "logs" / f"{stage.name}.log"

    def failure(self, stage: Stage) -> Path:
        return self.root / "failed" / f"{stage.name}.json"

    def claim(self, stage: Stage) -> Path:
        return self.root / "claims" / stage.name

    @property
    def code(self) -> Path:
        return self.root / "code"

    def sweep(self, name: str) -> Path:
        return self.root / "sweeps" / check_sweep_name(name)

    def has(self, stage: Stage | StageRef) -> bool:
        """True when the stage is published. Raises `Damaged` when a file is missing or has another size.

        Reads stage.json and the sizes alone; `verify` also reads the contents.
        """
        folder = self.path(stage)
        if not folder.exists():
            return False
        self._check_sizes(folder)
        return True

    def lacking(self, stages: Iterable[Stage]) -> dict[str, Stage]:
        """The stages (parents before children) that have to be built, as `to_build` says; raises `Damaged` as `has`."""

        @cache
        def published(kind: str) -> set[str]:  # one look at a folder instead of one a stage
            folders = [root / kind for root in (self.root, *self.upstream)]
            return {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()}

        return to_build(stages, lambda stage: stage.key in published(stage.kind) and self.has(stage))

    def verify(self, folder: Path) -> None:
        """Raise `Damaged` unless every file of a published folder has the content that was published.

        A process reads a file once, as long as nobody changes it. Stages published before digests were recorded are
        checked by size.
        """
        for name, published in self._check_sizes(folder).get("digests", {}).items():
            try:
                present = cached_digest(folder / name)
            except OSError as problem:
                raise _unreadable(folder, problem) from None
            if present != published:
                raise Damaged(
                    f"{folder}/{name}: its digest was {published} when it was published and is {present} now; "
                    f"{self._remedy(folder)}"
                )

    def _check_sizes(self, folder: Path) -> Mapping[str, Any]:
        """The content of stage.json, after a check of the folder's identity and of the size of every file."""
        try:
            seal: dict[str, Any] = json.loads((folder / SEAL).read_bytes())
            key, files = _key(seal["identity"]), seal["files"].items()
        except FileNotFoundError:
            raise Damaged(f"{folder} has lost its {SEAL}; {self._remedy(folder)}") from None
        except OSError as problem:
            raise _unreadable(folder, problem) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Damaged(f"{folder}/{SEAL} cannot be read; {self._remedy(folder)}") from None
        if key != folder.name:
            raise Damaged(f"{folder} holds another stage than its name says; {self._remedy(folder)}")
        for name, size in files:
            present = _size(folder / name)
            if present is None:
                raise Damaged(f"{folder}/{name} is missing; {self._remedy(folder)}")
            if present != size:
                raise Damaged(
                    f"{folder}/{name}: {size} bytes were published, {present} are there; {self._remedy(folder)}"
                )
        return seal

    def _remedy(self, folder: Path) -> str:
        if not folder.is_relative_to(self.root):
            return (
                f"it lies in an upstream store, which {self.root} only reads: have its owner mend it, or leave that "
                f"store out of upstream= and {self.root / upstream.FILE}"
            )
        return f"remove it with: python -m sweep gc damaged=true store={self.root}; the next run builds it again"

    def owner(self, stage: Stage) -> dict[str, Any] | None:
        """The live process that builds the stage: owner name, host and pid; None without one. Removes a dead claim."""
        holder = claims.holder(self.claim(stage))
        if holder is None:
            claims.remove_dead(self.claim(stage))
        return holder

    def remove_dead_claims(self) -> None:
        """Remove the claims that killed processes left behind, those of published stages included."""
        claims.remove_all_dead(self.root / "claims")

    @contextlib.contextmanager
    def build(self, stage: Stage, owner: str) -> Iterator[Path]:
        """Claim ``stage`` for ``owner``, yield its private folder, and publish the folder when the block ends well.

        The work that an earlier, dead owner left is taken over by a rename, so that its process, should it still be
        running, loses the folder. Raises `Busy` when a live process holds the claim. After an exception the folder
        stays for the next attempt and nothing is published.
        """
        with claims.held(self.claim(stage), owner):
            part = self._adopt(stage, owner)
            try:
                yield part
            except Exception:
                if part.exists():
                    raise
                raise Busy(f"{stage.name}: another process took the work over") from None
            self._publish(stage, part)

    def _adopt(self, stage: Stage, owner: str) -> Path:
        """The owner's folder, holding the newest work that earlier owners left, if any."""
        part = self.partial(stage, owner)
        part.parent.mkdir(parents=True, exist_ok=True)
        earlier = sorted(part.parent.glob(f"{stage.name}.*"), key=lambda path: path.stat().st_mtime)
        if earlier and not part.exists():
            earlier.pop().rename(part)
            remove_scratch(part)
        for older in earlier:
            if older != part:
                remove(older)
        part.mkdir(exist_ok=True)
        return part

    def _publish(self, stage: Stage, part: Path) -> None:
        final = self.own(stage)
        try:
            _seal(stage, part)
        except FileNotFoundError:
            if part.exists():
                raise
            raise Busy(f"{stage.name}: another process took the work over") from None
        if not final.parent.exists():
            final.parent.mkdir(parents=True, exist_ok=True)
            sync([self.root])
        try:
            part.rename(final)
        except OSError:
            if not final.exists():  # else another process published the same work first, and its folder stays
                raise
        sync([final.parent])
        remove(part)
        self.failure(stage).unlink(missing_ok=True)

    def discard(self, path: Path) -> None:
        """Remove a folder or file of the store. A kill at any moment leaves it whole or gone, never in part."""
        remove(self.set_aside(path))

    def set_aside(self, path: Path) -> Path:
        """Move a folder or file of the store into the trash; return where it lies there."""
        trash = self.root / "trash"
        trash.mkdir(exist_ok=True)
        aside = trash / f"{path.name}.{uuid.uuid4().hex[:12]}"
        with contextlib.suppress(FileNotFoundError):  # another process took it
            path.rename(aside)
        return aside


def _seal(stage: Stage, part: Path) -> None:
    """Force every file to disk, write stage.json, and force it and the folders to disk, all before the rename."""
    remove_scratch(part)
    (part / SEAL).unlink(missing_ok=True)
    files = files_of(part)
    names = [str(path.relative_to(part)) for path in files]
    sizes = {name: path.stat().st_size for name, path in zip(names, files, strict=True)}
    digests = {name: digest_of(path) for name, path in zip(names, files, strict=True)}
    sync(files)
    write_json(part / SEAL, {"identity": json.loads(stage.text), "files": sizes, "digests": digests})
    sync([part / SEAL, part, *(path for path in part.rglob("*") if path.is_dir())])


def _unreadable(folder: Path, problem: OSError) -> Unreadable:
    return Unreadable(f"{folder} cannot be read ({problem}); check its permissions and its disk")


def _key(identity: Any) -> str:
    """The key of a stage, from the identity that its stage.json holds."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
