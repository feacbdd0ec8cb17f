"""The sweep as a Hydra multirun: a sweeper that leaves composing to the launchers, and launchers that run a plan."""

from __future__ import annotations

import importlib
import shlex
import sys
import types
from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

import hydra.plugins.sweeper
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from sweep.cli.plan_table import show_plan
from sweep.cli.verbs import fail
from sweep.config.cell import Cell
from sweep.config.compose import Composer, freeze
from sweep.launch.run import run_here, run_on_slurm
from sweep.launch.slurm import Settings
from sweep.plan.files import Files
from sweep.plan.plan import CellError, Plan, make
from sweep.plan.preflight import checked
from sweep.stages.stage import restore
from sweep.stages.store import Damaged, Store

PLUGINS = "hydra_plugins.dosage"
"""The name under which Hydra knows this module; see `register`."""

OF_THE_COMMAND = ("name", "store", "workers", "dry_run", "exclude")
"""Keys that say nothing about a cell."""


class Sweeper(hydra.plugins.sweeper.Sweeper):
    """Hydra's basic sweep, in one batch. The stock sweeper composes every cell only to see that it can be composed;
    our launchers compose every cell before any work starts."""

    __module__ = PLUGINS

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None) -> None:
        self.params = params or {}
        if max_batch_size is not None:
            raise ValueError(
                f"hydra.sweeper.max_batch_size={max_batch_size}: a sweep is one plan; use workers= instead"
            )

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if not isinstance(self.launcher, PlanLauncher):
            fail("this launcher runs cell by cell and shares nothing; choose hydra/launcher=local or submitit_slurm")

    def sweep(self, arguments: list[str]) -> Any:
        assert self.launcher is not None
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        grid = [f"{key}={value}" for key, value in self.params.items()]
        (batch,) = BasicSweeper.split_arguments(parser.parse_overrides([*grid, *arguments]), None)
        return self.launcher.launch(batch, initial_job_idx=0)


class PlanLauncher(Launcher):
    """A launcher that turns all cells of the sweep into one plan and hands that to `execute`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        try:
            plan = self.plan(job_overrides)
            store = Store(plan.path)
            status = show_plan(plan, store) if plan.cells[0].cell.dry_run else self.execute(plan, store)
        except (ValueError, Damaged) as problem:
            fail(str(problem))
        if status:
            sys.exit(status)
        return [JobReturn(overrides=list(o), status=JobStatus.COMPLETED) for o in job_overrides]

    def plan(self, job_overrides: Sequence[Sequence[str]]) -> Plan:
        """Compose and check every cell, then plan. Raises a ValueError that names the first bad cell."""
        composer = Composer(self.context.config_loader, self.config)
        swept = swept_keys(job_overrides)
        cells = []
        for overrides in job_overrides:
            factors = {key: value for key, _, value in (o.partition("=") for o in overrides) if key in swept}
            label = ",".join(f"{key}={value}" for key, value in factors.items()) or "default"
            try:
                cells.append((label, composer.cell(overrides), {**factors, "settings": settings(overrides, swept)}))
            except ValueError as problem:
                raise CellError(f"cell {label}: {problem}") from None
        return plan_cells(cells, self.config.hydra.runtime.choices.get("grid"))

    @abstractmethod
    def execute(self, plan: Plan, store: Store) -> int:
        """Run what the plan lacks; return the exit status of the command."""


class LocalLauncher(PlanLauncher):
    """``hydra/launcher=local``: a pool of worker processes on this machine."""

    __module__ = PLUGINS

    def execute(self, plan: Plan, store: Store) -> int:
        return run_here(plan, store)


class SubmititLauncher(PlanLauncher):
    """``hydra/launcher=submitit_slurm``: the sweep as SLURM jobs."""

    __module__ = PLUGINS

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def execute(self, plan: Plan, store: Store) -> int:
        given = OmegaConf.to_container(OmegaConf.create(self.settings), resolve=True)
        return run_on_slurm(plan, store, restore(Settings, given))  # type: ignore[arg-type]


def single(config: DictConfig, hydra_config: Any) -> None:
    """A run without ``--multirun``: one cell. Refuses a grid, whose values only a multirun would use."""
    if hydra_config.sweeper.params:
        fail("a grid is swept by a multirun; add -m to the command")
    try:
        cell = freeze(config)
        plan = plan_cells([("default", cell, {"settings": settings(hydra_config.overrides.task, ())})], None)
        store = Store(plan.path)
        status = show_plan(plan, store) if cell.dry_run else instantiate(hydra_config.launcher).execute(plan, store)
    except (ValueError, Damaged) as problem:
        fail(str(problem))
    if status:
        sys.exit(status)


def plan_cells(cells: Sequence[tuple[str, Cell, dict[str, str]]], grid: str | None) -> Plan:
    """The plan of composed cells; the sweep is named by ``name=``, else by its grid, else ``run``."""
    first = cells[0][1]
    store = Store(first.store)
    files = Files(store)
    plan = make(first.name or grid or "run", cells, files)
    if not plan.cells:
        raise CellError(f"all {len(cells)} cells are excluded; loosen exclude={first.exclude}")
    if first.dry_run:
        return plan
    files.save()
    return checked(plan)


def swept_keys(job_overrides: Sequence[Sequence[str]]) -> set[str]:
    """Keys whose values differ between the cells."""
    values: dict[str, set[str]] = {}
    for overrides in job_overrides:
        for override in overrides:
            key, _, value = override.partition("=")
            values.setdefault(key, set()).add(value)
    return {key for key, seen in values.items() if len(seen) > 1}


def settings(overrides: Sequence[str], swept: Collection[str]) -> str:
    """What the command sets for every cell alike; with a cell's label all that it takes to run the cell again."""
    kept = [o for o in overrides if o.partition("=")[0] not in (*swept, *OF_THE_COMMAND)]
    return shlex.join(o for o in kept if not o.startswith(("+grid=", "hydra")))


def register() -> None:
    """Make the sweeper and the launchers known to Hydra.

    Hydra 1.3 takes plugins from the package ``hydra_plugins`` alone and imports them by name, so this module also goes
    by that name; a folder of that name would be scanned at the start of every Hydra program of the environment.
    """
    plugins = Plugins.instance()
    parent, _, name = PLUGINS.partition(".")
    try:
        package = importlib.import_module(parent)
    except ModuleNotFoundError:
        package = sys.modules[parent] = types.ModuleType(parent)
    sys.modules[PLUGINS] = sys.modules[__name__]
    setattr(package, name, sys.modules[__name__])
    for plugin in (Sweeper, LocalLauncher, SubmititLauncher):
        plugins.register(plugin)
