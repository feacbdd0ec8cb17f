"""How long before its end a training job is told to save a resume point."""

import json
from pathlib import Path

from sweep.plan.resume_points import SAVE_BYTES, SHORTEST_DELAY, signal_delay
from sweep.stages.store import Store
from train.spec import RESUME_BYTES

BILLION = 10**9


def finished(root: Path, name: str, timings: dict[str, float]) -> None:
    folder = root / "train" / name
    folder.mkdir(parents=True)
    (folder / "timings.json").write_text(json.dumps(timings))


def test_the_delay_follows_from_the_models_size_and_the_stores_measured_rate(tmp_path: Path):
    store = Store(tmp_path)
    assert signal_delay(0, store) == SHORTEST_DELAY
    assert signal_delay(33 * BILLION, store) == SHORTEST_DELAY + 2 * 33 * BILLION * RESUME_BYTES / SAVE_BYTES
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "gone").symlink_to("removed while it is looked at")
    finished(tmp_path, "a", {"seconds": 1.0})  # too short for a resume point
    finished(tmp_path, "b", {"resume_point_seconds": 10.0, "resume_point_bytes": 2e10})
    finished(tmp_path, "c", {"resume_point_seconds": 10.0, "resume_point_bytes": 1e10})
    finished(tmp_path, "d", {"resume_point_seconds": 99.0, "resume_point_bytes": 1e10})
    assert signal_delay(33 * BILLION, store) == SHORTEST_DELAY + 792  # 396 GB at 1 GB/s, twice
