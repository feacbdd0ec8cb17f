"""GPUs in what SLURM calls generic resources."""

import pytest

from sweep.launch.gres import gpus_in, with_gpus


@pytest.mark.parametrize(
    ("gres", "count", "with_two"),
    [
        (None, None, None),
        ("shard:4", None, "shard:4"),
        ("gpu", 1, "gpu:2"),
        ("gpu:8", 8, "gpu:2"),
        ("gpu:h100:8", 8, "gpu:h100:2"),
        ("gpu:2080ti", 1, "gpu:2080ti:2"),
        ("gres/gpu:a100:4,nvme:1", 4, "gres/gpu:a100:2,nvme:1"),
        ("nvme:1,gpu:a100:4,gpu:h100:4", 8, "nvme:1,gpu:a100:2"),
        ("gpumem:4", None, "gpumem:4"),
    ],
)
def test_gpus_are_counted_and_replaced(gres: str | None, count: int | None, with_two: str | None):
    assert gpus_in(gres) == count
    assert gres is None or with_gpus(gres, 2) == with_two
