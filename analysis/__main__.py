"""``python -m analysis``; the commands are in `analysis.commands`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python searches the current folder first: a common.py there would hide the package of that name.
    if (here := Path.cwd()) != Path(__file__).resolve().parents[1]:
        sys.path[:] = [place for place in sys.path if place not in ("", str(here))]
    from common.start import own_packages

    own_packages()

from analysis.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
