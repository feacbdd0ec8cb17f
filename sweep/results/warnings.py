"""Warnings printed under a sweep's table: rows without a sample, contamination, invalid answers, mixed machines."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from common.cells import quoted
from common.wording import plural
from sweep.config.overrides import given, short_labels
from sweep.results.machines import mixture
from sweep.results.saved_sweep import Measured, SavedCell, SavedSweep
from sweep.stages.stage import File
from sweep.stages.store import Store

OVERLAP = ("task", "source", "items", "flagged", "whole", "any_13", "short")
"""Columns of overlap.csv, one row per task and training source: numbers of items, see ``eval/stages/overlap.py``."""

LINES = 6
"""Pairs of task and source printed at most; overlap.csv has them all."""


def write(saved: SavedSweep, store: Store) -> list[str]:
    """Write overlap.csv beside the sweep's table; return the warnings to print under it."""
    pairs = list({tuple(row.values()): row for row in _overlaps(saved, store)}.values())
    if pairs:
        scratch = store.sweep(saved.name) / "overlap.tmp"
        with scratch.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, OVERLAP)
            writer.writeheader()
            writer.writerows({column: quoted(cell) for column, cell in row.items()} for row in pairs)
        scratch.replace(scratch.with_name("overlap.csv"))
    lines = [*_sources(saved, store), *_contamination(pairs), *_high_rates(saved, store), *_unpacked(saved, store)]
    return [*lines, *mixture(saved, store)]


def _sources(saved: SavedSweep, store: Store) -> list[str]:
    """What became of rows of the sources that cells were fine-tuned on, other than samples as they stand."""
    tokens = {
        (name, store.path(node) / "manifest.json"): None
        for cell in saved.cells
        for stage in saved.tuned(cell)
        for name, node in stage.inputs.items()
        if not isinstance(node, File) and node.kind == "tokens"
    }
    return [line for name, path in tokens if path.exists() for line in _of_source(name, json.loads(path.read_bytes()))]


def _of_source(name: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    """The lines on one source, from the manifest of its tokens."""
    reasons = manifest["without_sample"]
    if reasons:
        counted = ", ".join(f"{reason} ({count})" if len(reasons) > 1 else reason for reason, count in reasons.items())
        yield f"warning: {sum(reasons.values())} of {manifest['rows']} rows of {name} gave no sample: {counted}"
    if manifest["repeated"]:
        yield f"warning: {manifest['repeated']} of {manifest['rows']} rows of {name} repeat an earlier row"
    if manifest["truncated"] > reasons.get("the prompt fills max_length", 0):
        cut = manifest["truncated"] - reasons.get("the prompt fills max_length", 0)
        yield f"note: {cut} of {manifest['samples']} samples of {name} were cut at max_length"
    for step, count in manifest["cleaned"].items():
        if count:
            yield f"note: {step} changed {count} of {manifest['rows']} rows of {name}"


def _overlaps(saved: SavedSweep, store: Store) -> Iterator[dict[str, Any]]:
    for _, score in _scored(saved):
        for name, node in sorted(score.job.stage.inputs.items()):
            if not isinstance(node, File) and node.kind == "overlap":
                summary = store.path(node) / "summary.json"
                if summary.exists():
                    row = json.loads(summary.read_bytes()) | {
                        "task": score.task,
                        "source": name.removeprefix("overlap."),
                    }
                    yield {column: row[column] for column in OVERLAP}


def _contamination(pairs: list[dict[str, Any]]) -> list[str]:
    flagged = sorted((row for row in pairs if row["flagged"]), key=lambda row: -row["flagged"] / row["items"])
    lines = [
        f"overlap: {row['flagged']} of {row['items']} items of {row['task']} are in {row['source']}, {row['whole']} of "
        f"them whole; {row['any_13']} share a run of 13 words"
        for row in flagged[:LINES]
    ]
    if len(flagged) > LINES:
        lines.append(f"overlap: and {len(flagged) - LINES} more pairs, see overlap.csv")
    return [*lines, "accuracy_clean in the table leaves such items out"] if lines else []


def _high_rates(saved: SavedSweep, store: Store) -> list[str]:
    """One warning for each task and rate above its limit, with the cell where it is highest."""
    worst: dict[tuple[str, str], tuple[float, str, float]] = {}
    cells: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    _, labels = short_labels([given(cell.label, cell.factors) for cell in saved.cells])
    shown = labels if len(labels) > 1 else [""]  # the only cell needs no name
    short = dict(zip((cell.label for cell in saved.cells), shown, strict=True))
    for cell, score in _scored(saved):
        summary = store.path(score.job.stage) / "summary.json"
        stage = f" after {score.moment.text}" if cell.earlier else ""
        where = f"{short[cell.label]}{stage}".strip()
        for one in json.loads(summary.read_bytes()).get("warnings", ()) if summary.exists() else ():
            rate = (score.task, one["metric"])
            cells[rate].add(cell.label)
            worst[rate] = max(worst.get(rate, (0.0, "", 0.0)), (one["value"], where, one["limit"]))
    return [
        f"warning: {task}: {metric} is above {limit:.0%} in {len(cells[task, metric])} of {len(saved.cells)} cells, "
        f"up to {value:.0%}" + (f" ({where})" if where else "")
        for (task, metric), (value, where, limit) in worst.items()
    ]


def _unpacked(saved: SavedSweep, store: Store) -> list[str]:
    """A note on training stages that were to pack samples and did not (`train.probe`): slower, with the same result."""
    summaries = [store.records(job.stage) / "summary.json" for job in saved.jobs.values() if job.packs]
    apart = [file for file in summaries if file.exists() and json.loads(file.read_bytes()).get("packed") is False]
    if not apart:
        return []
    return [
        f"note: {len(apart)} of {plural(len(summaries), 'training stage')} ran with one sample a row, not packed: "
        "slower, with the same result; their models let samples in a row see each other, or packing was off at the time"
    ]


def _scored(saved: SavedSweep) -> Iterator[tuple[SavedCell, Measured]]:
    """Every score, with its cell."""
    for cell in saved.cells:
        for score in saved.measured(cell):
            yield cell, score
