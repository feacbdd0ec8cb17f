"""``python -m analysis``; the commands are in `analysis.commands`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # Python searches the current folder first: a common.py there would hide the package of that name.
    if (here := os.path.realpath("")) != os.path.realpath(f"{__file__}/../.."):
        sys.path[:] = [place for place in sys.path if place not in ("", here)]
    from common import interrupt

    interrupt.in_a_word()  # before anything is imported that takes time
    from common.start import look_for_garbage_seldom, own_packages

    own_packages()
    look_for_garbage_seldom()

from analysis.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
