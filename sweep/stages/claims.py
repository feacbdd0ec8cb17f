"""Claims: small files in STORE/claims that say which process is building which stage.

A claim is live while its process touches it. It is dead once that process has ended (seen at once on the same host) or
has not touched it for `EXPIRY_SECONDS`; dead claims are removed by any command that finds them.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEARTBEAT_SECONDS = 10.0
"""Time between two touches of a claim by its owner."""

EXPIRY_SECONDS = 90.0
"""Age at which an untouched claim is dead, and a scratch file has lost its writer."""

SCRATCH = (".new", ".dead", ".clock")
"""Endings of the files that exist for a moment while a claim is taken, removed or dated."""


class Busy(RuntimeError):
    """Another live process holds the claim of the stage."""


@contextlib.contextmanager
def held(claim: Path, owner: str) -> Iterator[None]:
    """Hold ``claim`` for ``owner`` within the block. Raises `Busy` when another live process holds it."""
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
    scratch.write_text(json.dumps({"owner": owner, "host": socket.gethostname(), "pid": os.getpid()}))
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
    if content is None:
        return True
    if content["host"] == socket.gethostname() and not _is_running(int(content["pid"])):
        return True
    return _is_expired(claim)


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


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError, IndexError):  # a zombie has ended, though its parent has not reaped it yet
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return True


def _keep_alive(claim: Path, owner: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(FileNotFoundError):
            if owner_of(claim) == owner:
                os.utime(claim)
