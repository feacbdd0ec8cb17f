"""The distribution dosage-llm: what its wheel holds, and its commands away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
STRANGERS = ("common", "sweep", "train", "eval", "analysis")
PLAN = ("+grid=data_amount", "-m", "dry_run=true")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True, timeout=60)
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and links to what it requires without any extra, as an environment of its own would have them."""
    folder = tmp_path_factory.mktemp("core")
    for name in _required(_distribution(wheel).requires or []):
        files = metadata.distribution(name).files or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (folder / top).symlink_to(metadata.distribution(name).locate_file(top))
    for path in wheel.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def _distribution(folder: Path) -> metadata.Distribution:
    (distribution,) = metadata.distributions(path=[str(folder)])
    return distribution


def _required(lines: list[str], extras: tuple[str, ...] = ("",)) -> Iterator[str]:
    """Names of the distributions that these requirements bring, each once."""
    todo, seen = [(line, extras) for line in lines], set()
    while todo:
        line, extras = todo.pop()
        requirement = Requirement(line)
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        key = (requirement.name.lower(), *sorted(requirement.extras))
        if key not in seen:
            if key[0] not in {name for name, *_ in seen}:
                yield requirement.name
            seen.add(key)
            below = metadata.requires(requirement.name) or []
            todo += [(line, (*requirement.extras, "")) for line in below]


def run(*words: str, core: Path, folder: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """``dosage …`` or ``python …`` in ``folder``, with nothing but Python itself and what ``core`` holds."""
    script = ["-P", "-c", "from common.command import main; main()"] if words[0] == "dosage" else []
    return subprocess.run(
        [sys.executable, "-S", *script, *words[1:]], cwd=folder, capture_output=True, text=True, timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": path + str(core), "COLUMNS": "160"},
    )  # fmt: skip


def strangers(folder: Path, *names: str) -> Path:
    """A folder with modules of these names that end whoever imports them."""
    for name in names:
        (folder / f"{name}.py").write_text(f"raise SystemExit('the wrong {name}')\n")
    for name in ("conf", "hydra_plugins"):
        (folder / name).mkdir()
        (folder / name / "config.py").write_text(f"raise SystemExit('the wrong {name}')\n")
        (folder / name / "config.yaml").write_text("wrong: true\n")
    return folder


def test_the_wheel_holds_all_that_the_code_reads(wheel: Path):
    read = [*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "train" / "templates").iterdir()]
    assert len(read) > 40
    for path in read:
        place = path.relative_to(ROOT)
        held = wheel / ("common" if place.parts[0] == "conf" else "") / place
        assert held.read_bytes() == path.read_bytes()
    for package in STRANGERS:
        for path in (ROOT / package).rglob("*.py"):
            assert (wheel / path.relative_to(ROOT)).is_file()
    assert not {path.name for path in wheel.iterdir()} & {"conf", "tests", "docs"}


def test_the_script_is_named_dosage(wheel: Path):
    distribution = _distribution(wheel)
    assert distribution.name == "dosage-llm"
    assert [(entry.name, entry.value) for entry in distribution.entry_points if entry.group == "console_scripts"] == [
        ("dosage", "common.command:main")
    ]


def test_the_plan_of_the_demo_is_made_from_an_empty_folder(core: Path, tmp_path: Path):
    ended = run("dosage", "sweep", *PLAN, core=core, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "18 cells: 16 distinct" in ended.stdout
    again = run("python", "-m", "sweep", *PLAN, core=core, folder=tmp_path)
    assert again.stdout == ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_suites_are_found_from_an_empty_folder(core: Path, tmp_path: Path):
    ended = run("dosage", "eval", f"model={tmp_path}", "suite=closed", core=core, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: suite=closed is unknown; choose one of: base, micro, open, paper")


@pytest.mark.parametrize("start", ["dosage", "python"])
@pytest.mark.parametrize("command", ["sweep", "eval", "analysis"])
def test_modules_of_the_current_folder_hide_none_of_dosage(start: str, command: str, core: Path, tmp_path: Path):
    names = [name for name in STRANGERS if start == "dosage" or name != command]  # python -m runs a file of that name
    strangers(tmp_path, *names)
    words = PLAN if command == "sweep" else ("--help",)
    for path in ("", f".{os.pathsep}") if start == "python" else ("",):
        dash_m = () if start == "dosage" else ("-m",)
        ended = run(start, *dash_m, command, *words, core=core, folder=tmp_path, path=path)
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
        assert ended.stdout


def test_a_module_that_hides_a_package_is_named(core: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    strangers(tmp_path / "mine", "train")
    for start in (("dosage",), ("python", "-m")):
        ended = run(*start, "sweep", "ls", core=core, folder=tmp_path, path=f"{tmp_path}/mine{os.pathsep}")
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"error: {tmp_path}/mine/train.py hides Dosage's package train, which lies in ")
        assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(("words", "status"), [((), 2), (("--help",), 0), (("swep", "ls"), 2)])
def test_the_command_says_what_it_takes(words: tuple[str, ...], status: int, core: Path, tmp_path: Path):
    ended = run("dosage", *words, core=core, folder=tmp_path)
    assert ended.returncode == status
    assert ("did you mean sweep?" in ended.stderr) if words[:1] == ("swep",) else ("dosage COMMAND" in ended.stdout)


def test_one_version(wheel: Path, core: Path, tmp_path: Path):
    ended = run("dosage", "--version", core=core, folder=tmp_path)
    assert ended.stdout == f"dosage {_distribution(wheel).version}\n"
