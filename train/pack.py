"""Divide the samples of one step into micro-batches for each rank, and build their arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.samples import TokenizedSamples

SampleRow = tuple[int, ...]
"""Numbers of the samples in one row of a micro-batch, from the left."""

Layout = tuple[SampleRow, ...]
"""The rows of one micro-batch; an empty layout is a micro-batch without samples."""


@dataclass(frozen=True)
class MicroBatch:
    """The input of one forward pass.

    ``ids`` int64 is [rows, width]. ``position_ids`` int64 [rows, width] restart at 0 with each sample of a packed row;
    None means one sample a row, padded on the right, where causal attention never looks. ``labels``, ``logit_index``
    and ``source`` int64 are [targets]: target i is the token ``labels[i]``, predicted by the logits at
    ``logit_index[i]`` of the flattened rows, and belongs to the source number ``source[i]``.
    """

    ids: np.ndarray
    position_ids: np.ndarray | None
    logit_index: np.ndarray
    labels: np.ndarray
    source: np.ndarray


def divide(batch: np.ndarray, lengths: np.ndarray, *, ranks: int, micro_tokens: int, pack: bool) -> list[list[Layout]]:
    """The layouts of each rank's micro-batches, the same number for every rank (short ranks get empty ones).

    ``batch`` holds sample numbers, ``lengths`` [samples] the tokens of every sample. Each sample of the batch is in
    exactly one row. A micro-batch has at most ``micro_tokens`` places (rows x width), unless it is one longer sample.
    """
    # Giving the longest remaining sample to the rank with the fewest tokens balances the ranks well.
    longest_first = batch[np.argsort(-lengths[batch], kind="stable")]
    samples_of: list[list[int]] = [[] for _ in range(ranks)]
    tokens_of = [0] * ranks
    for sample in longest_first:
        lightest = tokens_of.index(min(tokens_of))
        samples_of[lightest].append(int(sample))
        tokens_of[lightest] += int(lengths[sample])
    arrange = _packed if pack else _padded
    layouts_of = [arrange(samples, lengths, micro_tokens) for samples in samples_of]
    # Collective operations of the ranks must match, so every rank does the same number of forward passes.
    most = max(len(layouts) for layouts in layouts_of)
    return [layouts + [()] * (most - len(layouts)) for layouts in layouts_of]


def _packed(samples: list[int], lengths: np.ndarray, micro_tokens: int) -> list[Layout]:
    """Pack samples, longest first, by first-fit decreasing.

    Rows are as long as the longest sample and no longer, since the cost of attention grows with the square of a row.
    """
    if not samples:
        return []
    width = min(int(lengths[samples[0]]), micro_tokens)
    rows: list[list[int]] = []
    room: list[int] = []
    for sample in samples:
        length = int(lengths[sample])
        fitting = next((number for number, free in enumerate(room) if free >= length), None)
        if fitting is None:
            rows.append([sample])
            room.append(width - length)
        else:
            rows[fitting].append(sample)
            room[fitting] -= length
    overlong: list[Layout] = [(tuple(row),) for row, free in zip(rows, room, strict=True) if free < 0]
    full_width = [tuple(row) for row, free in zip(rows, room, strict=True) if free >= 0]
    rows_per_pass = micro_tokens // width
    return overlong + [
        tuple(full_width[start : start + rows_per_pass]) for start in range(0, len(full_width), rows_per_pass)
    ]


def _padded(samples: list[int], lengths: np.ndarray, micro_tokens: int) -> list[Layout]:
    """One sample a row, longest first: samples of similar length share a micro-batch and need little padding."""
    layouts: list[Layout] = []
    start = 0
    while start < len(samples):
        rows = max(1, micro_tokens // int(lengths[samples[start]]))
        layouts.append(tuple((sample,) for sample in samples[start : start + rows]))
        start += rows
    return layouts


def collate(layout: Layout, data: TokenizedSamples, *, pack: bool) -> MicroBatch:
    """The arrays of one micro-batch. An empty layout gives one row of two tokens without a target."""
    if not layout:
        empty = np.zeros(0, dtype=np.int64)
        # A real forward pass, so that this rank takes part in ZeRO's collective operations.
        return MicroBatch(np.zeros((1, 2), dtype=np.int64), None, empty, empty, empty)
    spans = [[(int(data.offsets[s]), int(data.offsets[s + 1])) for s in row] for row in layout]
    width = max(sum(stop - start for start, stop in row) for row in spans)
    ids = np.zeros((len(layout), width), dtype=np.int64)
    position_ids = np.zeros((len(layout), width), dtype=np.int64)
    supervised = np.zeros((len(layout), width), dtype=np.bool_)
    source = np.zeros((len(layout), width), dtype=np.int64)
    for number, (row_spans, samples) in enumerate(zip(spans, layout, strict=True)):
        column = 0
        for (start, stop), sample in zip(row_spans, samples, strict=True):
            here = slice(column, column + stop - start)
            ids[number, here] = data.ids[start:stop]
            supervised[number, here] = data.supervised[start:stop]
            position_ids[number, here] = np.arange(stop - start)
            source[number, here] = data.source[sample]
            column = here.stop
    targets = np.flatnonzero(supervised)  # a sample's first token is never supervised, so targets - 1 is in its row
    return MicroBatch(ids, position_ids if pack else None, targets - 1, ids.ravel()[targets], source.ravel()[targets])
