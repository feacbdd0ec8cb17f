"""One cell's stages: tokens, trainings, answers and scores, each made once for all cells that share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from eval.spec.answers import ROWS, HubRows
from eval.spec.task_specs import overlap_spec
from eval.spec.tasks import Task
from sweep.config.cell import Cell, Data, Model, Source
from sweep.plan import eval_specs
from sweep.plan.amounts import amounts
from sweep.plan.files import Files
from sweep.stages.stage import File, Stage
from train.spec import Hub, Portion, TextFile, TokenizerSpec, TokensSpec, TrainSpec, WorldSpec

WORLD_ROWS = {"math.jsonl": "math", "code.json": "code", "general.json": "general", "corpus.jsonl": "corpus"}
"""Files of the embedded world and the field of its spec that says how many rows they hold."""


WORLD_TOKENS = 40.0
"""Tokens in a row of the embedded world, roughly: for estimates alone."""


class Planner:
    """Turns cells into stages. Stages that many cells share are made once and are the same objects."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.made: dict[tuple[Any, ...], Stage] = {}
        self.rows: dict[tuple[int, str], int] = {}
        self.lengths: dict[str, float] = {}
        self.parameters: dict[str, int] = {}
        self.kept: list[Any] = []  # keeps alive what `made` and `rows` know by id

    def stages(self, cell: Cell) -> tuple[tuple[Stage, ...], dict[str, Stage]]:
        """The stages that train the cell, in order, and the score of each task. Raises ValueError for a bad cell."""
        trained = self._trained(cell)
        return trained, {name: self._score(name, task, cell, trained) for name, task in cell.suite.tasks.items()}

    def _trained(self, cell: Cell) -> tuple[Stage, ...]:
        chain = [self._base(cell)] if cell.model.scratch else []
        for portions in self._portions(cell):
            sources = {name: self._tokens(name, cell, "train") for p in portions for name in p.sources}
            init: Mapping[str, Stage | File] = {"init": chain[-1]} if chain else self._model_input(cell.model, "init")
            hub = _hub(cell.model) if not init else None
            spec = TrainSpec(hub, None, portions, cell.recipe, cell.seed)
            chain.append(Stage("train", spec, {**sources, **init}))
        for stage in chain:
            self.parameters[stage.key] = parameters(cell)
        return tuple(chain)

    def _base(self, cell: Cell) -> Stage:
        return self._once(("base", id(cell.data), id(cell.model)), lambda: self._make_base(cell), cell.data, cell.model)

    def _make_base(self, cell: Cell) -> Stage:
        assert cell.model.pretrain is not None
        portions = tuple(
            Portion(source.ability, (name,), self._available(f"data.corpus.{name}", source, cell.data))
            for name, source in cell.data.corpus.items()
        )
        corpus = {name: self._tokens(name, cell, "corpus") for name in cell.data.corpus}
        spec = TrainSpec(None, cell.model.architecture, portions, cell.model.pretrain, 0)
        return Stage("train", spec, {**corpus, "tokenizer": self._tokenizer(cell.data)})

    def _portions(self, cell: Cell) -> list[tuple[Portion, ...]]:
        """The portions of each stage that trains at all."""
        held = {a: self._pool(cell.data, a) for a in {name for stage in cell.stages for name in stage}}
        stages = amounts(cell, held)
        return [
            tuple(Portion(ability, tuple(cell.data.of(ability)), count) for ability, count in stage.items() if count)
            for stage in stages
            if any(stage.values())
        ]

    def _pool(self, data: Data, ability: str) -> int:
        return sum(self._available(f"data.sources.{name}", source, data) for name, source in data.of(ability).items())

    def _available(self, where: str, source: Source, data: Data) -> int:
        """Rows of a source that training may use."""
        known = (id(data), where)
        if known not in self.rows:
            self.kept.append(data)
            rows = source_rows(where, source, data.world, self.files)
            if rows <= source.held_out_rows:
                raise ValueError(
                    f"{where}.held_out_rows={source.held_out_rows}: the source has {rows} rows; leave some to train on"
                )
            self.rows[known] = rows - source.held_out_rows
        return self.rows[known]

    def _tokens(self, name: str, cell: Cell, part: str) -> Stage:
        known = ("tokens", id(cell.data), id(cell.model), name, part)
        source = (cell.data.corpus if part == "corpus" else cell.data.sources)[name]
        where = f"data.{'corpus' if part == 'corpus' else 'sources'}.{name}"
        return self._once(known, lambda: self._make_tokens(where, source, cell, part), cell.data, cell.model)

    def _task_tokens(self, name: str, task: Task, cell: Cell) -> Stage:
        """The answers of a task's own file, tokenised for its loss."""
        where, known = f"suite.tasks.{name}", ("answers", id(cell.data), id(cell.model), id(task))
        source = Source(
            task.ability, task.format or "", task.world, task.path, task.hub, task.revision, task.split,
            task.max_items or (0 if task.hub else None), columns=task.columns,
        )  # fmt: skip
        rows = self._place(where, task, task.split, cell.data) if task.hub else None
        return self._once(known, lambda: self._make_tokens(where, source, cell, "train", rows), cell, task)

    def _make_tokens(
        self, where: str, source: Source, cell: Cell, part: str, rows: tuple[Stage | File, str] | None = None
    ) -> Stage:
        """A source, tokenised; its rows are those of ``rows``, a stage and its file, where given."""
        data = cell.data
        spec = TokensSpec(
            format=source.format, file=rows[1] if rows else source.world or "", hub=None if rows else _hub(source),
            split=source.split, fields=tuple(sorted(source.columns.items())), tokenizer_hub=_hub(cell.model),
            template=data.template, system=data.system, supervise="all" if part == "corpus" else "assistant",
            max_length=data.max_length, held_out=source.held_out_rows, on_bad_row=source.on_bad_row,
            on_long=source.on_overlong, part="held_out" if part == "held_out" else "train",
        )  # fmt: skip
        inputs: dict[str, Stage | File] = {"data": rows[0]} if rows else dict(self._rows_input(where, source, data))
        if cell.model.scratch:
            inputs["tokenizer"] = self._tokenizer(data)
        else:
            inputs |= self._model_input(cell.model, "tokenizer")
        stage = Stage("tokens", spec, inputs)
        self.lengths[stage.key] = self._length(where, source, data)
        return stage

    def _length(self, where: str, source: Source, data: Data) -> float:
        """Tokens in a sample, for estimates: as declared, else a fourth of the file's bytes a row, else the world's."""
        if source.tokens_per_sample is not None:
            return source.tokens_per_sample
        if source.path is None or not Path(source.path).exists():
            return WORLD_TOKENS
        bytes_per_row = self.files.bytes(f"{where}.path", source.path) / self.files.rows(f"{where}.path", source.path)
        return min(bytes_per_row / 4, data.max_length)

    def _rows_input(self, where: str, source: Source, data: Data) -> dict[str, Stage | File]:
        if source.world is not None:
            return {"data": self._world(where, data)}
        if source.path is None:
            return {}
        return {"data": self.files.file(f"{where}.path", source.path, source.num_rows is not None)}

    def _world(self, where: str, data: Data) -> Stage:
        if data.world is None:
            raise ValueError(f"{where}.world: data={data.name} has no world; set data.world, or give a path")
        return self._once(("world", id(data)), lambda: Stage("world", data.world, {}), data)

    def _tokenizer(self, data: Data) -> Stage:
        return self._once(("tokenizer", id(data)), lambda: self._make_tokenizer(data), data)

    def _make_tokenizer(self, data: Data) -> Stage:
        if not data.corpus:
            raise ValueError(
                f"data={data.name} has no corpus to build a tokenizer and a base model from; set data.corpus"
            )
        texts, inputs = [], {}
        for name, source in data.corpus.items():
            texts.append(TextFile(name, source.world or "", source.format, tuple(sorted(source.columns.items()))))
            inputs[name] = self._rows_input(f"data.corpus.{name}", source, data)["data"]
        return Stage("tokenizer", TokenizerSpec(data.vocabulary, data.template, tuple(texts)), inputs)

    def _model_input(self, model: Model, name: str) -> Mapping[str, Stage | File]:
        """The user's own model folder as the input ``name``; nothing for a model from a hub."""
        return {name: self.files.file("model.path", model.path)} if model.path is not None else {}

    def _score(self, name: str, task: Task, cell: Cell, trained: tuple[Stage, ...]) -> Stage:
        model = {"model": trained[-1]} if trained else self._model_input(cell.model, "model")
        data = self._task_data(name, task, cell)
        shots, overlaps = {}, {}
        if task.task != "loss":
            shots, overlaps = self._shots(name, task, cell), self._overlaps(name, task, cell)
        answer, score = eval_specs.make(task, cell)
        if not model:
            answer = replace(answer, model_repo=cell.model.hub, model_revision=cell.model.revision)
        if not trained and task.task != "loss":  # a base has no chat template; the tokenised sources hold the cell's
            source = next(iter(cell.data.sources))
            model = {**model, "tokenizer": self._tokens(source, cell, "train")}
        answers = Stage("answer", answer, {**model, **data, **shots})
        self.parameters[answers.key] = parameters(cell)
        score, shown = eval_specs.judged(name, task, cell, score, self.files)
        return Stage("score", score, {"answers": answers, **({} if task.task == "loss" else data), **overlaps, **shown})

    def _task_data(self, name: str, task: Task, cell: Cell) -> dict[str, Stage | File]:
        where = f"suite.tasks.{name}"
        if task.task == "loss":
            if task.format is not None:
                return {f"data.{name}": self._task_tokens(name, task, cell)}
            held = [n for n, source in cell.data.of(task.ability).items() if source.held_out_rows]
            return {f"data.{n}": self._tokens(n, cell, "held_out") for n in held}
        return {"data": self._place(where, task, _items(task), cell.data)[0]}

    def _place(self, where: str, task: Task, place: str, data: Data) -> tuple[Stage | File, str]:
        """Where a task's items, or its worked examples, come from, and the file in that."""
        if task.world is not None:
            return self._world(where, data), place
        if task.hub is not None:
            return self._hub_rows(task.hub, task.revision, task.config, place), ROWS
        leaf = "path" if place == task.path else "shots_from"
        return self.files.file(f"{where}.{leaf}", place, task.max_items is not None), ""

    def _hub_rows(self, repo: str, revision: str | None, config: str | None, split: str) -> Stage:
        spec = HubRows(repo, revision or "", config, split)
        return self._once(("rows", spec), lambda: Stage("rows", spec, {}))

    def _shots(self, name: str, task: Task, cell: Cell) -> dict[str, Stage | File]:
        """The input that holds the worked examples, if there are any."""
        if not task.shots:
            return {}
        place = task.shots_from or _items(task)
        return {"shots": self._place(f"suite.tasks.{name}", task, place, cell.data)[0]}

    def _overlaps(self, name: str, task: Task, cell: Cell) -> dict[str, Stage]:
        """How much of the task each source of the data holds, whether this cell trains on it or not: so that all cells
        of a sweep are also compared on the same clean items."""
        data, found = cell.data, {}
        for kind, sources in (("sources", data.sources), ("corpus", data.corpus if cell.model.scratch else {})):
            for source in sources:
                known = ("overlap", id(data), kind, source, id(task))
                label = source if kind == "sources" else f"corpus-{source}"
                where = f"data.{kind}.{source}"
                make = partial(self._make_overlap, name, task, where, sources[source], data)
                found[f"overlap.{label}"] = self._once(known, make, data, task)
        return found

    def _make_overlap(self, name: str, task: Task, where: str, source: Source, data: Data) -> Stage:
        items, file = self._place(f"suite.tasks.{name}", task, _items(task), data)
        if source.hub is not None:
            held: Stage | File = self._hub_rows(source.hub, source.revision, None, source.split)
        else:
            held = self._rows_input(where, source, data)["data"]
        source_file = ROWS if source.hub is not None else source.world or ""
        spec = overlap_spec(task, items_file=file, source_file=source_file)
        return Stage("overlap", spec, {"data": items, "source": held})

    def _once(self, known: tuple[Any, ...], build: Any, *owners: Any) -> Stage:
        if known not in self.made:
            self.kept.extend(owners)
            self.made[known] = build()
        return self.made[known]


def parameters(cell: Cell) -> int:
    """Parameters of the cell's model: declared, or those of its architecture with the data's vocabulary."""
    if cell.model.parameters is not None:
        return cell.model.parameters
    return cell.model.architecture.parameters(cell.data.vocabulary) if cell.model.architecture else 0


def _items(task: Task) -> str:
    """Where the items lie: a file of the world, a path, or a split of the hub data set."""
    return task.world or task.path or task.split


def _hub(place: Model | Source) -> Hub | None:
    return Hub(place.hub, place.revision or "") if place.hub is not None else None


def source_rows(where: str, source: Source, world: WorldSpec | None, files: Files) -> int:
    """Rows of a source: as declared, as the world makes them, or as counted in the file."""
    if source.path is not None and not (source.num_rows is not None and not Path(source.path).exists()):
        counted = files.rows(f"{where}.path", source.path)
        if source.num_rows is not None and source.num_rows != counted:
            raise ValueError(
                f"{where}.num_rows={source.num_rows}, but {source.path} has {counted} rows; drop the number"
            )
        return counted
    if source.num_rows is not None:
        return source.num_rows
    if world is None:
        raise ValueError(f"{where}.world={source.world}: there is no world; set data.world, or give a path")
    if source.world not in WORLD_ROWS:
        raise ValueError(f"{where}.world={source.world!r} is unknown; choose one of: {', '.join(WORLD_ROWS)}")
    return int(getattr(world, WORLD_ROWS[source.world]))
