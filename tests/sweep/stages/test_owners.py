"""Owners of claims: known to be dead only where their numbers mean something, and gone once they lose their claim."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.stages import claims, process
from sweep.stages.claims import TRY_AGAIN, Busy
from sweep.stages.store import Store
from tests.conftest import HANG_SECONDS
from tests.sweep.stages.processes import age, build, leave_claim, world

NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
HOLDER = """
import subprocess, sys
from sweep.stages import claims
from sweep.stages.store import Store
from tests.sweep.stages.processes import world
claims.HEARTBEAT_SECONDS = claims.AGAIN_SECONDS = 0.05
{prepare}
with Store(sys.argv[1]).build(world(0), "first") as out:
    (out / "rows.txt").write_text("first")
    child = subprocess.Popen(["sleep", "600"], start_new_session=True, **dict.fromkeys(("stdout", "stderr"), -3))
    print(child.pid, flush=True)
    sys.stdin.readline()
    child.kill()
"""


def start_holder(store: Path, *before: str, prepare: str = "") -> subprocess.Popen[str]:
    """Start a process that builds `world(0)` until a line arrives; it has claimed the stage when this returns."""
    holder = subprocess.Popen(
        [*before, sys.executable, "-c", HOLDER.format(prepare=prepare), str(store)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline().strip().isdigit(), holder.communicate()[1]
    return holder


def end(holder: subprocess.Popen[str]) -> str:
    """Let the holder publish; return what it printed."""
    _, errors = holder.communicate("go on\n", timeout=HANG_SECONDS)
    return errors


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.02)


def needs_namespaces() -> None:
    tried = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no process namespace can be made here: {tried.stderr.strip()}")


def test_an_owner_in_another_process_namespace_is_alive_while_it_touches_its_claim(store_path: Path):
    needs_namespaces()
    store = Store(store_path)
    holder = start_holder(store_path, *NAMESPACE)
    content = json.loads(store.claim(world(0)).read_text())
    assert content["host"] == socket.gethostname()
    assert process.table() != content["table"]
    store.remove_dead_claims()
    with pytest.raises(Busy, match="first"):
        build(store, world(0), "second", "second")
    end(holder)
    assert (store.path(world(0)) / "rows.txt").read_text() == "first"


def test_an_owner_outside_of_a_process_namespace_is_alive_inside(store_path: Path):
    needs_namespaces()
    holder = start_holder(store_path)
    taken = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", HOLDER.format(prepare=""), str(store_path)],
        capture_output=True, text=True, input="go on\n", timeout=HANG_SECONDS,
    )  # fmt: skip
    assert "Busy: world-" in taken.stderr
    end(holder)
    assert Store(store_path).has(world(0))


def test_a_claim_of_an_earlier_version_lives_by_its_touches_alone(store_path: Path):
    store = Store(store_path)
    claim = leave_claim(store.claim(world(0)), pid=2**22)  # no process has this number
    assert store.owner(world(0))["owner"] == "gone"
    age(claim)
    assert store.owner(world(0)) is None


def test_a_number_that_was_used_again_is_not_the_owner(store_path: Path):
    own = {"table": process.table(), "started": process.started(os.getpid())}
    claim = leave_claim(store_path / "claims" / "world-0", **own)
    assert claims.holder(claim)["pid"] == os.getpid()
    leave_claim(claim, **own | {"started": own["started"] - 1})
    assert claims.holder(claim) is None


def test_a_process_that_has_ended_is_known_before_its_parent_asks():
    child = subprocess.Popen(["sleep", "600"])
    start = process.started(child.pid)
    assert not process.has_ended(child.pid, start)
    child.kill()
    wait_for(lambda: process.has_ended(child.pid, start))
    child.wait()
    assert process.has_ended(child.pid, start)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")
def test_a_process_that_proc_hides_is_not_known_to_have_ended():
    """As another user's process on many shared machines, where /proc is mounted with hidepid; here it is empty."""
    look = "from sweep.stages import process as p; print(p.started(1), p.has_ended(1, 5), p.has_ended(2**22, 5))"
    hidden = f'mount -t tmpfs none /proc && exec setpriv --reuid=65534 {sys.executable} -c "{look}"'
    seen = subprocess.run(["unshare", "--mount", "sh", "-c", hidden], capture_output=True, text=True)
    if seen.returncode:
        pytest.skip(f"/proc cannot be covered here: {seen.stderr.strip()}")
    assert seen.stdout.split() == ["None", "False", "True"]


def child_of(holder: subprocess.Popen[str]) -> tuple[int, int | None]:
    """Number and start of the holder's child."""
    (child,) = process.descendants(holder.pid)
    return child, process.started(child)


def assert_ended_without_a_result(
    holder: subprocess.Popen[str], store: Store, child: tuple[int, int | None], sentence: str
) -> None:
    assert holder.wait(HANG_SECONDS) == TRY_AGAIN
    assert sentence in holder.communicate()[1]
    wait_for(lambda: process.has_ended(*child))
    assert not store.has(world(0))


def test_an_owner_whose_claim_is_taken_over_ends_with_its_children(store_path: Path):
    store = Store(store_path)
    holder = start_holder(store_path)
    child = child_of(holder)
    scratch = leave_claim(store_path / "claim", owner="second")
    scratch.replace(store.claim(world(0)))
    assert_ended_without_a_result(holder, store, child, "was taken over by second; it ends without a result")
    assert claims.owner_of(store.claim(world(0))) == "second"


def test_an_owner_whose_claim_is_removed_ends_with_its_children(store_path: Path):
    store = Store(store_path)
    holder = start_holder(store_path)
    child = child_of(holder)
    store.claim(world(0)).unlink()
    assert_ended_without_a_result(holder, store, child, "was removed; it ends without a result")


def test_an_owner_that_was_stopped_while_another_took_over_ends_when_it_wakes(store_path: Path):
    store = Store(store_path)
    holder = start_holder(store_path)
    child = child_of(holder)
    holder.send_signal(signal.SIGSTOP)
    age(store.claim(world(0)))
    with store.build(world(0), "second") as out:
        assert (out / "rows.txt").read_text() == "first"
        holder.send_signal(signal.SIGCONT)
        assert_ended_without_a_result(holder, store, child, "was taken over by second")
        (out / "rows.txt").write_text("second")
    assert (store.path(world(0)) / "rows.txt").read_text() == "second"


def test_a_claim_that_is_put_back_after_one_look_is_not_lost(store_path: Path):
    """As by a process that moved it aside in the belief that it was a dead one."""
    store = Store(store_path)
    prepare = (
        "look, lost = claims.owner_of, []\n"
        "def owner_of(claim):\n"
        "    if not lost:\n"
        "        text = claim.read_text()\n"
        "        claim.unlink()\n"
        "        lost.append(look(claim))\n"
        "        claim.write_text(text)\n"
        "        return lost[0]\n"
        "    return look(claim)\n"
        "claims.owner_of = owner_of"
    )
    holder = start_holder(store_path, prepare=prepare)
    claim = store.claim(world(0))
    wait_for(claim.exists)
    age(claim)
    wait_for(lambda: not claims._is_expired(claim))  # the owner looked twice and touched it
    assert "Traceback" not in end(holder)
    assert store.has(world(0))


def test_a_look_that_the_file_system_refuses_says_nothing_about_the_claim(store_path: Path):
    prepare = (
        "look, refused = claims.owner_of, []\n"
        "def owner_of(claim):\n"
        "    if len(refused) < 3:\n"
        "        refused.append(1)\n"
        "        raise PermissionError\n"
        "    return look(claim)\n"
        "claims.owner_of = owner_of"
    )
    holder = start_holder(store_path, prepare=prepare)
    claim = Store(store_path).claim(world(0))
    age(claim)
    wait_for(lambda: not claims._is_expired(claim))
    end(holder)
    assert Store(store_path).has(world(0))
