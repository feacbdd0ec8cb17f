"""Dosage's plugins for Hydra: a sweeper, and launchers that turn all cells of a sweep into one plan.

Every Hydra program of the environment imports this module when it starts, so it imports nothing but parts of Hydra that
are loaded by then. The work is done in `sweep.cli.multirun`, which is imported when a sweep runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from sweep.plan.plan import Plan
    from sweep.stages.store import Store


class PlanSweeper(Sweeper):
    """Expands a sweep as Hydra's basic sweeper does, and gives all its cells to the launcher at once.

    The basic sweeper also composes every cell, only to see whether it can be composed; our launchers do that themselves
    before any work starts.
    """

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None) -> None:
        self.params = params or {}
        if max_batch_size is not None:
            raise ValueError(
                f"hydra.sweeper.max_batch_size={max_batch_size}: a sweep is one plan; use workers= instead"
            )

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from sweep.cli import multirun

        multirun.check_callbacks(hydra_context.callbacks.callbacks)
        self.config_loader = hydra_context.config_loader
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=bare(config)
        )
        if isinstance(self.launcher, PlanLauncher):
            self.launcher.config = config

    def sweep(self, arguments: list[str]) -> Any:
        from sweep.cli import multirun

        if not isinstance(self.launcher, PlanLauncher):
            multirun.refuse_launcher()
        return self.launcher.launch(multirun.cells(self.params, arguments, self.config_loader), initial_job_idx=0)


class PlanLauncher(Launcher):
    """A launcher that turns all cells of the sweep into one plan and gives that to `execute`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config_loader, self.config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from sweep.cli import multirun

        return multirun.launch(job_overrides, self.config_loader, self.config, self)

    @abstractmethod
    def execute(self, plan: Plan, store: Store) -> int:
        """Run the stages of the plan that the store lacks; return the exit status of the command."""

    def requests(self, plan: Plan, store: Store) -> list[dict[str, Any]]:
        """What the jobs of the plan ask a cluster for; nothing where there is none."""
        return []


class LocalLauncher(PlanLauncher):
    """``hydra/launcher=local``: a pool of worker processes on this machine."""

    def execute(self, plan: Plan, store: Store) -> int:
        from sweep.launch.run import run_here

        return run_here(plan, store)


class SubmititLauncher(PlanLauncher):
    """``hydra/launcher=submitit_slurm``: the sweep as SLURM jobs, with settings that may differ between cells."""

    def __init__(self, **settings: Any) -> None:
        pass

    def execute(self, plan: Plan, store: Store) -> int:
        from sweep.cli import multirun

        return multirun.execute_on_slurm(plan, store, self.config)

    def requests(self, plan: Plan, store: Store) -> list[dict[str, Any]]:
        from sweep.cli.launcher import requests

        return requests(plan, store, self.config)


def bare(config: DictConfig) -> DictConfig:
    """The config with nothing in ``hydra.launcher`` but its class, where that is ours.

    Hydra would resolve the launcher's values in the config of the whole sweep, where some have none.
    """
    from copy import deepcopy

    from omegaconf import open_dict

    target = str(config.hydra.launcher.get("_target_"))
    if not target.startswith(__name__):
        return config
    copied = deepcopy(config)
    with open_dict(copied):
        copied.hydra.launcher = {"_target_": target}
    return copied


def launcher(config: DictConfig) -> PlanLauncher:
    """The launcher of a run without ``--multirun``, for which Hydra makes none. ``config`` has Hydra's own node."""
    from sweep.cli import multirun

    name = str(config.hydra.launcher["_target_"]).removeprefix(f"{__name__}.")
    launchers = {cls.__name__: cls for cls in (LocalLauncher, SubmititLauncher)}
    if name not in launchers:
        multirun.refuse_launcher()
    made: PlanLauncher = launchers[name]()
    made.config = config
    return made
