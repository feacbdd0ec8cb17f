"""Levels of containment, from best to worst. A level counts as offered only after a probe program has run into it."""

from __future__ import annotations

from dataclasses import dataclass

MIN_LEVEL = 2  # below this level generated code runs only with the user's explicit consent


@dataclass(frozen=True)
class Level:
    """One way to contain a program.

    ``namespaces``: users, mounts, network, processes and IPC of its own, a read-only root that holds nothing but the
    interpreter's libraries, and a small folder in memory to work in. ``landlock``: the kernel's list of paths that may
    be used. ``paths``: what the filter of system calls lets a program do with paths: 'write' (in its own
    folder) or 'none' (not even see whether one exists; the modules that it imports by name are imported beforehand);
    'any' means no filter. A filter lists what is allowed: no sockets, no new processes, no exec, no signals to
    others, no mounts. Every level has resource limits, a deadline, an empty environment and a session of its own.
    """

    number: int
    name: str
    namespaces: bool
    landlock: bool
    paths: str

    @property
    def filters(self) -> bool:
        return self.paths != "any"


LEVELS = (
    Level(3, "isolated", namespaces=True, landlock=True, paths="write"),
    Level(2, "confined", namespaces=False, landlock=True, paths="none"),
    Level(2, "confined-by-namespaces", namespaces=True, landlock=False, paths="write"),
    Level(1, "no-open", namespaces=False, landlock=False, paths="none"),
    Level(0, "unsafe", namespaces=False, landlock=False, paths="any"),
)

REFUSED = """
import os, socket
def refused(act):
    try:
        act()
    except OSError:
        return True
    return False
assert refused(socket.socket), "a socket could be made"
assert refused(os.fork), "a process could be forked"
assert refused(lambda: open("/etc/passwd")), "a file of the host could be read"
assert refused(lambda: open("/written", "w")), "the root could be written to"
assert refused(lambda: os.mkdir("/tmp/made")), "a folder could be made outside"
"""
OWN = "assert os.getpid() == 2 and len(os.listdir('.')) == 0, 'namespaces are missing'\nopen('scratch', 'w').close()\n"
WALLED = "assert refused(lambda: os.listdir('/')), 'Landlock is missing'\n"
CLOSED = """
assert refused(lambda: open(os.devnull)), "a path could be opened"
assert refused(lambda: os.stat("/")) and refused(lambda: os.readlink("/proc/self")), "a path could be looked at"
"""


def probe(level: Level) -> str:
    """The program that a server runs once when it starts. It passes only where the level really contains it."""
    if not level.filters:
        return ""
    felt = (OWN if level.namespaces else "") + (WALLED if level.landlock else "")
    return REFUSED + felt + (CLOSED if level.paths == "none" else "")
