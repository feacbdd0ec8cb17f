"""The store: one folder for each key, published whole by one rename, built by whoever holds the claim.

STORE/<kind>/<key>/          finished: stage.json (identity, files and their sizes), record.json, the output
STORE/partial/<stage>.<owner>  work in progress; kept after a crash so that training goes on from it
STORE/claims/<stage>         who works on it: owner, host, pid; touched while the owner lives
STORE/failed/<stage>.json    the last failure, for people; never consulted to decide anything
STORE/logs/<stage>.log       what the last attempts printed
STORE/sweeps/<name>/         a sweep: its cells and its table
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.json_file import write_json
from sweep.stages.stage import Stage

HEARTBEAT_SECONDS = 10.0
EXPIRY_SECONDS = 90.0
"""A claim that has not been touched for so long is dead. On the claim's own host a dead process is noticed at once."""


class Damaged(RuntimeError):
    """A published folder is not what was published."""


class Busy(RuntimeError):
    """Another living process holds the claim of the stage."""


class Store:
    """A store at ``root``. Several processes and machines may share it if it honours exclusive create and rename."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()

    def path(self, stage: Stage) -> Path:
        return self.root / stage.kind / stage.key

    def log(self, stage: Stage) -> Path:
        return self.root / "logs" / f"{stage.name}.log"

    def failure(self, stage: Stage) -> Path:
        return self.root / "failed" / f"{stage.name}.json"

    def claim(self, stage: Stage) -> Path:
        return self.root / "claims" / stage.name

    def sweep(self, name: str) -> Path:
        return self.root / "sweeps" / name

    def has(self, stage: Stage) -> bool:
        """True when the stage is published. Raises `Damaged` when the folder is not what was published."""
        folder = self.path(stage)
        if not folder.exists():
            return False
        try:
            seal = json.loads((folder / "stage.json").read_bytes())
        except FileNotFoundError:
            raise Damaged(f"{folder} has lost its stage.json; {self._remedy}") from None
        except ValueError:
            raise Damaged(f"{folder}/stage.json cannot be read; {self._remedy}") from None
        if seal["identity"] != json.loads(stage.text):
            raise Damaged(f"{folder} holds another stage than its name says; {self._remedy}")
        for name, size in seal["files"].items():
            found = _size(folder / name)
            if found != size:
                raise Damaged(f"{folder}/{name}: {size} bytes were published, {found} are there; {self._remedy}")
        return True

    @property
    def _remedy(self) -> str:
        return f"remove it with: python -m sweep gc damaged=true store={self.root}; the next run builds it again"

    def owner(self, stage: Stage) -> dict[str, Any] | None:
        """Who works on the stage now; None when nobody alive does."""
        try:
            return None if _dead(self.claim(stage)) else json.loads(self.claim(stage).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    @contextlib.contextmanager
    def build(self, stage: Stage, owner: str) -> Iterator[Path]:
        """Claim ``stage`` for ``owner``, hand out its private folder, publish the folder when the block ends well.

        What an earlier, dead owner left in its folder is taken over by a rename, so its process, should it still
        live, loses the folder. Raises `Busy` when a living process holds the claim. After an exception the folder
        stays for the next attempt and nothing is published.
        """
        with self._claimed(stage, owner):
            part = self._adopt(stage, owner)
            yield part
            self._publish(stage, part)

    @contextlib.contextmanager
    def _claimed(self, stage: Stage, owner: str) -> Iterator[None]:
        claim = self.claim(stage)
        claim.parent.mkdir(parents=True, exist_ok=True)
        _take(claim, owner)
        stop = threading.Event()
        beat = threading.Thread(target=_beat, args=(claim, owner, stop), daemon=True)
        beat.start()
        try:
            yield
        finally:
            stop.set()
            beat.join()
            if _owner(claim) == owner:
                claim.unlink(missing_ok=True)

    def partial(self, stage: Stage, owner: str) -> Path:
        """The private folder of one owner of the stage."""
        return self.root / "partial" / f"{stage.name}.{owner}"

    def _adopt(self, stage: Stage, owner: str) -> Path:
        part = self.partial(stage, owner)
        part.parent.mkdir(parents=True, exist_ok=True)
        left = sorted(part.parent.glob(f"{stage.name}.*"), key=lambda path: path.stat().st_mtime)
        if left and not part.exists():
            left.pop().rename(part)
        for older in left:
            if older != part:
                shutil.rmtree(older, ignore_errors=True)
        part.mkdir(exist_ok=True)
        return part

    def _publish(self, stage: Stage, part: Path) -> None:
        if not part.exists():
            raise Busy(f"{stage.name}: another process took the work over")
        files = {str(p.relative_to(part)): p.stat().st_size for p in sorted(part.rglob("*")) if p.is_file()}
        files.pop("stage.json", None)
        write_json(part / "stage.json", {"identity": json.loads(stage.text), "files": files})
        final = self.path(stage)
        final.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # somebody else published the same work first: theirs stands
            part.rename(final)
        shutil.rmtree(part, ignore_errors=True)
        self.failure(stage).unlink(missing_ok=True)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _take(claim: Path, owner: str) -> None:
    """Create the claim exclusively, after removing a dead one; raise `Busy` when it is held."""
    text = json.dumps({"owner": owner, "host": socket.gethostname(), "pid": os.getpid()})
    scratch = claim.with_name(f"{claim.name}.{owner}.new")
    scratch.write_text(text)
    try:
        for _ in range(3):
            # A link appears whole or not at all, so nobody ever reads a half-written claim.
            with contextlib.suppress(FileExistsError):
                os.link(scratch, claim)
                return
            if not _remove_dead(claim, owner):
                break
        raise Busy(f"{claim.name} is being built by {_owner(claim)}")
    finally:
        scratch.unlink(missing_ok=True)


def _remove_dead(claim: Path, owner: str) -> bool:
    """Move a dead claim aside. True when the claim is gone, whoever removed it."""
    victim = _owner(claim)
    if not _dead(claim):
        return False
    aside = claim.with_name(f"{claim.name}.{owner}.dead")
    try:
        claim.rename(aside)
    except FileNotFoundError:
        return True
    if _owner(aside) != victim:  # a living claim came between the look and the rename: put it back
        with contextlib.suppress(FileExistsError):
            os.link(aside, claim)
    aside.unlink(missing_ok=True)
    return True


def _owner(claim: Path) -> str | None:
    try:
        return str(json.loads(claim.read_bytes())["owner"])
    except (FileNotFoundError, ValueError):
        return None


def _dead(claim: Path) -> bool:
    try:
        holder = json.loads(claim.read_bytes())
        age = _clock(claim.parent) - claim.stat().st_mtime
    except (FileNotFoundError, ValueError):
        return True
    if holder["host"] == socket.gethostname() and not _alive(int(holder["pid"])):
        return True
    return age > EXPIRY_SECONDS


def _clock(folder: Path) -> float:
    """The time as the file system of ``folder`` stamps it: hosts' own clocks may differ by more than an expiry."""
    probe = folder / ".clock"
    probe.touch()
    return probe.stat().st_mtime


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError, IndexError):  # a zombie has ended; only its parent has not looked yet
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return True


def _beat(claim: Path, owner: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(FileNotFoundError):
            if _owner(claim) == owner:
                os.utime(claim)
