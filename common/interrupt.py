"""Ctrl-C in a word instead of a traceback, from the first line of a command on; it imports what Python has loaded.

A signal that comes earlier is Python's own affair, as none of our code runs by then. In the first milliseconds it ends
the process without a word; while Python imports `site`, "Fatal Python error: init_import_site" and a traceback are
printed, and while it looks for the module to run, for a few milliseconds more, a traceback.
"""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended, as shells give it."""


def in_a_word() -> None:
    """From here on Ctrl-C prints ``interrupted``, whatever is being imported; the exit status is `INTERRUPTED`."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], value: BaseException, trace: object) -> None:
        if not _is_interrupt(value):
            usual(kind, value, value.__traceback__)
            return
        print("interrupted", file=sys.stderr)
        if not isinstance(value, KeyboardInterrupt):  # else Python ends by the signal itself, which shells give as 130
            sys.stderr.flush()
            os._exit(INTERRUPTED)

    sys.excepthook = hook


def _is_interrupt(value: BaseException | None) -> bool:
    """Whether an exception is Ctrl-C, or was made of one: Python does that while it makes the classes of a module."""
    while value is not None and not isinstance(value, KeyboardInterrupt):
        value = value.__cause__
    return value is not None
