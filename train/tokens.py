"""Stage ``tokens``: tokenise one source, mask its supervised tokens, and record what became of its rows."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.json_file import write_json
from common.rows import Row, read_rows
from train.cleaning import Cleaner, LeftOut
from train.render import Renderer, RenderResult, Sample, load_tokenizer, set_template, texts_of
from train.sources import BadRow, Message, conversation
from train.spec import TokensSpec

LISTED_BAD_ROWS = 20  # the manifest counts all bad rows and describes the first few
ROWS_PER_CALL = 1000  # rows tokenised in one call


MALFORMED, TOO_LONG, NO_ROOM = "malformed", "longer than max_length", "the prompt fills max_length"
IN_HELD_OUT, LEFT_OUT = "the same as a held-out row", "left out by {}"
"""Why rows give no sample, as the manifest counts them."""


@dataclass
class RowLog:
    """What became of the rows.

    ``ids``, ``supervised`` and ``rows`` hold the token ids, the mask and the row number (from 0) of each sample.
    ``too_long`` counts samples over max_length, ``truncated`` those of them that were cut instead of skipped, and
    ``unsupervised`` samples without a supervised token. ``without_sample`` counts the rows that gave none, by reason.
    ``digests`` are those of the conversations so far, and ``repeated`` counts the samples whose conversation was among
    them. ``held_out`` are the digests of the held-out rows.
    """

    cleaner: Cleaner
    held_out: frozenset[bytes] = frozenset()
    ids: list[np.ndarray] = field(default_factory=list)
    supervised: list[np.ndarray] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    without_sample: Counter[str] = field(default_factory=Counter)
    digests: set[bytes] = field(default_factory=set)
    repeated: int = 0
    too_long: int = 0
    truncated: int = 0
    unsupervised: int = 0

    def reasons(self) -> str:
        """Why rows gave no sample, with their numbers and the first malformed row, as words."""
        counts = ", ".join(f"{reason} ({count})" for reason, count in sorted(self.without_sample.items()))
        if not self.bad:
            return counts
        row, field, problem = self.bad[0].row, self.bad[0].field, self.bad[0].problem
        place = f"{row.file}, {row.unit} {row.line}{f', field {field!r}' if field else ''}"
        return f"{counts}, first {place}, which {problem}"


def run(spec: TokensSpec, inputs: Mapping[str, Path], out: Path) -> None:
    """Write ids.npy, supervised.npy, offsets.npy, rows.npy, manifest.json and tokenizer/ to ``out``.

    Sample i has the ids ``ids[offsets[i]:offsets[i + 1]]`` and comes from row ``rows[i]`` of the source (from 0).
    Raises a ValueError for a malformed row (unless on_bad_row=skip), for a sample over max_length (unless on_long is
    skip or truncate), for a source without any sample, and with ``spec.complete`` for any row without one.
    """
    rows = read_source(spec, inputs)
    numbers = part_rows(len(rows), spec.held_out, spec.part)
    tokenizer = load_tokenizer(inputs.get("tokenizer"), spec.tokenizer_hub)
    set_template(tokenizer, spec.template)
    renderer = Renderer(tokenizer, system=spec.system, supervise=spec.supervise)
    if spec.format != "text":
        renderer.check()
    row_log = RowLog(Cleaner(spec.clean), held_out_digests(spec, rows))
    for start in range(0, len(numbers), ROWS_PER_CALL):
        _add_rows(spec, renderer, rows, numbers[start : start + ROWS_PER_CALL], row_log)
    if not row_log.ids:
        raise ValueError(
            f"none of the {len(numbers)} rows gives a sample: {row_log.reasons()}; "
            f"check format, fields and max_length={spec.max_length}"
        )
    if spec.complete and row_log.without_sample:
        raise ValueError(
            f"{sum(row_log.without_sample.values())} of the {len(numbers)} rows give no sample: {row_log.reasons()}; "
            f"the plan counts on all of them, so raise max_length={spec.max_length}"
        )
    tokenizer.save_pretrained(str(out / "tokenizer"))
    write(row_log, len(numbers), out)


def read_source(spec: TokensSpec, inputs: Mapping[str, Path]) -> list[Row]:
    """All rows of the source, held-out ones included. Raises a ValueError if the source cannot be read."""
    return list(read_rows(inputs["data"] / spec.file if spec.file else inputs["data"]))


def check_wanted(row: Row, only: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    """Raise `LeftOut` for a row that ``only`` does not name, and `BadRow` for one without such a column."""
    if not isinstance(row.record, Mapping):
        return  # which is an error of its own
    for column, values in only:
        if column not in row.record:
            raise BadRow(row, column, f"is missing (found: {', '.join(map(str, row.record))}), but only names it")
        if str(row.record[column]) not in values:
            raise LeftOut(f"only.{column}")


def held_out_digests(spec: TokensSpec, rows: list[Row]) -> frozenset[bytes]:
    """The digests of the held-out rows' conversations, for the training part, which must not contain them."""
    digests = set()
    if spec.part == "train" and spec.held_out:
        for number in part_rows(len(rows), spec.held_out, "held_out"):
            with contextlib.suppress(BadRow, LeftOut):
                digests.add(digest(conversation(rows[number], spec.format, dict(spec.fields), Cleaner(spec.clean))))
    return frozenset(digests)


def digest(turns: tuple[Message, ...]) -> bytes:
    """16 bytes that two conversations share exactly when they are the same."""
    return hashlib.blake2b(repr(turns).encode(), digest_size=16).digest()


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
            check_wanted(rows[number], spec.only)
            turns = conversation(rows[number], spec.format, dict(spec.fields), row_log.cleaner)
            row_log.cleaner.check_special(texts_of(turns), renderer.special)
        except LeftOut as error:
            row_log.without_sample[LEFT_OUT.format(error.step)] += 1
        except BadRow as error:
            problems[number] = error
        else:
            if row_log.held_out and digest(turns) in row_log.held_out:
                row_log.without_sample[IN_HELD_OUT] += 1
            else:
                conversations[number] = turns
    results = dict(zip(conversations, renderer.samples(list(conversations.values())), strict=True))
    for number in sorted({**conversations, **problems}):
        if (problem := problems.get(number)) is None:
            problem = _add_sample(spec, rows[number], number, results[number], row_log)
            _count_repeat(row_log, number, conversations[number])
        if problem is not None and spec.on_bad_row == "error":
            raise problem
        if problem is not None:
            row_log.bad.append(problem)
            row_log.without_sample[MALFORMED] += 1


def _count_repeat(row_log: RowLog, number: int, turns: tuple[Message, ...]) -> None:
    """Count the row's sample, if it has one, where an earlier sample has the same conversation."""
    if row_log.rows[-1:] == [number]:
        row_log.repeated += (key := digest(turns)) in row_log.digests
        row_log.digests.add(key)


def _add_sample(spec: TokensSpec, row: Row, number: int, rendered: RenderResult, row_log: RowLog) -> BadRow | None:
    """Add a sample that fits the length limit, or can be made to fit, to the row log; return the row's problem."""
    if rendered.sample is None:
        return BadRow(row, rendered.field, rendered.problem)
    sample = rendered.sample
    if too_long := len(sample.ids) > spec.max_length:
        row_log.too_long += 1
        if spec.on_long == "error":
            raise ValueError(
                f"{row.file}, {row.unit} {row.line}: {len(sample.ids)} tokens, over max_length={spec.max_length}; "
                "raise max_length, or set on_overlong=skip or on_overlong=truncate"
            )
        if spec.on_long == "skip":
            row_log.without_sample[TOO_LONG] += 1
            return None
        row_log.truncated += 1
        sample = Sample(sample.ids[: spec.max_length], sample.supervised[: spec.max_length])
    if not any(sample.supervised):
        row_log.unsupervised += 1
        if not (too_long and any(rendered.sample.supervised)):
            return BadRow(row, "", "has no token that carries loss (no answer, or none with a weight?)")
        row_log.without_sample[NO_ROOM] += 1
        return None
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
    content = hashlib.sha256()
    for name, values in arrays.items():
        np.save(out / f"{name}.npy", values)
        content.update(values.tobytes())
    bad = [
        {"file": error.row.file, "line": error.row.line, "field": error.field, "problem": error.problem}
        for error in row_log.bad
    ]
    manifest = {
        "samples": len(lengths), "tokens": int(sum(lengths)), "supervised_tokens": int(arrays["supervised"].sum()),
        "rows": rows, "bad_rows": len(bad), "bad_rows_listed": bad[:LISTED_BAD_ROWS], "too_long": row_log.too_long,
        "truncated": row_log.truncated, "unsupervised": row_log.unsupervised, "longest": max(lengths),
        "without_sample": dict(sorted(row_log.without_sample.items())), "repeated": row_log.repeated,
        "cleaned": dict(sorted(row_log.cleaner.changed.items())),
        "digest": content.hexdigest(),
    }  # fmt: skip
    write_json(out / "manifest.json", manifest)
