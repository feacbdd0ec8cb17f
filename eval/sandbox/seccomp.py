"""A system-call filter that refuses what a test program never needs. Works without privileges, also inside containers.

It lists what is refused; calls that are newer than the list do not exist for the program either.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from eval.sandbox import linux

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
UNKNOWN_FROM = 451  # the first number that is not judged below; the numbers of x32 lie above it as well
KILL, ALLOW = 0x80000000, 0x7FFF0000
REFUSE, MISSING = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
CLONE_THREAD = 0x10000

# name: (x86-64, arm64); None where the architecture has no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272), "prlimit64": (302, 261),
    "setpriority": (141, 140), "sched_setaffinity": (203, 122), "personality": (135, 92),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241), "fanotify_init": (300, 262),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "reboot": (169, 142), "swapon": (167, 224), "acct": (163, 89), "syslog": (103, 116), "sethostname": (170, 161),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "iopl": (172, None), "ioperm": (173, None),
}  # fmt: skip
PATHS: dict[str, tuple[int | None, int | None]] = {
    "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None), "truncate": (76, 45),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34),
    "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35), "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None), "mknodat": (259, 33),
    "chmod": (90, None), "fchmodat": (268, 53), "chown": (92, None), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "removexattr": (197, 14), "lremovexattr": (198, 15),
}  # fmt: skip
CLONE, CLONE3 = (56, 220), (435, 435)
SELF_ONLY = {"kill": (62, 129), "tgkill": (234, 131)}


class _Program(ctypes.Structure):
    """struct sock_fprog of seccomp(2)."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def install(*, no_open: bool) -> None:
    """Filter this process and all it starts, for good; ``no_open`` refuses every path as well."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system-call filter for {machine}; known: {', '.join(ARCHITECTURES)}")
    code = _rules(machine, os.getpid()) + TAILS[machine, no_open]
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, ctypes.byref(_Program(len(code) // 8, code)))


def _rules(machine: str, own: int) -> bytes:
    """The head of the filter, in classic BPF: what depends on more than the number of the call."""
    column = list(ARCHITECTURES).index(machine)
    code = [
        _step(LOAD, ARCHITECTURE), _step(EQUAL, ARCHITECTURES[machine], 1, 0), _step(RETURN, KILL),
        _step(LOAD, NUMBER), _step(AT_LEAST, UNKNOWN_FROM, 0, 1), _step(RETURN, MISSING),
        # The C library falls back to clone, whose flags a filter can read.
        _step(EQUAL, CLONE3[column], 0, 1), _step(RETURN, MISSING),
        # Threads are allowed, processes are not.
        _step(EQUAL, CLONE[column], 0, 4), _step(LOAD, FIRST_ARGUMENT), _step(ANY_BIT, CLONE_THREAD, 1, 0),
        _step(RETURN, REFUSE), _step(RETURN, ALLOW),
    ]  # fmt: skip
    for numbers in SELF_ONLY.values():
        code += [
            _step(EQUAL, numbers[column], 0, 4), _step(LOAD, FIRST_ARGUMENT), _step(EQUAL, own, 1, 0),
            _step(RETURN, REFUSE), _step(RETURN, ALLOW),
        ]  # fmt: skip
    return b"".join(code)


def _tail(machine: str, *, no_open: bool) -> bytes:
    """The rest of the filter: the calls refused by number, then everything else allowed."""
    column = list(ARCHITECTURES).index(machine)
    code = []
    for numbers in [*REFUSED.values(), *(PATHS.values() if no_open else ())]:
        number = numbers[column]
        if number is not None:
            code += [_step(EQUAL, number, 0, 1), _step(RETURN, REFUSE)]
    return b"".join([*code, _step(RETURN, ALLOW)])


def _step(operation: int, operand: int, true: int = 0, false: int = 0) -> bytes:
    """One instruction; ``true`` and ``false`` are how many of the next ones a comparison skips."""
    return struct.pack("HBBI", operation, true, false, operand)


# Made once, before any fork: every program needs one of them.
TAILS = {(machine, no_open): _tail(machine, no_open=no_open) for machine in ARCHITECTURES for no_open in (False, True)}
