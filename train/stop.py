"""A polite end: a signal only sets a flag, and the loop looks at it between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)  # SLURM, the keyboard, submitit
EXIT_CODE = 75  # "temporary failure, try again" of sysexits.h: a resume point was saved and the same call goes on


class Stop:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, *_: object) -> None:
        """Note the wish; usable as a signal handler."""
        self.asked = True


@contextmanager
def listening() -> Iterator[Stop]:
    """Listen to the signals within the block; only the main thread can, in another one nothing is heard."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
