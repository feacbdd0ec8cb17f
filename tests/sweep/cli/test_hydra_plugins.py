"""Hydra finds our plugins the way it documents, and other programs of the environment hardly notice them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LIST = """
import sys
from hydra.core.plugins import Plugins
print(sorted(name for name in Plugins.instance().class_name_to_class if "dosage" in name))
print(sorted({name.split(".")[0] for name in sys.modules}))
"""


def listed(folder: Path, path: Path) -> tuple[list[str], set[str]]:
    """Our plugins as a Hydra program in ``folder`` finds them, and the packages that it has imported by then."""
    ended = subprocess.run(
        [sys.executable, "-c", LIST],
        cwd=folder,
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not ended.stderr
    plugins, packages = ended.stdout.splitlines()
    return eval(plugins), set(eval(packages))


def test_hydra_finds_the_plugins_and_imports_no_package_for_them(tmp_path: Path):
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "hydra_plugins").symlink_to(ROOT / "hydra_plugins")
    plugins, packages = listed(tmp_path, tmp_path / "installed")
    _, without = listed(tmp_path, tmp_path)
    assert plugins == [f"hydra_plugins.dosage.{name}" for name in ("LocalLauncher", "PlanSweeper", "SubmititLauncher")]
    assert packages - without <= {"hydra_plugins"}


@pytest.mark.parametrize("words", [["-m", "seed=0,1"], ["seed=0"]], ids=["a sweep", "one cell"])
def test_a_launcher_that_runs_cell_by_cell_is_refused(words: list[str]):
    words = [*words, "dry_run=true", "hydra/launcher=basic"]
    ended = subprocess.run([sys.executable, "-m", "sweep", *words], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "hydra/launcher=local" in ended.stderr


def test_hydras_own_sweeper_gives_the_same_plan(tmp_path: Path):
    words = ["-m", "strategy=single", "seed=0,1", "fraction=1/4,1", "dry_run=true"]
    plans = [
        subprocess.run([sys.executable, "-m", "sweep", *words, *more], cwd=ROOT, capture_output=True, text=True).stdout
        for more in ([], ["hydra/sweeper=basic", f"hydra.sweep.dir={tmp_path}"])
    ]
    assert "4 distinct" in plans[0]
    assert plans[0] == plans[1]


CALLBACKS = """
from hydra.experimental.callback import Callback

class Whole(Callback):
    def on_multirun_start(self, config, **kwargs):
        print("begins with", config.hydra.sweeper.params)

    def on_multirun_end(self, config, **kwargs):
        print("is over")

class Each(Callback):
    def on_job_end(self, config, job_return, **kwargs):
        print("a job has ended")
"""


@pytest.mark.parametrize("flags", [["-m", "seed=0,1"], ["seed=0"]], ids=["a sweep", "one cell"])
@pytest.mark.parametrize("name", ["Whole", "Each"])
def test_callbacks_run_or_are_refused(name: str, flags: list[str], tmp_path: Path):
    """Those of the whole command run; those of a job run for one cell and are refused for a sweep of several."""
    (tmp_path / "mine.py").write_text(CALLBACKS)
    words = [*flags, "dry_run=true", f"+hydra.callbacks.own._target_=mine.{name}", f"store={tmp_path}"]
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    ended = subprocess.run(
        [sys.executable, "-m", "sweep", *words], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    lines = ended.stdout.splitlines()
    if name == "Each" and "-m" in flags:
        assert ended.returncode == 2 and "Each has on_job_end" in ended.stderr and not lines
    elif name == "Whole" and "-m" in flags:
        assert lines[0].startswith("begins with") and lines[-1] == "is over"
    else:
        assert ended.returncode == 0 and ("a job has ended" in lines) == (name == "Each")
