"""A world of its own: users, mounts, network, processes, IPC, and a root with the interpreter's libraries alone."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from functools import partial
from pathlib import Path

from eval.sandbox import linux

NOBODY = 65534
ROOT = Path("/proc")  # where the new root is put together: always there, and never above a library
LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
SCRATCH = "/scratch/own"  # the only writable place, and that of one program alone
SCRATCH_OPTIONS = "size=8m,nr_inodes=512,mode=0700"


def enter() -> int:
    """Move into new namespaces and a new root; return a descriptor of the process namespace.

    Returns in a new process, the first of its process namespace: when it ends, all its descendants end. The calling
    process waits for it and ends with it.
    """
    user, group = os.getuid(), os.getgid()
    linux.unshare(
        linux.CLONE_NEWUSER
        | linux.CLONE_NEWNS
        | linux.CLONE_NEWNET
        | linux.CLONE_NEWIPC
        | linux.CLONE_NEWUTS
        | linux.CLONE_NEWPID
    )()
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{NOBODY} {user} 1")
    (own / "gid_map").write_text(f"{NOBODY} {group} 1")
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)()
    processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    _build_root()
    return processes


def scratch() -> list[linux.Step]:
    """To give the process mounts of its own and a small empty folder in memory to work in."""
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    made = linux.mount("tmpfs", SCRATCH, "tmpfs", flags, SCRATCH_OPTIONS)
    return [linux.unshare(linux.CLONE_NEWNS), made, partial(os.chdir, SCRATCH)]


def _build_root() -> None:
    """Put libraries and harmless devices under a new root, move there, and make it read-only."""
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)()
    linux.mount("tmpfs", str(ROOT), "tmpfs", linux.MS_NOSUID, "size=1m,mode=0755")()
    for folder in libraries():
        _place(Path(folder))
    for device in DEVICES:
        _place(Path(device))
    _inside(Path(SCRATCH)).mkdir(parents=True)
    os.chdir(ROOT)
    linux.pivot_here()
    linux.freeze_mounts()


def libraries() -> list[str]:
    """The folders that imports may still read, none inside another."""
    wanted = {*LIBRARIES, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), f"{sys.base_prefix}/lib"}
    found = sorted(folder for folder in wanted if Path(folder).is_dir())
    return [folder for folder in found if not any(folder.startswith(other + "/") for other in found)]


def _place(path: Path) -> None:
    """Show one folder or file of the host at the same place under the new root."""
    target = _inside(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        target.symlink_to(path.readlink())
        return
    if path.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    linux.mount(str(path), str(target), None, linux.MS_BIND | linux.MS_REC)()


def _inside(path: Path) -> Path:
    return ROOT / path.relative_to("/")
