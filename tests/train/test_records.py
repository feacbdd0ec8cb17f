"""metrics.jsonl and summary.json, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.train.tiny import engine, recipe
from train import records
from train.batches import BatchPlan
from train.ranks import ProcessGroup
from train.samples import TokenizedSamples
from train.spec import Portion, TrainSpec
from train.step import TrainSetup


def line(**losses: float) -> dict[str, float]:
    return {f"loss/{name}": loss for name, loss in losses.items()}


def test_a_final_loss_is_the_mean_over_the_last_twentieth_of_the_steps_with_the_source() -> None:
    metrics = [line(a=9.0) for _ in range(37)] + [line(a=8.0, b=5.0), line(a=2.0, b=4.0), line(b=1.0), line(a=1.0)]
    assert len(metrics) == 41  # so two steps count
    assert records.final_losses(("a", "b", "unseen"), metrics) == {"a": 1.5, "b": 2.5}
    assert records.final_losses(("a",), metrics[:39]) == {"a": 2.0}  # 39 steps: one counts
    assert records.final_losses(("a",), metrics[:1]) == {"a": 9.0}


@pytest.fixture
def setup() -> TrainSetup:
    """Samples of 3, 2 and 4 tokens, 2, 1 and 1 of them supervised, in a batch of sample 0 three times and sample 1."""
    supervised = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1], dtype=bool)
    data = TokenizedSamples(
        ("a", "b", "c"), np.arange(9, dtype=np.int32), supervised, np.array([0, 3, 5, 9]), np.array([0, 1, 1])
    )
    plan = BatchPlan(np.array([0, 0, 1, 0]), np.array([[0, 0, 4]]), seed=0)
    portions = (Portion("math", ("a",), 2), Portion("code", ("b", "c"), 1))
    spec = TrainSpec(None, None, portions, recipe(), 0)
    return TrainSetup(spec, engine(pack=True), ProcessGroup(0, 1, 0), data, plan)


def test_a_summary_counts_samples_presentations_and_tokens_of_every_source(setup: TrainSetup) -> None:
    summary = records.summary(setup, [line(a=1.0, b=2.0)], parameters=7)
    assert summary == {
        "steps": 1, "samples": 4, "tokens": 11, "supervised_tokens": 7, "parameters": 7, "packed": True,
        "sources": {
            "a": {"ability": "math", "samples": 1, "presentations": 3, "tokens": 9, "supervised_tokens": 6},
            "b": {"ability": "code", "samples": 1, "presentations": 1, "tokens": 2, "supervised_tokens": 1},
            "c": {"ability": "code", "samples": 0, "presentations": 0, "tokens": 0, "supervised_tokens": 0},
        },
        "final_loss": {"a": 1.0, "b": 2.0},
    }  # fmt: skip
    assert [records.presented(setup, steps) for steps in (0, 1)] == [(0, 0), (4, 11)]


def test_lines_after_the_resume_point_are_removed_and_missing_ones_are_refused(tmp_path: Path) -> None:
    with records.open_metrics(tmp_path, done=0, first=True) as metrics:
        for step in (1, 2, 3):
            metrics.write({"step": step})
    with records.open_metrics(tmp_path, done=2, first=True) as metrics:
        metrics.write({"step": 30})
    assert [json.loads(text)["step"] for text in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [1, 2, 30]
    with records.open_metrics(tmp_path, done=3, first=True):
        pass
    assert records.read_metrics(tmp_path)[-1] == {"step": 30}
    with (
        pytest.raises(RuntimeError, match="has 3 lines, but the resume point is at step 4; delete"),
        records.open_metrics(tmp_path, done=4, first=True),
    ):
        pass
    with records.open_metrics(tmp_path, done=0, first=False) as metrics:  # another rank
        metrics.write({"step": 9})
    assert len(records.read_metrics(tmp_path)) == 3
