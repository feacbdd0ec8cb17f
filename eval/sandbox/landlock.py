"""Landlock: restrict the paths that a process and its children may use, and whom they may signal; needs no privileges.

See landlock(7) of the Linux manual.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

from eval.sandbox import linux

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
VERSION_FLAG, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
# Reading, writing, removing and making files, folders and links, and truncating; neither devices nor sockets.
SCRATCH = 0x71BE
# What the kernel's interface can handle, by the first version that can.
PATH_BITS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 5: 0xFFFF}
TCP_BITS = {4: 3}  # bind, connect
SCOPE_BITS = {6: 3}  # abstract unix sockets and signals, which then stay among the restricted processes


class _Handled(ctypes.Structure):
    """struct landlock_ruleset_attr."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("paths", "ports", "scopes"))


class _Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def ruleset(*, readable: Sequence[str], devices: Sequence[str], writable: Sequence[str]) -> int:
    """A descriptor of rules that allow reading folders and devices and changing folders; all else is refused.

    Raises OSError where the kernel has no Landlock.
    """
    version = linux.system_call("Landlock", CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(VERSION_FLAG))
    handled = _Handled(_bits(PATH_BITS, version), _bits(TCP_BITS, version), _bits(SCOPE_BITS, version))
    # Older kernels refuse a structure with fields that they do not know.
    size = ctypes.c_size_t(8 if version < 4 else 16 if version < 6 else 24)
    rules = linux.system_call("landlock_create_ruleset", CREATE_RULESET, ctypes.byref(handled), size, ctypes.c_uint(0))
    allowed = {**dict.fromkeys(readable, EXECUTE | READ_FILE | READ_DIR), **dict.fromkeys(devices, READ_FILE)}
    allowed |= dict.fromkeys(writable, SCRATCH)
    for path, bits in allowed.items():
        _allow(rules, path, bits & handled.paths)
    return rules


def restrict(rules: int) -> linux.Step:
    """Step: restrict the process to the rules of that descriptor, for good."""
    arguments = (ctypes.c_long(RESTRICT_SELF), ctypes.c_int(rules), ctypes.c_uint(0))
    return linux.step("landlock_restrict_self", "syscall", *arguments)


def _bits(table: dict[int, int], version: int) -> int:
    return max((bits for since, bits in table.items() if since <= version), default=0)


def _allow(rules: int, path: str, bits: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = _Beneath(bits, parent)
    kind, flags = ctypes.c_int(PATH_BENEATH), ctypes.c_uint(0)
    try:
        linux.system_call("landlock_add_rule", ADD_RULE, ctypes.c_int(rules), kind, ctypes.byref(rule), flags)
    finally:
        os.close(parent)
