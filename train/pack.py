"""The samples of one step as micro-batches for each rank, and those as arrays. No sample ever sees another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.samples import TokenizedSamples

Row = tuple[int, ...]
Layout = tuple[Row, ...]


@dataclass(frozen=True)
class MicroBatch:
    """One forward pass. ``ids`` int64 is [rows, width].

    ``positions`` [rows, width] restart at 0 with each sample of a packed row; None means one sample a row, from the
    left, with padding on the right that causal attention keeps out of sight. Target i is ``labels[i]``, predicted at
    place ``places[i]`` of the flattened rows, and belongs to source ``source[i]``.
    """

    ids: np.ndarray
    positions: np.ndarray | None
    places: np.ndarray
    labels: np.ndarray
    source: np.ndarray


def divide(batch: np.ndarray, lengths: np.ndarray, *, ranks: int, micro_tokens: int, pack: bool) -> list[list[Layout]]:
    """Micro-batches of each rank, all ranks with the same number of them; () stands for an empty one.

    Every sample of the batch is in exactly one row. A micro-batch has at most ``micro_tokens`` places (rows x width),
    unless it is a single longer sample.
    """
    ordered = batch[np.argsort(-lengths[batch], kind="stable")]
    shares: list[list[int]] = [[] for _ in range(ranks)]
    loads = [0] * ranks
    for sample in ordered:
        lightest = loads.index(min(loads))
        shares[lightest].append(int(sample))
        loads[lightest] += int(lengths[sample])
    arrange = _packed if pack else _padded
    micros = [arrange(share, lengths, micro_tokens) for share in shares]
    most = max(len(share) for share in micros)
    return [share + [()] * (most - len(share)) for share in micros]


def _packed(samples: list[int], lengths: np.ndarray, micro_tokens: int) -> list[Layout]:
    """First-fit decreasing into rows as long as the longest sample: attention costs the square of a row."""
    if not samples:
        return []
    width = min(int(lengths[samples[0]]), micro_tokens)
    rows: list[list[int]] = []
    room: list[int] = []
    for sample in samples:
        length = int(lengths[sample])
        place = next((number for number, left in enumerate(room) if left >= length), None)
        if place is None:
            rows.append([sample])
            room.append(width - length)
        else:
            rows[place].append(sample)
            room[place] -= length
    alone = [(tuple(row),) for row, left in zip(rows, room, strict=True) if left < 0]  # longer than micro_tokens
    shared = [tuple(row) for row, left in zip(rows, room, strict=True) if left >= 0]
    together = micro_tokens // width
    return alone + [tuple(shared[start : start + together]) for start in range(0, len(shared), together)]


def _padded(samples: list[int], lengths: np.ndarray, micro_tokens: int) -> list[Layout]:
    """Neighbours in length share a micro-batch, one sample a row."""
    layouts: list[Layout] = []
    start = 0
    while start < len(samples):
        rows = max(1, micro_tokens // int(lengths[samples[start]]))
        layouts.append(tuple((sample,) for sample in samples[start : start + rows]))
        start += rows
    return layouts


def collate(layout: Layout, data: TokenizedSamples, *, pack: bool) -> MicroBatch:
    """The arrays of one micro-batch; an empty one has a row of two tokens and no target."""
    if not layout:
        nothing = np.zeros(0, dtype=np.int64)
        return MicroBatch(np.zeros((1, 2), dtype=np.int64), None, nothing, nothing, nothing)
    spans = [[(int(data.offsets[s]), int(data.offsets[s + 1])) for s in row] for row in layout]
    width = max(sum(stop - start for start, stop in row) for row in spans)
    ids = np.zeros((len(layout), width), dtype=np.int64)
    positions = np.zeros((len(layout), width), dtype=np.int64)
    supervised = np.zeros((len(layout), width), dtype=np.bool_)
    source = np.zeros((len(layout), width), dtype=np.int64)
    for number, (row, members) in enumerate(zip(spans, layout, strict=True)):
        left = 0
        for (start, stop), sample in zip(row, members, strict=True):
            here = slice(left, left + stop - start)
            ids[number, here] = data.ids[start:stop]
            supervised[number, here] = data.supervised[start:stop]
            positions[number, here] = np.arange(stop - start)
            source[number, here] = data.source[sample]
            left = here.stop
    targets = np.flatnonzero(supervised)
    return MicroBatch(ids, positions if pack else None, targets - 1, ids.ravel()[targets], source.ravel()[targets])
