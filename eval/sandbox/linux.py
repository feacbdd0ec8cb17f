"""The few Linux calls that Python lacks, through ctypes: each raises OSError with its name when the kernel refuses."""

from __future__ import annotations

import ctypes
import os
import platform
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
LAST_CAPABILITY = 63  # the kernel knows fewer and refuses the rest

_libc = ctypes.CDLL(None, use_errno=True)


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


def system_call(name: str, number: int, *arguments: Any) -> int:
    """Any call by its number; ``name`` is what an error says."""
    return _checked(name, _libc.syscall(ctypes.c_long(number), *arguments))


def unshare(flags: int) -> None:
    """Move this process into new namespaces (children only, for processes)."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def rejoin(namespace: int, kind: int) -> None:
    """Let later children be born into the namespace behind the descriptor again."""
    _checked("setns", _libc.setns(ctypes.c_int(namespace), ctypes.c_int(kind)))


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mount as mount(2) does."""
    given = (_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(options))
    _checked(f"mount {target}", _libc.mount(*given))


def pivot_here() -> None:
    """Make the current directory, a mount point, the root, and let go of the old one."""
    system_call("pivot_root", PIVOT_ROOT[MACHINE], b".", b".")
    _checked("umount2", _libc.umount2(b".", ctypes.c_int(MNT_DETACH)))
    os.chdir("/")


def freeze_mounts() -> None:
    """Make the root and all mounts below it read-only, without set-user-id programs."""
    wanted = _Attributes(set=MS_RDONLY | MS_NOSUID)
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    flags = ctypes.c_uint(AT_RECURSIVE)
    system_call("mount_setattr", MOUNT_SETATTR, ctypes.c_int(AT_FDCWD), b"/", flags, ctypes.byref(wanted), size)


def prctl(option: int, value: int, pointer: Any = None) -> None:
    """Set one property of this process."""
    given = (ctypes.c_ulong(value), pointer or ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    _checked(f"prctl {option}", _libc.prctl(ctypes.c_int(option), *given))


def forgo_capabilities() -> None:
    """Let no program that is ever executed from here on gain a capability."""
    for number in range(LAST_CAPABILITY + 1):
        given = (ctypes.c_ulong(number), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
        if _libc.prctl(PR_CAPBSET_DROP, *given) < 0:
            return  # the first number that this kernel does not know, or none is ours to drop


def drop_capabilities() -> None:
    """Give up every capability for good."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    system_call("capset", CAPSET[MACHINE], header, (ctypes.c_uint32 * 6)())
