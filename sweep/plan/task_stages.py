"""Stages that measure a cell: answers to the tasks of its suite, their scores, and overlaps with training data."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from eval.spec.answers import ROWS
from eval.spec.task_specs import overlap_spec
from eval.spec.tasks import Task
from sweep.config.cell import Cell, Data, Source
from sweep.plan import eval_specs
from sweep.plan.data_stages import DataStages
from sweep.stages.stage import File, Stage
from train.spec import checkpoint_folder


class TaskStages:
    """Builds the stages of a cell's suite on those of its data."""

    def __init__(self, data_stages: DataStages) -> None:
        self.data_stages = data_stages

    def score(self, name: str, task: Task, cell: Cell, trained: tuple[Stage, ...], checkpoint: str = "") -> Stage:
        """The score of one task, whose input ``answers`` is given by the last of the ``trained`` stages.

        With a ``checkpoint`` it is given by the model after that share of the stage's steps.
        """
        model = {"model": trained[-1]} if trained else self.data_stages.model_input(cell.model, "model")
        data = self._data(name, task, cell)
        answer, score = eval_specs.make(task, cell)
        score, judge_files = eval_specs.with_judge(name, task, cell, score, self.data_stages.files)
        if not model:
            answer = replace(answer, model_repo=cell.model.hub, model_revision=cell.model.revision)
        if checkpoint:
            answer = replace(answer, model_folder=checkpoint_folder(checkpoint))
        if task.task == "loss":
            return Stage("score", score, {"answers": Stage("answer", answer, {**model, **data}), **judge_files})
        if not trained:  # a base model may have no chat template; the tokenised sources have the cell's
            first_source = next(iter(cell.data.sources))
            model = {**model, "tokenizer": self.data_stages.tokens(first_source, cell, "train")}
        answers = Stage("answer", answer, {**model, **data, **self._shots(name, task, cell)})
        overlaps = self._overlaps(name, task, cell)
        return Stage("score", score, {"answers": answers, **data, **overlaps, **judge_files})

    def _data(self, name: str, task: Task, cell: Cell) -> dict[str, Stage | File]:
        """The inputs that hold the task's items, or for a loss tokenised samples."""
        if task.task != "loss":
            return {"data": self._place(f"suite.tasks.{name}", task, _items_place(task), cell.data)[0]}
        if task.format is not None:
            return {f"data.{name}": self._tokens(name, task, cell)}
        sources = [n for n, source in cell.data.of(task.ability).items() if source.held_out_rows]
        return {f"data.{n}": self.data_stages.tokens(n, cell, "held_out") for n in sources}

    def _tokens(self, name: str, task: Task, cell: Cell) -> Stage:
        """The answers in a task's own file, tokenised for its loss."""
        where, cache_key = f"suite.tasks.{name}", ("answers", id(cell.data), id(cell.model), id(task))
        source = Source(
            task.ability, task.format or "", task.world, task.path, task.hub, task.revision, task.config,
            split=task.split, num_rows=task.max_items or (0 if task.hub else None), columns=task.columns,
        )  # fmt: skip
        build = partial(self.data_stages.tokens_of, where, source, cell, "train")
        return self.data_stages.shared.once(cache_key, build, cell, task)

    def _place(self, where: str, task: Task, place: str, data: Data) -> tuple[Stage | File, str]:
        """The input that holds a task's items or its worked examples, and the file in that input."""
        if task.world is not None:
            return self.data_stages.world(where, data), place
        if task.hub is not None:
            return self.data_stages.hub_rows(task.hub, task.revision, task.config, place), ROWS
        leaf = "path" if place == task.path else "shots_from"
        return self.data_stages.files.file(f"{where}.{leaf}", place, task.max_items is not None), ""

    def _shots(self, name: str, task: Task, cell: Cell) -> dict[str, Stage | File]:
        """The input that holds the worked examples, if there are any."""
        if not task.shots:
            return {}
        place = task.shots_from or _items_place(task)
        return {"shots": self._place(f"suite.tasks.{name}", task, place, cell.data)[0]}

    def _overlaps(self, name: str, task: Task, cell: Cell) -> dict[str, Stage]:
        """The overlap of the task with every source of the data.

        Sources that the cell does not train on count too, so that all cells of a sweep are compared on the same clean
        items.
        """
        data = cell.data
        named: list[tuple[str, str, Source]] = [(n, f"data.sources.{n}", source) for n, source in data.sources.items()]
        if cell.model.scratch:
            named += [(f"corpus-{n}", f"data.corpus.{n}", source) for n, source in data.corpus.items()]
        overlaps = {}
        for label, where, source in named:
            build = partial(self._overlap, name, task, where, source, data)
            cache_key = ("overlap", id(data), where, id(task))
            overlaps[f"overlap.{label}"] = self.data_stages.shared.once(cache_key, build, data, task)
        return overlaps

    def _overlap(self, name: str, task: Task, where: str, source: Source, data: Data) -> Stage:
        items, items_file = self._place(f"suite.tasks.{name}", task, _items_place(task), data)
        rows, source_file = self.data_stages.rows_input(where, source, data)
        spec = overlap_spec(task, items_file=items_file, source_file=source_file)
        return Stage("overlap", spec, {"data": items, "source": rows})


def _items_place(task: Task) -> str:
    """Where the items lie: a file of the world, a path, or a split of the hub data set."""
    return task.world or task.path or task.split
