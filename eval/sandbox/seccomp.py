"""A filter of system calls, see seccomp(2): a list of what a program may call.

It needs no privileges, and works in containers too. Everything else is refused with EPERM; calls newer than the list
fail with ENOSYS, as on an older kernel.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import struct
from collections.abc import Sequence
from typing import Any

from eval.sandbox import linux

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
UNKNOWN_FROM = 451  # the first number not considered below; the numbers of x32 lie above it as well
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
REFUSE, MISSING, NO_TERMINAL = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS, ERRNO | errno.ENOTTY
LOAD, JUMP, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

Numbers = dict[str, tuple[int | None, int | None]]

# name: (x86-64, arm64); None where the architecture has no such call.
ALLOWED: Numbers = {
    # memory
    "brk": (12, 214), "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226),
    "madvise": (28, 233), "msync": (26, 227),
    # descriptors
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "lseek": (8, 62), "close": (3, 57), "close_range": (436, 436), "dup": (32, 23),
    "dup2": (33, None), "dup3": (292, 24), "pipe": (22, None), "pipe2": (293, 59), "fsync": (74, 82),
    "fdatasync": (75, 83), "ftruncate": (77, 46), "fallocate": (285, 47), "fstat": (5, 80), "getdents64": (217, 61),
    "eventfd2": (290, 19), "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, None),
    "epoll_pwait": (281, 22), "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
    # the process itself
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150),
    "getgroups": (115, 158), "getpgrp": (111, None), "getpgid": (121, 155), "getsid": (124, 156),
    "getcpu": (309, 168), "getrusage": (98, 165), "getrlimit": (97, 163), "times": (100, 153), "uname": (63, 160),
    "sysinfo": (99, 179), "umask": (95, 166), "exit": (60, 93), "exit_group": (231, 94), "wait4": (61, 260),
    "waitid": (247, 95), "set_tid_address": (218, 96), "set_robust_list": (273, 99), "rseq": (334, 293),
    "membarrier": (324, 283), "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "getpriority": (140, 141),
    "restart_syscall": (219, 128),
    # time and chance
    "time": (201, None), "gettimeofday": (96, 169), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "alarm": (37, None), "setitimer": (38, 103),
    "getitimer": (36, 102), "pause": (34, None), "getrandom": (318, 278), "futex": (202, 98),
    # signals of its own
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigsuspend": (130, 133), "rt_sigtimedwait": (128, 137), "sigaltstack": (131, 132),
    "getcwd": (79, 17),
}  # fmt: skip
PATHS: Numbers = {  # mounts decide what can be seen there
    "stat": (4, None), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291), "access": (21, None),
    "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78),
    "open": (2, None), "openat": (257, 56), "creat": (85, None), "truncate": (76, 45), "chdir": (80, 49),
    "fchdir": (81, 50), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, None),
    "mkdirat": (258, 34), "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35), "symlink": (88, None),
    "symlinkat": (266, 36),
}  # fmt: skip
# Threads are allowed, processes are not. A filter can read the flags of clone but not of clone3; told that clone3 does
# not exist, the C library falls back to clone.
CLONE, CLONE_THREAD, CLONE3 = (56, 220), 0x10000, (435, 435)
SIGNALS: Numbers = {"kill": (62, 129), "tgkill": (234, 131)}
FCNTL, FCNTL_COMMANDS = (72, 25), (0, 1, 2, 3, 4, 1030)  # copying and flags; not owners, leases or locks
PRLIMIT, IOCTL, UNBLOCK = (302, 261), (16, 29), 0x5421  # of ioctl FIONBIO alone, another way to set a flag
# Two ends without a name, as asyncio needs them; from streams nothing can be sent elsewhere.
SOCKETPAIR, AF_UNIX, STREAMS = (53, 199), 1, (1, 0x80001, 0x80801)


class _SockFprog(ctypes.Structure):
    """struct sock_fprog of seccomp(2)."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


@functools.cache
def filtering(paths: str, may_signal: Sequence[int]) -> linux.Step:
    """Step: filter the calls of the process and its children, for good.

    ``paths`` is that of a `Level`; signals may be sent to the processes ``may_signal`` only. Needs PR_SET_NO_NEW_PRIVS.
    Raises OSError for an architecture without a table. Cached, as contained processes mostly have the same numbers.
    """
    machine = linux.MACHINE
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {machine}, only for: {', '.join(ARCHITECTURES)}")
    column = list(ARCHITECTURES).index(machine)
    signals = [_if_argument(numbers[column], 0, may_signal) for numbers in SIGNALS.values()]
    code = b"".join([HEADS[machine, paths], *signals, _step(RETURN, REFUSE)])
    return linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, ctypes.byref(_SockFprog(len(code) // 8, code)))


def _head(machine: str, paths: str) -> bytes:
    """The start of a filter: calls of another architecture kill; calls are allowed by number, then by argument."""
    column = list(ARCHITECTURES).index(machine)
    allowed = {**ALLOWED, **(PATHS if paths == "write" else {})}
    numbers = {number for row in allowed.values() if (number := row[column]) is not None}
    # A 32-bit call has other numbers, so the architecture is checked before any number.
    steps = [_step(LOAD, ARCHITECTURE), _step(EQUAL, ARCHITECTURES[machine], 1, 0), _step(RETURN, KILL)]
    steps += [_step(LOAD, NUMBER), *_search(_edges(numbers), allowed=False)]
    steps += [
        _if_bits(CLONE[column], 0, CLONE_THREAD), _if_argument(FCNTL[column], 1, FCNTL_COMMANDS),
        _if_argument(PRLIMIT[column], 0, (0,)), _if_argument(SOCKETPAIR[column], 0, (AF_UNIX,), 1, STREAMS),
        _step(EQUAL, IOCTL[column], 0, 4), _argument(1), _step(EQUAL, UNBLOCK, 0, 1), _step(RETURN, ALLOW),
        _step(RETURN, NO_TERMINAL),
        _step(EQUAL, CLONE3[column], 0, 1), _step(RETURN, MISSING), _step(AT_LEAST, UNKNOWN_FROM, 0, 1),
        _step(RETURN, MISSING),
    ]  # fmt: skip
    return b"".join(steps)


def _edges(numbers: set[int]) -> list[int]:
    """The starts and ends (exclusive) of runs of allowed numbers, in ascending order."""
    candidates = numbers | {number + 1 for number in numbers}
    return sorted(number for number in candidates if (number in numbers) != (number - 1 in numbers))


def _search(edges: Sequence[int], *, allowed: bool) -> list[bytes]:
    """A binary search over the edges. It returns ALLOW for an allowed number and continues after itself for any other.

    That is quicker than a list, and quicker to install: the kernel tries every number once when a filter is set.
    """
    steps = _halved(edges, allowed)
    return [step or _step(JUMP, len(steps) - place - 1) for place, step in enumerate(steps)]


def _halved(edges: Sequence[int], allowed: bool) -> list[bytes | None]:
    """The steps of the search; None leaves it. ``allowed`` says whether numbers below the first edge are."""
    if not edges:
        return [_step(RETURN, ALLOW) if allowed else None]
    middle = len(edges) // 2
    below, above = _halved(edges[:middle], allowed), _halved(edges[middle + 1 :], allowed == (middle % 2 == 1))
    return [_step(AT_LEAST, edges[middle], len(below), 0), *below, *above]


def _if_argument(number: int | None, place: int, values: Sequence[int], *more: Any) -> bytes:
    """Allow the call when its argument in that place has one of these values, otherwise refuse it.

    ``more`` are further places and values, all of which must fit.
    """
    steps: list[bytes] = []
    for here, wanted in zip((place, *more[::2]), (values, *more[1::2]), strict=True):
        tests = [_step(EQUAL, value, len(wanted) - each, 0) for each, value in enumerate(wanted)]
        steps += [_argument(here), *tests, _step(RETURN, REFUSE)]
    return _for(number, [*steps, _step(RETURN, ALLOW)])


def _if_bits(number: int | None, place: int, bits: int) -> bytes:
    return _for(number, [_argument(place), _step(ANY_BIT, bits, 1, 0), _step(RETURN, REFUSE), _step(RETURN, ALLOW)])


def _for(number: int | None, steps: Sequence[bytes]) -> bytes:
    """Take the steps for the call of that number, which is already loaded; nothing where it has no number."""
    return b"" if number is None else b"".join([_step(EQUAL, number, 0, len(steps)), *steps])


def _argument(place: int) -> bytes:
    return _step(LOAD, ARGUMENTS + 8 * place)  # the low half, as every argument looked at is an int to the kernel


def _step(operation: int, operand: int, true: int = 0, false: int = 0) -> bytes:
    """One BPF instruction; ``true`` and ``false`` are the numbers of instructions that a comparison then skips."""
    return struct.pack("HBBI", operation, true, false, operand)


# Built once, before any fork, since every program needs one of them.
HEADS = {(machine, paths): _head(machine, paths) for machine in ARCHITECTURES for paths in ("write", "none")}
