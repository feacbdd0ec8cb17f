"""Linux calls that Python lacks, through ctypes. Each raises OSError with its name when the kernel refuses.

Functions that return a `Step` only prepare a call; the process that is to be changed makes it later.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable
from functools import partial
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 22, 24, 36, 38
SECCOMP_MODE_FILTER = 2
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CAPSET = {"x86_64": 126, "aarch64": 91}
MOUNT_SETATTR = 442  # the same number on every architecture
MACHINE = platform.machine()  # looked up once: it is slow
LAST_CAPABILITY = 63  # kernels have fewer and refuse the rest

Step = Callable[[], object]  # a call with all its arguments prepared, so that a child copies few pages of memory

_libc = ctypes.CDLL(None, use_errno=True)
_locked_libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock during a call


class _Attributes(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user"))


def _checked(name: str, result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def step(name: str, function: str, *arguments: Any) -> Step:
    """A function of the C library with its arguments. An error says ``name``."""
    return partial(_called, name, getattr(_libc, function), *arguments)


def _called(name: str, function: Callable[..., int], *arguments: Any) -> int:
    return _checked(name, function(*arguments))


def system_call(name: str, number: int, *arguments: Any) -> int:
    """Make a system call by its number. An error says ``name``."""
    return _checked(name, _libc.syscall(ctypes.c_long(number), *arguments))


def fork() -> int:
    """Fork without Python's own hooks, which cost a child a hundred pages of memory; return what fork(2) does.

    Only for a process with a single thread that holds no lock. The child continues the parent's random numbers.
    """
    return _checked("fork", _locked_libc.fork())


def unshare(flags: int) -> Step:
    """Step: move the process into new namespaces; a new process namespace is only for its children."""
    return step("unshare", "unshare", ctypes.c_int(flags))


def rejoin(namespace: int, kind: int) -> Step:
    """Step: let later children start in the namespace of that descriptor again."""
    return step("setns", "setns", ctypes.c_int(namespace), ctypes.c_int(kind))


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> Step:
    """Step: mount as mount(2) does."""
    arguments = (_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(options))
    return step(f"mount {target}", "mount", *arguments)


def pivot_here() -> None:
    """Make the current directory, which is a mount point, the root, and detach the old root."""
    system_call("pivot_root", PIVOT_ROOT[MACHINE], b".", b".")
    _checked("umount2", _libc.umount2(b".", ctypes.c_int(MNT_DETACH)))
    os.chdir("/")


def freeze_mounts() -> None:
    """Make the root and all mounts below it read-only and without effect for set-user-id programs."""
    wanted = _Attributes(set=MS_RDONLY | MS_NOSUID)
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    flags = ctypes.c_uint(AT_RECURSIVE)
    system_call("mount_setattr", MOUNT_SETATTR, ctypes.c_int(AT_FDCWD), b"/", flags, ctypes.byref(wanted), size)


def prctl(option: int, value: int, pointer: Any = None) -> Step:
    """Step: set one property of the process as prctl(2) does."""
    arguments = (ctypes.c_ulong(value), pointer or ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    return step(f"prctl {option}", "prctl", ctypes.c_int(option), *arguments)


def forgo_capabilities() -> None:
    """Empty the capability bounding set: no program executed from now on can gain a capability."""
    for number in range(LAST_CAPABILITY + 1):
        arguments = (ctypes.c_ulong(number), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
        if _libc.prctl(PR_CAPBSET_DROP, *arguments) < 0:
            return  # this kernel has no such number, or the process may not drop any


def drop_capabilities() -> Step:
    """Step: give up every capability for good."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    return step("capset", "syscall", ctypes.c_long(CAPSET[MACHINE]), header, (ctypes.c_uint32 * 6)())
