"""Where the results come from: versions, code, commands, seeds, machines, hours, keys, digests of data."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from analysis.data.study import Study
from analysis.data.sweep_folder import SweepFolder
from analysis.report.cells import reproduction
from common import __version__
from common.commit import commit

LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "vl-convert-python")
"""The libraries that an analysis rests on."""


def provenance(study: Study, folders: Sequence[SweepFolder], title: str, command: str) -> dict[str, Any]:
    """The record for machines; ``command`` is the one that made the analysis. It holds no time of day."""
    return {
        "dosage": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "analysis": command,
        "sweep": reproduction(study, title),
        "seeds": sorted(map(str, study.table["seed"].dropna().unique())) if "seed" in study.table else [],
        "sweeps": {folder.name: _sweep(folder) for folder in folders},
        "warnings": list(study.remarks),
    }


def _sweep(folder: SweepFolder) -> dict[str, Any]:
    """What a sweep planned and what its stages ran on."""
    records = {key: record for key in folder.stages if (record := folder.record(key))}
    here = [record for record in records.values() if "seconds" in record]
    return {
        "cells": len(folder.cells),
        "stages": dict(Counter(str(stage["kind"]) for stage in folder.stages.values())),
        "commit": folder.commit,
        "hours_planned": _hours(stage.get("seconds") for stage in folder.stages.values()),
        "hours_spent": _hours(record["seconds"] for record in here),
        "device_hours_planned": _hours(
            stage.get("device_seconds") or stage.get("seconds") for stage in folder.stages.values()
        ),
        "device_hours_spent": _hours(record["seconds"] * _ranks(record) for record in here),
        **_dollars(folder),
        "stages_without_record": len(folder.stages) - len(here),
        "machines": _counted(_machine(record) for record in here),
        "pythons": _counted(str(record.get("python", "")) for record in here),
        "libraries": _counted(_versions(record.get("versions") or {}) for record in here),
        "code": _counted(str(record.get("code", "")) for record in here),
        "data": folder.data_files(),
        "keys": {str(cell["label"]): {task: s["key"] for task, s in cell["scores"].items()} for cell in folder.cells},
    }


def _ranks(record: Mapping[str, Any]) -> int:
    """How many devices built a stage together."""
    return int(((record.get("how") or {}).get("engine") or {}).get("ranks", 1))


def _dollars(folder: SweepFolder) -> dict[str, float]:
    found = folder.dollars()
    return {} if found is None else {"judge_dollars_spent": round(found[0], 4), "judge_dollars_allowed": found[1]}


def _hours(seconds: Iterable[float | None]) -> float:
    return round(sum(value or 0.0 for value in seconds) / 3600, 4)


def _machine(record: Mapping[str, Any]) -> str:
    parts = (record.get("gpu"), record.get("processor"), record.get("instructions"))
    return ", ".join(str(part) for part in parts if part)


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _counted(texts: Iterable[str]) -> dict[str, int]:
    """The number of stages of each; the most frequent first."""
    return dict(Counter(text for text in texts if text).most_common())


def lines(record: Mapping[str, Any]) -> list[str]:
    """The record as sentences of the page."""
    libraries = ", ".join(f"{name} {version}" for name, version in record["libraries"].items())
    at = f" (commit {record['commit']})" if record["commit"] else ""
    said = [f"Analysed by Dosage {record['dosage']}{at} on Python {record['python']} with {libraries}."]
    said += [f"Seeds: {', '.join(record['seeds'])}."] if record["seeds"] else []
    for name, sweep in record["sweeps"].items():
        count = sum(sweep["stages"].values())
        ran = count - sweep["stages_without_record"]
        said.append(
            f"Sweep {name}: {sweep['cells']} cells, {count} stages. Planned: {sweep['hours_planned']:.3g} hours of "
            f"stages, {sweep['device_hours_planned']:.3g} device-hours (of a GPU, or of a core where there is none). "
            f"Spent: {sweep['hours_spent']:.3g} hours, {sweep['device_hours_spent']:.3g} device-hours, by the {ran} "
            "stages that were built here."
        )
        spent = sweep.get("judge_dollars_spent")
        said += [
            f"The judge has cost ${spent:,.2f} of the ${sweep['judge_dollars_allowed']:,.2f} allowed."
            if spent is not None
            else "No paid judge: nothing was spent but device-hours."
        ]
        said += [f"Planned at commit {sweep['commit']}."] if sweep["commit"] else []
        said += [f"Ran on: {machine} ({n} stages)." for machine, n in sweep["machines"].items()]
        said += [f"With: {versions} ({n} stages)." for versions, n in sweep["libraries"].items()]
        said += [f"Code, by its digest: {', '.join(sweep['code'])}."] if sweep["code"] else []
        said += [f"Data: {file}, {digest}." for file, digest in sweep["data"].items()]
    return [*said, *record["warnings"], "All of it, with the keys of all results, is in provenance.json."]
