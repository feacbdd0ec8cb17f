"""Environments made of links: the wheel of this checkout and what it requires, nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import HANG_SECONDS, ROOT

BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
SCRIPT = "from common.command import main\n\nmain()\n"
"""What an installer writes as the script ``dosage``."""

PACKAGES = ("common", "sweep", "train", "eval", "analysis")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout and unpack it; return the folder that holds its packages."""
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True, timeout=HANG_SECONDS)
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def distribution(folder: Path) -> metadata.Distribution:
    """The one distribution that lies in a folder."""
    (only,) = metadata.distributions(path=[str(folder)])
    return only


def link(folder: Path, wheel: Path, *extras: str) -> Path:
    """Fill ``folder`` as site-packages after installing the wheel with these extras; return it."""
    for name in required(distribution(wheel).requires or [], extras):
        installed = metadata.distribution(name)
        for top in {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
            if not (folder / top).exists():  # distributions may share a folder, as those of CUDA do
                (folder / top).symlink_to(installed.locate_file(top))
    shutil.copytree(wheel, folder, dirs_exist_ok=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "dosage").write_text(SCRIPT)
    return folder


def required(lines: Sequence[str], extras: Sequence[str]) -> Iterator[str]:
    """Names of the distributions that requirements bring with them, each once. Extras of our own wheel are followed."""
    todo = [(line, ("", *extras)) for line in lines]
    seen: set[tuple[str, frozenset[str]]] = set()
    names: set[str] = set()
    while todo:
        line, wanted = todo.pop()
        requirement = Requirement(line)
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in wanted):
            continue
        if requirement.name == "dosage-llm":
            todo += [(own, tuple(requirement.extras)) for own in lines]
        elif key not in seen:
            seen.add(key)
            if key[0] not in names:
                names.add(key[0])
                yield requirement.name
            todo += [(below, ("", *requirement.extras)) for below in metadata.requires(requirement.name) or []]


def run(*words: str, site: Path, folder: Path, path: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """``dosage …`` or ``python …`` in ``folder``, with nothing but Python itself and ``site``, ``path`` before that."""
    start = [str(site / "bin" / "dosage")] if words[0] == "dosage" else []
    return subprocess.run(
        [sys.executable, "-S", *start, *words[1:]], cwd=folder, capture_output=True, text=True, timeout=240,
        env={
            "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": path + str(site), "COLUMNS": "160",
            "OMP_NUM_THREADS": "1", **environment,
        },
    )  # fmt: skip


def fill_with_strangers(folder: Path, *names: str) -> Path:
    """Put modules of these names into a folder, each of which ends whoever imports it, and other folders' names."""
    for name in names:
        (folder / f"{name}.py").write_text(f"raise SystemExit('the wrong {name}')\n")
    for name in ("conf", "hydra_plugins"):
        (folder / name).mkdir()
        (folder / name / "config.py").write_text(f"raise SystemExit('the wrong {name}')\n")
        (folder / name / "config.yaml").write_text("wrong: true\n")
    return folder
