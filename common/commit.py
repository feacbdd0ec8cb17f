"""Which commit of the source this is, for records of where results come from."""

from __future__ import annotations

import subprocess

from common.start import ROOT


def commit() -> str:
    """The commit of the checkout that this code lies in, with " and changes" where files differ; "" for no checkout."""
    if not (ROOT / ".git").exists():  # an installed package may lie below a checkout that is not its own
        return ""
    said = [_git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")]
    return f"{said[0]}{' and changes' if said[1] else ''}" if said[0] else ""


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):  # git is not installed, or its disk is slow
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
