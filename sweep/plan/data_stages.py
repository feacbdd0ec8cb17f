"""Stages that make training data: the embedded world, rows of the hub, the tokenizer, tokenised sources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import model_folder
from common.hub import cached
from eval.spec.answers import HubRows
from sweep.config.cell import Cell, Data, Model, Source
from sweep.plan.files import Files
from sweep.plan.shared_stages import SharedStages
from sweep.stages.stage import File, Stage
from train.spec import Hub, TextFile, TokenizerSpec, TokensSpec, WorldSpec

WORLD_ROWS = {
    "math.jsonl": "math",
    "code.json": "code",
    "general.json": "general",
    "corpus.jsonl": "corpus",
    "dialogues.jsonl": "dialogues",
}
"""Files of the embedded world, and the field of its spec that holds their number of rows."""

WORLD_TOKENS = 40.0
"""Tokens in a row of the embedded world, roughly; for estimates only."""

SHORTEST = 8
"""Tokens below which no sample fits: the tokens of a template, and at least one of a request and one of an answer."""

BYTES_PER_TOKEN = 4
"""Bytes of English text or code in a token, roughly; for estimates only."""


class DataStages:
    """Builds the stages of a cell's data. ``lengths`` holds the tokens in a sample, mostly estimated, by tokens' key.

    The samples of a source are counted in its tokens, once the store has them; until then every row is taken for a
    sample, and the source's config key is in ``estimated``. ``notes`` are sentences for the user, each once.
    """

    def __init__(self, files: Files, shared: SharedStages) -> None:
        self.files, self.shared = files, shared
        self.lengths: dict[str, float] = {}
        self._whole_models: set[str] = set()
        self.estimated: dict[str, None] = {}
        self.notes: dict[str, None] = {}
        self._manifests: dict[str, Mapping[str, Any] | None] = {}
        self._samples: dict[tuple[int, int, str, str], tuple[Cell, int]] = {}

    def pool(self, cell: Cell, ability: str) -> int:
        """Samples in all sources of an ability that training may use."""
        return sum(self.samples(name, cell, "train") for name in cell.data.of(ability))

    def samples(self, name: str, cell: Cell, part: str) -> int:
        """Samples of a source, or with ``part`` "corpus" of the corpus, that training may use; none is held out.

        Raises a ValueError when there are none.
        """
        cache_key = (id(cell.data), id(cell.model), name, part)
        if cache_key not in self._samples:
            self._samples[cache_key] = (cell, self._count(name, cell, part))  # the ids stay taken while `cell` is here
        return self._samples[cache_key][1]

    def _count(self, name: str, cell: Cell, part: str) -> int:
        where, source = _source(name, cell, part)
        rows = count_rows(where, source, cell.data.world, self.files)
        manifest = None if source.complete else self.manifest(self.tokens(name, cell, part))
        if manifest is not None:
            present = manifest["rows"] + source.held_out_rows
            if source.num_rows not in (None, present):
                self.notes[f"{where}.num_rows={source.num_rows}, but the data has {present} rows; correct it"] = None
            return int(manifest["samples"])
        if rows <= source.held_out_rows:
            raise ValueError(
                f"{where}.held_out_rows={source.held_out_rows}: the source has {rows} rows; leave some to train on"
            )
        if not source.complete:
            self.estimated[where] = None
        return rows - source.held_out_rows

    def uncounted(self, cell: Cell) -> dict[str, Stage]:
        """The tokens that the store lacks of the sources whose samples a plan of the cell counts, by config key.

        All rows of the embedded world are samples, which its tokens check, unless ``only`` leaves some out.
        """
        abilities = dict.fromkeys(name for stage in cell.stages for name in stage)
        parts = [(name, "train") for ability in abilities for name in cell.data.of(ability)]
        parts += [(name, "corpus") for name in cell.data.corpus if cell.model.scratch]
        stages = {}
        for name, part in parts:
            where, source = _source(name, cell, part)
            if not source.complete and self.manifest(stage := self.tokens(name, cell, part)) is None:
                stages[where] = stage
        return stages

    def manifest(self, tokens: Stage) -> Mapping[str, Any] | None:
        """What the tokens say about themselves, read once; None if the store lacks them."""
        if tokens.key not in self._manifests:
            path = self.files.store.path(tokens) / "manifest.json"
            self._manifests[tokens.key] = json.loads(path.read_bytes()) if path.exists() else None
        return self._manifests[tokens.key]

    def tokens(self, name: str, cell: Cell, part: str) -> Stage:
        """A source of the cell's data, tokenised: its ``part`` "train" or "held_out", or "corpus" for the corpus."""
        cache_key = ("tokens", id(cell.data), id(cell.model), name, part)
        where, source = _source(name, cell, part)
        build = lambda: self.tokens_of(where, source, cell, part)  # noqa: E731
        return self.shared.once(cache_key, build, cell.data, cell.model)

    def tokens_of(self, where: str, source: Source, cell: Cell, part: str) -> Stage:
        """Any source, tokenised."""
        data = cell.data
        rows, file = self.rows_input(where, source, data)
        longest = (data.corpus_max_length if part == "corpus" else None) or data.max_length
        if longest < SHORTEST:
            key = "corpus_max_length" if part == "corpus" and data.corpus_max_length else "max_length"
            raise ValueError(
                f"data.{key}={longest} has no room for a sample, whose template, request and answer take at least "
                f"{SHORTEST} tokens; raise it"
            )
        spec = TokensSpec(
            format=source.format, file=file, fields=tuple(sorted(source.columns.items())),
            tokenizer_hub=hub(cell.model), template=data.template, system=data.system,
            supervise="all" if part == "corpus" else "assistant", max_length=longest,
            held_out=source.held_out_rows, on_bad_row=source.on_bad_row, on_long=source.on_overlong,
            part="held_out" if part == "held_out" else "train", clean=tuple(source.clean),
            complete=source.complete,
            only=tuple((column, tuple(values)) for column, values in sorted(source.only.items())),
        )  # fmt: skip
        inputs: dict[str, Stage | File] = {"data": rows}
        if cell.model.scratch:
            inputs["tokenizer"] = self.tokenizer(data)
        else:
            check_length(cell)
            inputs |= self.model_input(cell.model, "tokenizer")
        stage = Stage("tokens", spec, inputs)
        self.lengths[stage.key] = self._length(where, source, data, None if source.complete else self.manifest(stage))
        return stage

    def _length(self, where: str, source: Source, data: Data, manifest: Mapping[str, Any] | None) -> float:
        """Tokens in a sample: as counted, else as declared, else from the size of the file, else the world's."""
        if manifest is not None:
            return float(manifest["tokens"] / manifest["samples"])
        if source.tokens_per_sample is not None:
            return source.tokens_per_sample
        if source.path is None or not Path(source.path).exists():
            return WORLD_TOKENS
        bytes_per_row = self.files.bytes(f"{where}.path", source.path) / self.files.rows(f"{where}.path", source.path)
        return min(bytes_per_row / BYTES_PER_TOKEN, data.max_length)

    def rows_input(self, where: str, source: Source, data: Data) -> tuple[Stage | File, str]:
        """The input that holds a source's rows, and their file in that input, '' if the input is the file."""
        if source.world is not None:
            return self.world(where, data), source.world
        if source.hub is not None:
            rows = self.hub_rows(source.hub, source.revision, source.config, source.split, source.file)
            return rows, rows.spec.result
        assert source.path is not None
        return self.files.file(f"{where}.path", source.path, source.num_rows is not None), ""

    def world(self, where: str, data: Data) -> Stage:
        """The embedded world of the data. Raises a ValueError that names ``where`` it is needed if there is none."""
        if data.world is None:
            raise ValueError(f"{where}.world: data={data.name} has no world; set data.world, or give a path")
        return self.shared.once(("world", id(data)), lambda: Stage("world", data.world, {}), data)

    def hub_rows(
        self, repo: str, revision: str | None, config: str | None, split: str, file: str | None = None
    ) -> Stage:
        """The rows of one split, or of one file, of a hub data set."""
        spec = HubRows(repo, revision or "", config, "" if file else split, file or "")
        return self.shared.once(("rows", spec), lambda: Stage("rows", spec, {}))

    def tokenizer(self, data: Data) -> Stage:
        """The tokenizer of models that are built from scratch, trained on the corpus."""
        return self.shared.once(("tokenizer", id(data)), lambda: self._tokenizer(data), data)

    def _tokenizer(self, data: Data) -> Stage:
        if not data.corpus:
            raise ValueError(
                f"data={data.name} has no corpus to build a tokenizer and a base model from; set data.corpus"
            )
        texts, inputs = [], {}
        for name, source in data.corpus.items():
            inputs[name], file = self.rows_input(f"data.corpus.{name}", source, data)
            texts.append(TextFile(name, file, source.format, tuple(sorted(source.columns.items()))))
        return Stage("tokenizer", TokenizerSpec(data.vocabulary, data.template, tuple(texts)), inputs)

    def model_input(self, model: Model, name: str) -> Mapping[str, Stage | File]:
        """The user's own model folder as the input ``name``; nothing for a model of a hub.

        Raises a ValueError for a folder that lacks a part of a model.
        """
        if model.path is None:
            return {}
        if model.path not in self._whole_models and Path(model.path).exists():
            model_folder.check(Path(model.path), f"model.path={model.path}")
            self._whole_models.add(model.path)
        return {name: self.files.file("model.path", model.path)}


def folder_of(model: Model) -> Path | None:
    """The folder of a model that lies on this machine: the user's own, or in the hub's cache."""
    if model.path is not None:
        return Path(model.path).absolute()
    return cached(model.hub, model.revision or "") if model.hub is not None else None


def check_length(cell: Cell) -> None:
    """Raise a ValueError if samples may be longer than the model's files say that it takes."""
    folder = folder_of(cell.model)
    limit = model_folder.max_length(folder) if folder is not None else None
    if limit is not None and cell.data.max_length > limit:
        raise ValueError(
            f"data.max_length={cell.data.max_length} is more than the {limit} positions in {folder}/config.json; "
            f"set data.max_length={limit} or less"
        )


def _source(name: str, cell: Cell, part: str) -> tuple[str, Source]:
    """The config key and the source of a name among the sources, or with ``part`` "corpus" in the corpus."""
    group = "corpus" if part == "corpus" else "sources"
    sources: Mapping[str, Source] = getattr(cell.data, group)
    return f"data.{group}.{name}", sources[name]


def hub(model: Model) -> Hub | None:
    """Where on the hub a model lies; None for one that lies elsewhere."""
    return Hub(model.hub, model.revision or "") if model.hub is not None else None


def count_rows(where: str, source: Source, world: WorldSpec | None, files: Files) -> int:
    """Rows of a source: as declared, as the world generates them, or as counted in the file.

    Raises a ValueError when they cannot be told, or when the file holds another number than was declared.
    """
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
