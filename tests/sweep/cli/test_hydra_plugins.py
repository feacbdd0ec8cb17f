"""Hydra finds our plugins the way it documents, and other programs of the environment hardly notice them."""

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
