"""``python -m eval``; the commands are in `eval.commands`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # Python searches the current folder first: a common.py there would hide the package of that name.
    if (here := os.path.realpath("")) != os.path.realpath(f"{__file__}/../.."):
        sys.path[:] = [place for place in sys.path if place not in ("", here)]
    from common import interrupt

    interrupt.in_a_word()  # before anything is imported that takes time
    from common.start import own_packages

    own_packages()

from eval.commands.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
