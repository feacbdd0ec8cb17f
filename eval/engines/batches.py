"""Plan which rows go through the model together, from their lengths alone."""

from __future__ import annotations

from collections.abc import Sequence


def plan(lengths: Sequence[int], *, rows: int, tokens: int) -> list[list[int]]:
    """Row numbers by batch.

    The longest rows come first, so that there is little padding and memory peaks in the first batch. A batch has at
    most ``rows`` rows and ``tokens`` tokens with padding, or a single row that is longer. Raises ValueError for
    ``rows`` below 1.
    """
    if rows < 1:
        raise ValueError(f"batch_rows={rows} must be at least 1")
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        # The first row of a batch is its longest, so it sets the padded length of the others.
        room = min(rows, tokens // max(1, lengths[batches[-1][0]])) if batches else 0
        if not batches or len(batches[-1]) >= room:
            batches.append([])
        batches[-1].append(row)
    return batches
