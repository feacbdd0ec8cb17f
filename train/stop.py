"""Graceful shutdown: signals set a flag that the training loop checks between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)  # sent by SLURM, by Ctrl-C and by submitit
EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: a resume point was saved, and the same call continues from it


class StopFlag:
    """Whether this process has received a stop signal."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self, *_: object) -> None:
        """Set the flag. Takes the arguments of a signal handler and ignores them."""
        self.is_set = True


@contextmanager
def on_signals() -> Iterator[StopFlag]:
    """Yield a flag that a signal of `SIGNALS` sets within the block; the previous handlers return afterwards.

    Python installs signal handlers in the main thread only; in any other thread no signal sets the flag.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    previous_handlers = {number: signal.signal(number, flag.set) for number in SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
