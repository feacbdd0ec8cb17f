"""The stages of one cell: those that train it, and the score of each task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from common import model_folder
from sweep.config.cell import Cell
from sweep.config.strategy import Moment
from sweep.plan.amounts import amounts
from sweep.plan.data_stages import DataStages, folder_of, hub
from sweep.plan.files import Files
from sweep.plan.shared_stages import SharedStages
from sweep.plan.task_stages import TaskStages
from sweep.stages.stage import File, Stage
from train.spec import Portion, Recipe, TrainSpec

Scores = Mapping[str, Stage]
"""The score of each task."""


class Planner:
    """Builds the stages of cells. A stage that many cells share is built once and is the same object.

    ``lengths`` holds the estimated tokens in a sample by the key of the tokens, ``parameters`` the number of parameters
    of the model by the key of the stage that runs it.
    """

    def __init__(self, files: Files) -> None:
        self.data_stages = DataStages(files, SharedStages())
        self.task_stages = TaskStages(self.data_stages)
        self.lengths = self.data_stages.lengths
        self.parameters: dict[str, int] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the numbers of the cells planned so far."""
        estimated = ", ".join(self.data_stages.estimated)
        line = f"{estimated}: every row is taken for a sample; before it trains, the sweep counts the samples"
        return (*([line] if estimated else []), *self.data_stages.notes)

    def stages(self, cell: Cell) -> tuple[tuple[Stage, ...], list[tuple[Moment, Scores]]]:
        """The stages that train the cell, in order, and the scores at each moment at which it is measured, in order.

        The last scores are those of the finished model, or of the base where the cell trains on nothing. Raises a
        ValueError that names key, value and remedy for a cell that cannot be planned.
        """
        trained = self._trained(cell)
        scores = [(moment, self._scores(cell, trained, moment)) for moment in moments(cell, len(trained))]
        answers = [score.inputs["answers"] for _, some in scores for score in some.values()]
        self.parameters |= dict.fromkeys((stage.key for stage in (*trained, *answers)), parameters(cell))
        return trained, scores

    def _scores(self, cell: Cell, trained: tuple[Stage, ...], moment: Moment) -> Scores:
        behind, score = trained[: cell.model.scratch + moment.stage], self.task_stages.score
        return {name: score(name, task, cell, behind, moment.checkpoint) for name, task in cell.suite.tasks.items()}

    def _trained(self, cell: Cell) -> tuple[Stage, ...]:
        chain = [self._base(cell)] if cell.model.scratch else []
        tuned = self._portions(cell)
        for number, portions in enumerate(tuned, start=1):
            tokens = {name: self.data_stages.tokens(name, cell, "train") for p in portions for name in p.sources}
            init: Mapping[str, Stage | File] = (
                {"init": chain[-1]} if chain else self.data_stages.model_input(cell.model, "init")
            )
            check_steps(cell.recipe, portions)
            recipe = cell.recipe if number == len(tuned) else replace(cell.recipe, export_precision="fp32")
            spec = TrainSpec(None if init else hub(cell.model), None, portions, recipe, cell.seed)
            chain.append(Stage("train", spec, {**tokens, **init}))
        return tuple(chain)

    def _base(self, cell: Cell) -> Stage:
        """The model that pretraining on the corpus gives."""
        cache_key = ("base", id(cell.data), id(cell.model))
        return self.data_stages.shared.once(cache_key, lambda: self._pretrained(cell), cell.data, cell.model)

    def _pretrained(self, cell: Cell) -> Stage:
        pretraining = cell.model.pretrain
        assert pretraining is not None
        portions, tokens = [], {}
        for name, source in cell.data.corpus.items():
            portions.append(Portion(source.ability, (name,), self.data_stages.samples(name, cell, "corpus")))
            tokens[name] = self.data_stages.tokens(name, cell, "corpus")
        spec = TrainSpec(None, cell.model.architecture, tuple(portions), pretraining.recipe, pretraining.seed)
        return Stage("train", spec, {**tokens, "tokenizer": self.data_stages.tokenizer(cell.data)})

    def _portions(self, cell: Cell) -> list[tuple[Portion, ...]]:
        """The portions of each stage that trains on anything."""
        abilities = dict.fromkeys(name for stage in cell.stages for name in stage)
        pools = {ability: self.data_stages.pool(cell, ability) for ability in abilities}
        return [
            tuple(
                Portion(ability, tuple(cell.data.of(ability)), count, repeats=count > pools[ability])
                for ability, count in stage.items()
                if count
            )
            for stage in amounts(cell, pools)
            if any(stage.values())
        ]


def moments(cell: Cell, trained: int) -> list[Moment]:
    """When a cell of so many ``trained`` stages, the base's pretraining among them, is measured."""
    last = trained - cell.model.scratch
    stages = range(1, last + 1) if cell.suite.score == "every" and last else (last,)
    checkpoints = cell.recipe.checkpoints if last else ()
    return [Moment(stage, share) for stage in stages for share in (*checkpoints, "")]


def check_steps(recipe: Recipe, portions: tuple[Portion, ...]) -> None:
    """`Recipe.check_steps` before anything runs; where batches are counted in tokens, training does it alone."""
    samples = sum(portion.samples for portion in portions)
    if recipe.steps is not None:
        recipe.check_steps(recipe.steps)
    elif recipe.epochs is not None and recipe.batch_samples is not None:
        # Each epoch begins a batch of its own.
        recipe.check_steps(math.ceil(recipe.epochs) * math.ceil(min(1, recipe.epochs) * samples / recipe.batch_samples))


def parameters(cell: Cell) -> int:
    """Parameters of the cell's model: declared, of its architecture with the data's vocabulary, or counted in files.

    0 where none of these is known, for a hub model that is not on this machine.
    """
    model = cell.model
    if model.parameters is not None:
        return model.parameters
    if model.architecture is not None:
        return model.architecture.parameters(cell.data.vocabulary)
    folder = folder_of(model)
    return (model_folder.parameters(folder) if folder is not None else None) or 0
