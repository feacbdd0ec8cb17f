"""The memory that publishing a ZeRO-3 model takes on each of four ranks."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.train import processes

DEPTHS = (32, 128)


def export() -> str:
    """The growth of each rank's resident memory at its peak, for two models of many small layers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        processes.finish(processes.start("export_peaks", (folder, DEPTHS), folder, ranks=4), seconds=1200)
        ranks = [
            [[int(word) / 2**20 for word in line.split()] for line in file.read_text().splitlines()]
            for file in sorted(folder.glob("peak-*.txt"))
        ]
    lines = [
        f"{sizes[0][0]:.0f} MiB of weights: " + ", ".join(f"{grown:.1f}" for _, grown in sizes) + " MiB a rank"
        for sizes in zip(*ranks, strict=True)
    ]
    return "; ".join(lines)
