"""What the stages of a sweep are called in messages: by their cell and task, where a key would say nothing."""

from __future__ import annotations

from pathlib import Path

from sweep.config.overrides import given, short_labels
from sweep.config.strategy import Moment
from sweep.results.saved_sweep import SavedSweep
from sweep.stages.stage import File, Stage


def stage_names(saved: SavedSweep) -> dict[str, str]:
    """A name for every stage of a sweep, by its key; a stage that cells share is called after the first of them."""
    names = {key: _data_name(job.stage) for key, job in saved.jobs.items()}
    _, labels = short_labels([given(cell.label, cell.factors) for cell in saved.cells], " ")
    for cell, label in reversed(list(zip(saved.cells, labels, strict=True))):
        tuned = [stage.key for stage in saved.tuned(cell)]
        for key in cell.trained:
            number = f", stage {tuned.index(key) + 1}" if key in tuned and len(tuned) > 1 else ""
            names[key] = f"train {label}{number}" if key in tuned else "train base"
        for one in saved.measured(cell):
            finished = one.moment == Moment(len(tuned))
            of = "base" if not tuned else label if finished else f"{label}, {one.moment.text}"
            names[one.job.stage.key] = f"score {one.task}, {of}"
            for name, node in one.job.stage.inputs.items():
                if name == "answers":
                    names[node.key] = f"answer {one.task}, {of}"
                elif name.startswith("overlap."):
                    names[node.key] = f"overlap {one.task} with {name.removeprefix('overlap.')}"
    return names


def _data_name(stage: Stage) -> str:
    """A stage that belongs to no cell: its kind, and the file that it reads."""
    data = stage.inputs.get("data")
    part = getattr(stage.spec, "part", "")
    source = data.path.name if isinstance(data, File) else getattr(stage.spec, "file", "")
    words = [stage.kind, Path(source).name if source else "", "held out" if part == "held_out" else ""]
    return " ".join(filter(None, words))
