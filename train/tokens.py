"""Stage ``tokens``: one source as token ids, with a mask of supervised tokens and an account of every row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.json_file import write_json
from common.rows import Row, read_rows
from train.render import Outcome, Renderer, Sample, load_tokenizer, set_template
from train.sources import BadRow, Message, conversation, read_hub
from train.spec import TokensSpec

LISTED_BAD_ROWS = 20
CHUNK = 1000


@dataclass
class RowLog:
    """What became of the rows: ids, mask and row number of each kept sample, and counts of everything else."""

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
    Raises a ValueError for a malformed row (unless on_bad_row=skip), for a sample over max_length (unless on_long says
    otherwise) and for a source that leaves no sample at all.
    """
    rows = read_source(spec, inputs)
    numbers = part_rows(len(rows), spec.held_out, spec.part)
    tokenizer = load_tokenizer(inputs.get("tokenizer"), spec.tokenizer_hub)
    set_template(tokenizer, spec.template)
    renderer = Renderer(tokenizer, system=spec.system, supervise=spec.supervise)
    if spec.format != "text":
        renderer.check()
    account = RowLog()
    for start in range(0, len(numbers), CHUNK):
        _take(spec, renderer, rows, numbers[start : start + CHUNK], account)
    if not account.ids:
        raise ValueError(
            f"none of the {len(numbers)} rows gives a sample: {len(account.bad)} malformed, {account.too_long} over "
            f"max_length={spec.max_length}, {account.unsupervised} without a supervised token; check format and fields"
        )
    tokenizer.save_pretrained(str(out / "tokenizer"))
    write(account, len(numbers), out)


def read_source(spec: TokensSpec, inputs: Mapping[str, Path]) -> list[Row]:
    """All rows of the source, both parts."""
    if spec.hub is not None:
        return read_hub(spec.hub, file=spec.file, split=spec.split)
    data = inputs["data"]
    if data.is_dir() and not spec.file:
        raise ValueError(f"{data} is a folder: say which file of it with `file`")
    return list(read_rows(data / spec.file if data.is_dir() else data))


def part_rows(rows: int, held_out: int, part: str) -> list[int]:
    """Row numbers of one part, ascending. Which rows are held out depends on ``rows`` and ``held_out`` alone."""
    if held_out >= rows:
        raise ValueError(f"held_out={held_out}, but the source has {rows} rows; set it below that")
    order = np.random.Generator(np.random.PCG64(0)).permutation(rows)
    chosen = order[:held_out] if part == "held_out" else order[held_out:]
    return [int(number) for number in np.sort(chosen)]


def _take(spec: TokensSpec, renderer: Renderer, rows: list[Row], numbers: list[int], account: RowLog) -> None:
    """Parse and render some rows into the account."""
    parsed: list[tuple[int, tuple[Message, ...]]] = []
    problems: dict[int, BadRow] = {}
    for number in numbers:
        try:
            parsed.append((number, conversation(rows[number], spec.format, dict(spec.fields))))
        except BadRow as error:
            problems[number] = error
    outcomes = dict(zip((n for n, _ in parsed), renderer.samples([turns for _, turns in parsed]), strict=True))
    for number in numbers:
        problem = problems.get(number) or _keep(spec, rows[number], number, outcomes[number], account)
        if problem is not None and spec.on_bad_row == "error":
            raise problem
        if problem is not None:
            account.bad.append(problem)


def _keep(spec: TokensSpec, row: Row, number: int, outcome: Outcome, account: RowLog) -> BadRow | None:
    """Put one sample into the account, within the length limit; return what is wrong with the row, if anything."""
    if outcome.sample is None:
        return BadRow(row, spec.format, outcome.problem)
    sample = outcome.sample
    if len(sample.ids) > spec.max_length:
        account.too_long += 1
        if spec.on_long == "error":
            raise ValueError(
                f"{row.file}, {row.unit} {row.line}: {len(sample.ids)} tokens, over max_length={spec.max_length}; "
                "raise max_length, or set on_long=skip or on_long=truncate"
            )
        if spec.on_long == "skip":
            return None
        account.truncated += 1
        sample = Sample(sample.ids[: spec.max_length], sample.supervised[: spec.max_length])
    if not any(sample.supervised):
        account.unsupervised += 1
        cut = len(outcome.sample.ids) > len(sample.ids)  # counted above; the row itself is sound
        return None if cut else BadRow(row, spec.format, "has no token to learn from (no answer?)")
    account.ids.append(np.array(sample.ids, dtype=np.int32))
    account.supervised.append(np.array(sample.supervised, dtype=np.bool_))
    account.rows.append(number)
    return None


def write(account: RowLog, rows: int, out: Path) -> None:
    """Write the arrays and the manifest."""
    lengths = [len(ids) for ids in account.ids]
    arrays = {
        "ids": np.concatenate(account.ids),
        "supervised": np.concatenate(account.supervised),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "rows": np.array(account.rows, dtype=np.int64),
    }
    digest = hashlib.sha256()
    for name, values in arrays.items():
        np.save(out / f"{name}.npy", values)
        digest.update(values.tobytes())
    bad = [
        {"file": error.row.file, "line": error.row.line, "field": error.field, "problem": error.problem}
        for error in account.bad
    ]
    manifest = {
        "samples": len(lengths), "tokens": int(sum(lengths)), "supervised_tokens": int(arrays["supervised"].sum()),
        "rows": rows, "bad_rows": len(bad), "bad_rows_listed": bad[:LISTED_BAD_ROWS], "too_long": account.too_long,
        "truncated": account.truncated, "unsupervised": account.unsupervised, "longest": max(lengths),
        "digest": digest.hexdigest(),
    }  # fmt: skip
    write_json(out / "manifest.json", manifest)
