"""Files in the current folder that are named like Dosage's packages: commands and their processes do not see them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, TINY
from tests.package.environment import PACKAGES, fill_with_strangers, run

LIBRARIES = ("torch", "transformers", "datasets", "numpy", "submitit", "langdetect")
"""Libraries that worker processes import."""

SWEEP = (
    "name=near", "ability=math", "fraction=1/4",
    *(word for word in TINY if not any(name in word for name in ("world.test", "humaneval", "ifeval"))),
    "~suite.tasks.humaneval", "~suite.tasks.ifeval", "~suite.tasks.code_loss", "~suite.tasks.general_loss",
    "data.world.test=24", "recipe.epochs=null", "recipe.steps=2", "model.pretrain.epochs=null",
    "model.pretrain.steps=2", "model.pretrain.batch_samples=8",
)  # fmt: skip
"""One cell of one task, trained for four steps."""


@pytest.mark.parametrize("start", ["dosage", "python -m"])
@pytest.mark.parametrize("command", ["sweep", "eval", "analysis"])
def test_commands_do_not_import_from_it(start: str, command: str, core: Path, tmp_path: Path):
    # Only `python -m sweep` beside a sweep.py is out of reach: Python runs that file and nothing of Dosage.
    # Nor does PYTHONPATH=. matter, except to the script, which itself begins with the package common.
    fill_with_strangers(tmp_path, *(name for name in PACKAGES if start == "dosage" or name != command), *LIBRARIES)
    words = ("-m", "ability=math", "dry_run=true") if command == "sweep" else ("--help",)
    for path in ("", f".{os.pathsep}"):
        if path and start == "dosage":
            (tmp_path / "common.py").unlink()
        ended = run(*start.split(), command, *words, site=core, folder=tmp_path, path=path)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout


def test_a_module_elsewhere_that_hides_a_package_is_named(core: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    fill_with_strangers(tmp_path / "mine", "train")
    for start in (("dosage",), ("python", "-m")):
        ended = run(*start, "sweep", "ls", site=core, folder=tmp_path, path=f"{tmp_path}/mine{os.pathsep}")
        assert ended.returncode == 2
        assert ended.stderr == (
            f"error: {tmp_path}/mine/train.py hides Dosage's package train, which lies in {core}; "
            "rename it, or take its folder off PYTHONPATH\n"
        )


@pytest.mark.slow
def test_worker_processes_do_not_import_from_it(models: Path, tmp_path: Path):
    """The stages of a sweep, and the processes in which `eval` answers, run from a folder full of such files."""
    fill_with_strangers(tmp_path, *PACKAGES, *LIBRARIES)
    ended = run("dosage", "sweep", *SWEEP, site=models, folder=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (world,) = (tmp_path / "store" / "world").iterdir()
    model = max((tmp_path / "store" / "train").iterdir())
    words = (f"model={model}", "suite=micro", f"world={world}", "tasks=gsm8k", "eval_batch_size=1", "workers=2")
    (tmp_path / "eval.py").unlink()  # `python -m eval` would run it
    answered = run("python", "-m", "eval", *words, site=models, folder=tmp_path, path=f".{os.pathsep}")
    assert answered.returncode == 0, answered.stderr
    assert "gsm8k" in answered.stdout


def test_ctrl_c_while_modules_are_imported_is_one_word():
    code = "from common import interrupt; interrupt.in_a_word(); raise {}"
    errors = ("KeyboardInterrupt", "RuntimeError('in __set_name__') from KeyboardInterrupt()", "ValueError(7)")
    ended = [
        subprocess.run([sys.executable, "-c", code.format(error)], cwd=ROOT, capture_output=True, text=True)
        for error in errors
    ]
    assert [one.stderr for one in ended[:2]] == ["interrupted\n"] * 2
    assert [one.returncode for one in ended[:2]] == [-signal.SIGINT, 130]
    assert "Traceback" in ended[2].stderr and "ValueError: 7" in ended[2].stderr


@pytest.mark.parametrize("name", ["sweep", "eval", "analysis"])
def test_ctrl_c_is_one_word_from_the_first_import_of_a_command_on(name, tmp_path):
    """The signal comes with the first module that Python has not imported by itself, and that takes time."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Early:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('typing', 'pathlib', 'collections.abc', 're'):\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Early())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", name, "--help"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "interrupted\n")


def test_a_python_without_the_packages_of_dosage_is_named_in_one_line():
    bare = subprocess.run([sys.executable, "-S", "-m", "sweep", "ls"], cwd=ROOT, capture_output=True, text=True)
    assert bare.returncode == 2
    assert bare.stderr.startswith(f"error: {sys.executable} has not the packages that Dosage needs; run")
