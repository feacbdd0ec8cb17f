"""Claims: small files in STORE/claims that say which process is building which stage.

A claim is live while its process touches it. It is dead once that process has not touched it for `EXPIRY_SECONDS`, or
has ended, which only processes of the same process table can see (`process.table`): containers on one host give their
processes numbers of their own. Any command that finds a dead claim removes it. A process whose claim has been taken
over ends at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweep.stages import process

HEARTBEAT_SECONDS = 10.0
"""Time between two touches of a claim by its owner."""

AGAIN_SECONDS = 1.0
"""Time after which an owner that does not find its claim looks once more."""

EXPIRY_SECONDS = 90.0
"""Age at which an untouched claim is dead, and a scratch file has lost its writer."""

TRY_AGAIN = 75
"""Exit status of a stage that was stopped, or that another process builds (EX_TEMPFAIL of sysexits.h)."""

SCRATCH = (".new", ".dead", ".clock")
"""Endings of the files that exist for a moment while a claim is taken, removed or dated."""


class Busy(RuntimeError):
    """Another live process holds the claim of the stage."""


@contextlib.contextmanager
def held(claim: Path, owner: str) -> Iterator[None]:
    """Hold ``claim`` for ``owner`` within the block. Raises `Busy` when another live process holds it.

    Once another process has taken the claim over, this process ends with status `TRY_AGAIN`, and its children with it.
    """
    claim.parent.mkdir(parents=True, exist_ok=True)
    _take(claim, owner)
    stop = threading.Event()
    heartbeat = threading.Thread(target=_keep_alive, args=(claim, owner, stop), daemon=True)
    heartbeat.start()
    try:
        yield
    finally:
        stop.set()
        heartbeat.join()
        if owner_of(claim) == owner:
            claim.unlink(missing_ok=True)


def holder(claim: Path) -> dict[str, Any] | None:
    """The live process that holds the claim: its owner name, host and pid; None without one."""
    content = _read(claim)
    return None if content is None or _is_dead(claim) else content


def remove_all_dead(folder: Path) -> None:
    """Remove every dead claim in ``folder``, and the scratch files of processes killed while they wrote a claim."""
    for path in sorted(folder.iterdir()) if folder.exists() else []:
        if not path.name.endswith(SCRATCH):
            remove_dead(path)
        elif _is_expired(path):
            path.unlink(missing_ok=True)


def owner_of(claim: Path) -> str | None:
    """The owner named in the claim, dead or alive; None when there is no claim or it cannot be read."""
    content = _read(claim)
    return None if content is None else str(content["owner"])


def touched(claim: Path, owner: str) -> int | None:
    """When ``owner`` last touched its claim, in nanoseconds of the file system's clock; None without such a claim."""
    with contextlib.suppress(FileNotFoundError):
        if owner_of(claim) == owner:
            return claim.stat().st_mtime_ns
    return None


def remove_dead(claim: Path) -> bool:
    """Remove the claim if it is dead. True when the claim is gone, by this process or by another."""
    victim = owner_of(claim)
    if not _is_dead(claim):
        return False
    aside = claim.with_name(f"{claim.name}.{uuid.uuid4().hex[:12]}.dead")
    try:
        claim.rename(aside)
    except FileNotFoundError:
        return True
    except OSError:  # a store that this user may only read
        return False
    if owner_of(aside) != victim:  # a live claim was created between the check and the rename: put it back
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(aside, claim)
    aside.unlink(missing_ok=True)
    return True


def _take(claim: Path, owner: str) -> None:
    """Create the claim, after removing a dead one; raise `Busy` when another process holds it."""
    scratch = claim.with_name(f"{claim.name}.{owner}.new")
    scratch.write_text(json.dumps({"owner": owner} | process.identity()))
    try:
        for _ in range(3):
            # A link appears whole or not at all, so no process ever reads a half-written claim.
            with contextlib.suppress(FileExistsError):
                os.link(scratch, claim)
                return
            if not remove_dead(claim):
                break
        raise Busy(f"{claim.name} is being built by {owner_of(claim)}")
    finally:
        scratch.unlink(missing_ok=True)


def _read(claim: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(claim.read_bytes())
        return content if {"owner", "host", "pid"} <= set(content) else None
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _is_dead(claim: Path) -> bool:
    content = _read(claim)
    return content is None or process.is_over(content) or _is_expired(claim)


def _is_expired(path: Path) -> bool:
    try:
        return file_system_time(path.parent) - path.stat().st_mtime > EXPIRY_SECONDS
    except FileNotFoundError:
        return False


def file_system_time(folder: Path) -> float:
    """The time as the file system of ``folder`` stamps it: clocks of hosts may differ by more than `EXPIRY_SECONDS`."""
    clock = folder / f"{uuid.uuid4().hex[:12]}.clock"
    try:
        clock.touch()
        now = clock.stat().st_mtime
        clock.unlink()
        return now
    except OSError:  # a store that this user may only read
        return time.time()


def _keep_alive(claim: Path, owner: str, stop: threading.Event) -> None:
    """Touch the claim until ``stop`` is set; end this process once the claim is lost.

    A claim that is not there may be about to be put back (see `remove_dead`), so it is lost when missing twice. A file
    system that does not answer says nothing about the claim.
    """
    missing = 0
    while not stop.wait(HEARTBEAT_SECONDS if not missing else AGAIN_SECONDS):
        with contextlib.suppress(OSError):
            present = owner_of(claim)
            missing = missing + 1 if present is None else 0
            if present == owner:
                os.utime(claim)
            elif present is not None or missing > 1:
                taken = f"was taken over by {present}" if present else "was removed"
                process.end_now(f"{claim.name}: the claim of this process {taken}; it ends without a result", TRY_AGAIN)
