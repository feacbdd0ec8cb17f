"""Where the config groups lie."""

from __future__ import annotations

from pathlib import Path


def conf_folder() -> Path:
    """The folder ``conf``: beside this file in an installed package, at the top of a checkout."""
    installed = Path(__file__).with_name("conf")
    return installed if installed.is_dir() else Path(__file__).resolve().parents[1] / "conf"
