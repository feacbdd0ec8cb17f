"""The tables of docs/paper_scale.md, made of plans; ``python -m tests.sweep.plan.paper_scale`` prints them."""

from __future__ import annotations

from collections.abc import Iterator

from hydra.core.global_hydra import GlobalHydra

from sweep.cli.multirun import cells, plan_all
from sweep.cli.plan_table import longest_chain, quantity, rounded
from sweep.launch.progress import span
from sweep.plan import fit
from sweep.plan.cost import costs
from sweep.plan.memory import GIB, gib, training
from sweep.plan.plan import Plan
from tests.sweep.composing import cell, composer, hydra
from train.spec import RESUME_BYTES

MODELS = {"llama_7b": "7B", "llama_13b": "13B", "llama_33b": "33B", "llama3.1_70b": "70B"}
GPUS = (8, 16, 32, 64)
GRIDS = ("data_amount", "mixture", "ratio", "strategy", "dmt_replay")
CARD = 80.0
PAPER = ("data=paper", "recipe=paper", "suite=paper", "~suite.tasks.mtbench", "engine=zero3", "engine.gpu_gib=80")


def memory_rows() -> Iterator[str]:
    """A row a model: GiB of a rank by number of GPUs, in bold where it does not fit; of a resume point; answers."""
    yield "| model | " + " | ".join(f"{count} GPUs" for count in GPUS) + " | host, a rank | resume point | answers |"
    yield "| --- | " + " | ".join("---:" for _ in GPUS) + " | ---: | ---: | --- |"
    for model, name in MODELS.items():
        one = cell(f"model={model}", *PAPER, "fraction=1/4")
        shape, parameters = one.model.architecture, one.model.parameters
        assert shape is not None and parameters is not None
        ranks = [cell(f"model={model}", *PAPER, f"engine.ranks={count}").engine for count in GPUS]
        found = [training(parameters, shape, engine, "bf16", gpu=True) for engine in ranks]
        sizes = [gib(m.device) if fit.is_within(m, CARD) else f"**{gib(m.device)}**" for m in found]
        answers = f"{gib(fit.answer_gib(one, parameters, shape))} on {fit.answering_gpus(one, parameters, CARD)}"
        point = gib(RESUME_BYTES * parameters / GIB)
        yield f"| {name} | " + " | ".join(sizes) + f" | {gib(found[0].host)} | {point} | {answers} |"


def smallest(model: str) -> int:
    """The fewest GPUs on which a training of the model fits."""
    for count in GPUS:
        one = cell(f"model={model}", *PAPER, f"engine.ranks={count}")
        parameters = one.model.parameters
        assert parameters is not None
        memory = fit.estimate(one, parameters, CARD)
        if memory is not None and fit.is_within(memory, CARD):
            return count
    raise ValueError(f"{model} fits nowhere")


def plan_of(grid: str, model: str, ranks: int) -> Plan:
    """The plan of a grid of the study for one model."""
    words = [f"model={model}", *PAPER, f"engine.ranks={ranks}"]
    with hydra():
        _, master = composer(f"+grid={grid}", *words)
        loader = GlobalHydra.instance().config_loader()
        params = dict(master.hydra.sweeper.params)
        return plan_all(
            cells(params, [f"+grid={grid}", *words, "dry_run=true", "store=nowhere"], loader), loader, master
        )


def grid_rows() -> Iterator[str]:
    """A row a grid and model."""
    yield "| grid | model | GPUs | cells | trainings | tokens | GPU-hours | longest chain | disk, GiB |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for grid in GRIDS:
        for model in MODELS:
            yield grid_row(grid, model)


def grid_row(grid: str, model: str) -> str:
    """What a grid of the study costs for one model, on the fewest GPUs that hold it."""
    ranks = smallest(model)
    plan = plan_of(grid, model, ranks)
    cost = costs(plan)
    trained = [stage for stage in plan.stages if stage.kind == "train"]
    hours = sum(one.hours for one in cost.values() if one.gpu)
    disk = fit.models_gib(plan, trained)
    tokens = sum(cost[stage.key].tokens for stage in trained)
    chain = span(longest_chain(plan, cost, {stage.key for stage in plan.stages}))
    return (
        f"| {grid} | {MODELS[model]} | {ranks} | {len(plan.cells)} | {len(trained)} | {quantity(tokens)} | "
        f"{rounded(hours)} | {chain} | {disk:,.0f} |"
    )


if __name__ == "__main__":
    for row in (*memory_rows(), ""):
        print(row)
    for row in grid_rows():
        print(row, flush=True)
