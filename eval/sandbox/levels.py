"""How well a host can contain a program, from best to worst. A level holds only if a probe program has felt it."""

from __future__ import annotations

from dataclasses import dataclass

LEAST = 2  # below it generated code runs only by explicit consent


@dataclass(frozen=True)
class Level:
    """One way to contain.

    ``namespaces``: own users, mounts, network, processes and IPC, a read-only root with the interpreter's libraries
    alone, and a small folder in memory to work in. ``landlock``: the kernel's own list of paths that may be touched.
    ``paths``: what the system-call filter lets a program do with paths: 'write' (in its own folder), 'read', 'none'
    (then it lives on modules imported beforehand); 'any' is no filter at all. Every filter is a list of what is
    allowed: no sockets, no new processes, no exec, no signals to others, no mounts. Resource limits, a deadline, an
    empty environment and an own session come with every level.
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
    Level(2, "confined", namespaces=False, landlock=True, paths="read"),
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
CLOSED = "assert refused(lambda: open(os.devnull)), 'a path could be opened'\n"


def probe(level: Level) -> str:
    """The program that is run once at the start of a server: it passes only where the level really contains it."""
    if not level.filters:
        return ""
    felt = (OWN if level.namespaces else "") + (WALLED if level.landlock else "")
    return REFUSED + felt + (CLOSED if level.paths == "none" else "")
