"""The distribution dosage-llm: what its wheel holds, and its commands away from the checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.package.environment import PACKAGES, distribution, run

PLAN = ("+grid=data_amount", "-m", "dry_run=true")


def test_the_wheel_holds_all_that_the_code_reads(wheel: Path):
    read = [*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "train" / "templates").iterdir()]
    read += [path for path in (ROOT / "common" / "bases").rglob("*") if path.is_file()]
    assert len(read) > 40
    for path in read:
        place = path.relative_to(ROOT)
        held = wheel / ("common" if place.parts[0] == "conf" else "") / place
        assert held.read_bytes() == path.read_bytes()
    for package in (*PACKAGES, "hydra_plugins"):
        for path in (ROOT / package).rglob("*.py"):
            assert (wheel / path.relative_to(ROOT)).is_file()
    assert not {path.name for path in wheel.iterdir()} & {"conf", "tests", "docs"}


def test_the_script_is_named_dosage(wheel: Path):
    scripts = distribution(wheel).entry_points.select(group="console_scripts")
    assert distribution(wheel).name == "dosage-llm"
    assert [(entry.name, entry.value) for entry in scripts] == [("dosage", "common.command:main")]


def test_the_plan_of_the_demo_is_made_from_an_empty_folder(core: Path, tmp_path: Path):
    ended = run("dosage", "sweep", *PLAN, site=core, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "18 cells: 16 distinct" in ended.stdout
    again = run("python", "-m", "sweep", *PLAN, site=core, folder=tmp_path)
    assert again.stdout == ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_suites_are_found_from_an_empty_folder(core: Path, tmp_path: Path):
    ended = run("dosage", "eval", "model=a/b", "revision=main", "suite=closed", site=core, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "error: suite=closed is unknown; choose one of: base, bbh, knowledge, micro, open, paper, plus"
    )


def test_a_table_is_analysed_without_any_extra(core: Path, tmp_path: Path):
    """Both ways of starting write the same report; the table is a user's own, in a folder that holds nothing else."""
    rows = [
        f"math,gsm8k,accuracy,{round(hits / 200, 3)},200,{samples},{seed}"
        for samples, hits in ((0, 8), (64, 40), (256, 81), (1024, 120), (4096, 150))
        for seed, hits in ((0, hits), (1, hits + 3))
    ]
    (tmp_path / "long.csv").write_text("\n".join(["ability,task,metric,value,n_items,samples,seed", *rows, ""]))
    ended = run("dosage", "analysis", "table=long.csv", site=core, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    report = (tmp_path / "long-analysis" / "report.html").read_bytes()
    shutil.rmtree(tmp_path / "long-analysis")
    again = run("python", "-m", "analysis", "table=long.csv", site=core, folder=tmp_path)
    assert again.stdout == ended.stdout
    assert (tmp_path / "long-analysis" / "report.html").read_bytes() == report


@pytest.mark.parametrize(("words", "status"), [((), 2), (("--help",), 0), (("swep", "ls"), 2)])
def test_the_command_says_what_it_takes(words: tuple[str, ...], status: int, core: Path, tmp_path: Path):
    ended = run("dosage", *words, site=core, folder=tmp_path)
    assert ended.returncode == status
    assert ("did you mean 'sweep'?" in ended.stderr) if words[:1] == ("swep",) else ("dosage COMMAND" in ended.stdout)


def test_one_version(wheel: Path, core: Path, tmp_path: Path):
    ended = run("dosage", "--version", site=core, folder=tmp_path)
    assert ended.stdout == f"dosage {distribution(wheel).version}\n"
