"""How well a host can contain a program, from best to worst. A level holds only if a probe program has felt it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One way to contain.

    ``namespaces``: own users, mounts, network, processes and IPC, and a read-only root that holds the interpreter's
    libraries alone. ``refuses``: a system-call filter refuses sockets, new processes, exec, signals to others, mounts
    and the like. ``no_open``: the filter refuses to open or change any path as well, so programs live on modules
    imported beforehand. Resource limits, a deadline, an empty environment and an own session come with every level.
    """

    number: int
    name: str
    namespaces: bool
    refuses: bool
    no_open: bool


# Level 3, 'isolated', is for confinement with an allow-list and Landlock on top of level 2; nothing reports it yet.
LEVELS = (
    Level(2, "confined", namespaces=True, refuses=True, no_open=False),
    Level(1, "no-open", namespaces=False, refuses=True, no_open=True),
    Level(0, "unsafe", namespaces=False, refuses=False, no_open=False),
)

# Run once at the start of a server: it passes only where the level really contains it.
PROBES = {
    2: """
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
assert os.getpid() == 1 and os.getcwd() == "/tmp", "namespaces are missing"
open("scratch", "w").close()
""",
    1: """
import os, socket
def refused(act):
    try:
        act()
    except OSError:
        return True
    return False
assert refused(socket.socket), "a socket could be made"
assert refused(os.fork), "a process could be forked"
assert refused(lambda: open(os.devnull)), "a path could be opened"
assert refused(lambda: os.mkdir("/tmp/made")), "a folder could be made"
""",
    0: "",
}
