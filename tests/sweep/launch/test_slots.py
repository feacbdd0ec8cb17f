"""How many of a machine's GPUs a job takes."""

from pathlib import Path

import pytest

from eval.spec.answers import AnswerSpec, Decoding, EvalRun
from sweep.launch.local import Pool
from sweep.stages.stage import Stage
from sweep.stages.store import Store
from sweep.stages.worker import Job


@pytest.mark.parametrize(
    ("gib", "card", "slots"), [(0.0, 80.0, 1), (70.0, 80.0, 1), (182.0, 80.0, 4), (700.0, 80.0, 4), (182.0, None, 1)]
)
def test_answers_take_the_gpus_that_hold_them(
    gib: float, card: float | None, slots: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    spec = AnswerSpec("gsm8k", "", None, "big", "main", Decoding(8, 0.0, 0), "bf16")
    job = Job(Stage("answer", spec, {}), EvalRun("key", 64), tmp_path, 1.0, gib)
    pool = Pool({job.stage.key: job}, Store(tmp_path), None)
    pool.card = card
    assert pool.slots(job, "gpu") == slots
