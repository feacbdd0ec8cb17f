"""Mirror a sweep to its tracker while it runs, in a process of its own for which no stage waits."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from common.start import for_own_module
from common.wording import plural
from sweep.results.saved_sweep import SavedSweep
from sweep.stages.store import Store
from sweep.track.client import mode

END_SECONDS = 60.0
"""Time that the end of a command gives the mirror for what it has still to send."""

GIVE_UP_SECONDS = 120.0
"""Time after which a mirror that does not end is killed. It is above the mirror's own limits."""


@contextlib.contextmanager
def mirrored(saved: SavedSweep, store: Store, say: Callable[[str], None], *, patient: bool = False) -> Iterator[None]:
    """Mirror the sweep to its tracker, if it has one, during the block; after it say in one line what is in place.

    ``patient`` waits at the end for as long as the tracker takes what is sent. Whatever happens to the mirror, the
    block does not notice.
    """
    with mirrored_stages(store, saved.name if saved.tracker.mirrors else None, (), say, patient=patient):
        yield


@contextlib.contextmanager
def mirrored_stages(
    store: Store, name: str | None, stages: Sequence[str], say: Callable[[str], None], *, patient: bool = False
) -> Iterator[None]:
    """Mirror those runs of the saved sweep ``name`` that show one of the ``stages``, by key; without any, all runs.

    Without a name there is nothing to mirror. Otherwise as `mirrored`.
    """
    if name is None or mode(os.environ) == "disabled":
        yield
        return
    try:
        mirror = _start(store, name, 0.0 if patient else END_SECONDS, stages)
    except OSError as problem:  # for instance no memory for another process
        say(f"warning: W&B: nothing can be sent: {problem}")
        yield
        return
    try:
        yield
    finally:
        for line in _lines(_end(mirror, None if patient else GIVE_UP_SECONDS), store, name):
            say(line)


def _start(store: Store, name: str, seconds: float, stages: Sequence[str]) -> subprocess.Popen[str]:
    log = store.root / "logs" / "wandb.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as errors:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "sweep.track.mirror", str(store.root), name, str(seconds), *stages],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            env=for_own_module(),
        )  # fmt: skip


def _end(mirror: subprocess.Popen[str], seconds: float | None) -> dict[str, Any]:
    """Let the mirror end, or kill it after ``seconds`` or Ctrl-C; return its last report, empty without one."""
    try:
        out, _ = mirror.communicate(timeout=seconds)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(mirror.pid, signal.SIGKILL)
        out, _ = mirror.communicate()
    reports = out.splitlines()
    return json.loads(reports[-1]) if reports else {}


def _lines(report: dict[str, Any], store: Store, name: str) -> Iterator[str]:
    """What the user must know of a mirror's report: nothing where it had nothing to do."""
    again = shlex.join(["python", "-m", "sweep", "collect", f"name={name}", f"store={store.root}"])
    if not report:
        log = store.root / "logs" / "wandb.log"
        yield f"warning: W&B: the process that sends to it failed, see {log}; send the rest with: {again}"
    elif report["problem"]:
        total = report["in_place"] + report["missing"]
        yield (
            f"warning: W&B: {report['problem']}; {report['in_place']} of {plural(total, 'run')} are there. "
            f"Nothing is lost; send the rest with: {again}"
        )
    elif report["new"] and report["offline"]:
        place = os.environ.get("WANDB_DIR") or str(store.root)
        yield (
            f"W&B: {plural(report['new'], 'offline run')} in {place}/wandb; upload with: "
            f"{shlex.join(['env', f'WANDB_DIR={place}', 'wandb', 'sync', '--yes'])}"
        )
    elif report["new"]:
        yield f"W&B: {plural(report['new'], 'run')} sent to {report['place']}, group {name}"
