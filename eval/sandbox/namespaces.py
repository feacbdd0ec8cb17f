"""Namespaces of users, mounts, network, processes and IPC, and a root with only the interpreter's libraries."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from eval.sandbox import linux

NOBODY = 65534
ROOT = Path("/proc")  # where the new root is built: this folder exists everywhere, and no library lies below it
LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
SCRATCH = "/scratch/own"  # the only writable folder; every program sees its own
SCRATCH_OPTIONS = "size=8m,nr_inodes=512,mode=0700"


def enter(folders: Sequence[str]) -> int:
    """Move into new namespaces and a new root, with these folders too; return a descriptor of the process namespace.

    It returns in a new process, the first of its process namespace, whose descendants all end with it. The calling
    process waits for it and exits with its status. Raises OSError where the kernel refuses.
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
    # The kernel demands this of an unprivileged process before it may map its group.
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{NOBODY} {user} 1")
    (own / "gid_map").write_text(f"{NOBODY} {group} 1")
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)()
    processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    _build_root(folders)
    return processes


def scratch() -> list[linux.Step]:
    """Steps: give the process its own mounts and a small empty folder in memory to work in."""
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    mount = linux.mount("tmpfs", SCRATCH, "tmpfs", flags, SCRATCH_OPTIONS)
    return [linux.unshare(linux.CLONE_NEWNS), mount, partial(os.chdir, SCRATCH)]


def _build_root(folders: Sequence[str]) -> None:
    """Bind libraries and harmless devices below a new root, move there, and make it read-only."""
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)()
    linux.mount("tmpfs", str(ROOT), "tmpfs", linux.MS_NOSUID, "size=1m,mode=0755")()
    for folder in libraries(folders):
        _place(Path(folder))
    for device in DEVICES:
        _place(Path(device))
    _inside(Path(SCRATCH)).mkdir(parents=True)
    os.chdir(ROOT)
    linux.pivot_here()
    linux.freeze_mounts()


def libraries(more: Sequence[str] = ()) -> list[str]:
    """The folders that imports read from, and those of packages; none lies inside another."""
    wanted = {
        *more,
        *LIBRARIES,
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        f"{sys.base_prefix}/lib",
    }
    folders = sorted(folder for folder in wanted if Path(folder).is_dir())
    return [folder for folder in folders if not any(folder.startswith(other + "/") for other in folders)]


def _place(path: Path) -> None:
    """Bind one folder or file of the machine at the same path below the new root."""
    target = _inside(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # On merged systems /lib is a link to /usr/lib, and a bind mount would follow it.
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
