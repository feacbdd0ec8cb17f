"""Among the first things a command does: make sure that the packages it will import are Dosage's."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("common", "sweep", "train", "eval", "analysis")
ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds them: site-packages, or a checkout."""

A_DEPENDENCY = "hydra"
"""A package that every installation of Dosage has, and no other Python by chance."""

OWN_CONFIG = "dosage_conf"
"""The folder for config groups of one's own; where the current folder has it, every sweep reads it."""


def own_packages() -> None:
    """Stop searching the current folder for modules, in this process and in those that it starts.

    Exits with status 2 and one sentence where a module elsewhere on Python's path still hides a package of Dosage, and
    where this Python has none of the packages that Dosage needs.
    """
    here = Path.cwd()
    if here != ROOT:
        sys.path[:] = [place for place in sys.path if place not in ("", str(here))]
        os.environ["PYTHONSAFEPATH"] = "1"
        if places := os.environ.get("PYTHONPATH"):
            kept = [place for place in places.split(os.pathsep) if place and Path(place).resolve() != here]
            os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec and spec.origin and Path(spec.origin).resolve().parent != ROOT / name:
            print(
                f"error: {spec.origin} hides Dosage's package {name}, which lies in {ROOT}; rename it, or take its "
                "folder off PYTHONPATH",
                file=sys.stderr,
            )
            sys.exit(2)
    if importlib.util.find_spec(A_DEPENDENCY) is None:
        activate = ROOT / ".venv" / "bin" / "activate"
        remedy = f"run: . {activate}" if activate.exists() else f"run make demo in {ROOT}, or: pip install {ROOT}"
        print(f"error: {sys.executable} has not the packages that Dosage needs; {remedy}", file=sys.stderr)
        sys.exit(2)


def look_for_garbage_seldom() -> None:
    """Let a command that lives for seconds make 50,000 objects, not 700, before Python looks for cycles among them.

    It makes some 100,000 while it starts, of which nearly none is garbage.
    """
    gc.set_threshold(50_000)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import large libraries in the block without looking for garbage: that takes an eighth of the time."""
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


def for_own_module() -> dict[str, str]:
    """The environment in which ``python -P -m`` finds Dosage's packages from any folder."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}


def packaged_store() -> Path:
    """The read-only store of the small base models that come with Dosage."""
    return Path(__file__).with_name("bases")


def conf_folder() -> Path:
    """The folder of the config groups: in an installed wheel beside this file, in a checkout at the top."""
    installed = Path(__file__).with_name("conf")
    return installed if installed.is_dir() else ROOT / "conf"
