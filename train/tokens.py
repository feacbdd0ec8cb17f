"""Stage ``tokens``: tokenise one source, mask its supervised tokens, and record what became of its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.json_file import write_json
from common.rows import Row, read_rows
from train.render import Renderer, RenderResult, Sample, load_tokenizer, set_template
from train.sources import BadRow, Message, conversation, read_hub
from train.spec import TokensSpec

LISTED_BAD_ROWS = 20  # the manifest counts all bad rows and describes the first few
ROWS_PER_CALL = 1000  # rows tokenised in one call


@dataclass
class RowLog:
    """What became of the rows.

    ``ids``, ``supervised`` and ``rows`` hold the token ids, the mask and the row number (from 0) of each sample.
    ``too_long`` counts samples over max_length, ``truncated`` those of them that were cut instead of skipped, and
    ``unsupervised`` samples without a supervised token.
    """

    ids: list[np.ndarray] = field(default_factory=list)
    supervised: list[np.ndarray] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    too_long: int = 0
    truncated: int = 0
    unsupervised: int = 0


def run(spec: TokensSpec, inputs: Mapping[str, Path], out: Path) -> None:
    """Write ids.npy, supervised.npy, offsets.npy, rows.npy, manifest.json and tokenizer/ to ``out``.

    Sample i has the ids ``ids[offsets[i]:offsets[i + 1]]`` and comes from row ``rows[i]`` of the source (from 0).
    Raises a ValueError for a malformed row (unless on_bad_row=skip), for a sample over max_length (unless on_long is
    skip or truncate) and for a source without any sample.
    """
    rows = read_source(spec, inputs)
    numbers = part_rows(len(rows), spec.held_out, spec.part)
    tokenizer = load_tokenizer(inputs.get("tokenizer"), spec.tokenizer_hub)
    set_template(tokenizer, spec.template)
    renderer = Renderer(tokenizer, system=spec.system, supervise=spec.supervise)
    if spec.format != "text":
        renderer.check()
    row_log = RowLog()
    for start in range(0, len(numbers), ROWS_PER_CALL):
        _add_rows(spec, renderer, rows, numbers[start : start + ROWS_PER_CALL], row_log)
    if not row_log.ids:
        raise ValueError(
            f"none of the {len(numbers)} rows gives a sample: {len(row_log.bad)} malformed, {row_log.too_long} over "
            f"max_length={spec.max_length}, {row_log.unsupervised} without a supervised token; check format and fields"
        )
    tokenizer.save_pretrained(str(out / "tokenizer"))
    write(row_log, len(numbers), out)


def read_source(spec: TokensSpec, inputs: Mapping[str, Path]) -> list[Row]:
    """All rows of the source, held-out ones included. Raises a ValueError if the source cannot be read."""
    if spec.hub is not None:
        return read_hub(spec.hub, file=spec.file, split=spec.split)
    data = inputs["data"]
    if data.is_dir() and not spec.file:
        raise ValueError(f"{data} is a folder; name one of its files with `file`")
    return list(read_rows(data / spec.file if data.is_dir() else data))


def part_rows(rows: int, held_out: int, part: str) -> list[int]:
    """Row numbers (from 0) of one part of ``rows`` rows, ascending.

    ``part`` is 'train' or 'held_out'. No seed changes the parts, so that held-out losses of all runs are comparable,
    and fewer held-out rows are a subset of more. Raises a ValueError if no row would remain for training.
    """
    if held_out >= rows:
        raise ValueError(f"held_out={held_out}, but the source has only {rows} rows; lower held_out below that")
    order = np.random.Generator(np.random.PCG64(0)).permutation(rows)
    numbers = order[:held_out] if part == "held_out" else order[held_out:]
    return [int(number) for number in np.sort(numbers)]


def _add_rows(spec: TokensSpec, renderer: Renderer, rows: list[Row], numbers: list[int], row_log: RowLog) -> None:
    """Parse and render the rows with these numbers and add them to the row log."""
    conversations: dict[int, tuple[Message, ...]] = {}
    problems: dict[int, BadRow] = {}
    for number in numbers:
        try:
            conversations[number] = conversation(rows[number], spec.format, dict(spec.fields))
        except BadRow as error:
            problems[number] = error
    results = dict(zip(conversations, renderer.samples(list(conversations.values())), strict=True))
    for number in numbers:
        problem = problems.get(number) or _add_sample(spec, rows[number], number, results[number], row_log)
        if problem is not None and spec.on_bad_row == "error":
            raise problem
        if problem is not None:
            row_log.bad.append(problem)


def _add_sample(spec: TokensSpec, row: Row, number: int, rendered: RenderResult, row_log: RowLog) -> BadRow | None:
    """Add a sample that fits the length limit, or can be made to fit, to the row log; return the row's problem."""
    if rendered.sample is None:
        return BadRow(row, "", rendered.problem)
    sample = rendered.sample
    if too_long := len(sample.ids) > spec.max_length:
        row_log.too_long += 1
        if spec.on_long == "error":
            raise ValueError(
                f"{row.file}, {row.unit} {row.line}: {len(sample.ids)} tokens, over max_length={spec.max_length}; "
                "raise max_length, or set on_long=skip or on_long=truncate"
            )
        if spec.on_long == "skip":
            return None
        row_log.truncated += 1
        sample = Sample(sample.ids[: spec.max_length], sample.supervised[: spec.max_length])
    if not any(sample.supervised):
        row_log.unsupervised += 1
        # A row that lost its answer to truncation is sound and already counted as too long.
        return None if too_long else BadRow(row, "", "has no token that carries loss (no answer?)")
    row_log.ids.append(np.array(sample.ids, dtype=np.int32))
    row_log.supervised.append(np.array(sample.supervised, dtype=np.bool_))
    row_log.rows.append(number)
    return None


def write(row_log: RowLog, rows: int, out: Path) -> None:
    """Write the arrays and manifest.json to ``out``; ``rows`` is the number of rows read, bad ones included."""
    lengths = [len(ids) for ids in row_log.ids]
    arrays = {
        "ids": np.concatenate(row_log.ids),
        "supervised": np.concatenate(row_log.supervised),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "rows": np.array(row_log.rows, dtype=np.int64),
    }
    digest = hashlib.sha256()
    for name, values in arrays.items():
        np.save(out / f"{name}.npy", values)
        digest.update(values.tobytes())
    bad = [
        {"file": error.row.file, "line": error.row.line, "field": error.field, "problem": error.problem}
        for error in row_log.bad
    ]
    manifest = {
        "samples": len(lengths), "tokens": int(sum(lengths)), "supervised_tokens": int(arrays["supervised"].sum()),
        "rows": rows, "bad_rows": len(bad), "bad_rows_listed": bad[:LISTED_BAD_ROWS], "too_long": row_log.too_long,
        "truncated": row_log.truncated, "unsupervised": row_log.unsupervised, "longest": max(lengths),
        "digest": digest.hexdigest(),
    }  # fmt: skip
    write_json(out / "manifest.json", manifest)
