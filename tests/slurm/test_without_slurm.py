"""What the SLURM launcher says where there is no SLURM."""

from pathlib import Path

from tests.conftest import TINY, sweep


def test_it_says_so_before_anything_is_written(tmp_path: Path) -> None:
    store = tmp_path / "store"
    empty = tmp_path / "bin"
    empty.mkdir()
    done = sweep("-m", *TINY, "name=none", "hydra/launcher=submitit_slurm", store=store, PATH=str(empty))
    assert done.returncode == 2
    assert done.stderr == "error: sbatch is not on PATH, so there is no SLURM to submit to; use hydra/launcher=local\n"
    assert not (store / "sweeps").exists()


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = sweep("-m", "hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=0", store=tmp_path / "store")
    assert done.returncode == 2
    assert "hydra.launcher.timeout_min=0 must be a whole number above 0" in done.stderr
