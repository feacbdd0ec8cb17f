"""The sweep as a Hydra multirun: from the overrides of all cells to one plan, and from the plan to its execution.

Hydra meets this module through the plugins in ``hydra_plugins/dosage``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from itertools import product
from typing import Any, NoReturn, Protocol

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from common.options import print_record
from common.renames import current_override
from common.wording import announce, plural, reason
from sweep.cli.launcher import request
from sweep.cli.plan_table import plan_record, show_plan
from sweep.cli.verbs import fail
from sweep.config.cell import Cell
from sweep.config.compose import CellComposer, as_merge, freeze
from sweep.config.overrides import OF_THE_COMMAND, at_cell, columns, label_of, swept_keys, without_grid
from sweep.config.schema import names
from sweep.config.strategy import EACH
from sweep.launch.run import run_on_slurm, tokenise
from sweep.launch.states import stages_in_flight, sweep_record
from sweep.plan.exclude import check_exclude
from sweep.plan.files import Files
from sweep.plan.plan import CellError, Plan, make, uncounted
from sweep.plan.preflight import check_plan, check_stages
from sweep.results import planning
from sweep.results.saved_sweep import check_replacement, load
from sweep.stages.stage import with_parents
from sweep.stages.store import Damaged, Store


class Launcher(Protocol):
    """Where the stages of a plan run."""

    def execute(self, plan: Plan, store: Store) -> int:
        """Run the stages that the store lacks; return the exit status of the command."""

    def requests(self, plan: Plan, store: Store) -> list[dict[str, Any]]:
        """What the jobs of the plan ask a cluster for; nothing where there is none."""


def refuse_launcher() -> NoReturn:
    """End the command: Hydra's other launchers run cell by cell and would train shared stages once a cell."""
    fail("this launcher runs cell by cell and shares nothing; choose hydra/launcher=local or submitit_slurm")


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """End the command where a callback of ``hydra.callbacks`` expects to run once a cell.

    The cells of a sweep share stages, which run in other processes. Callbacks for the whole command do run.
    """
    for callback in callbacks:
        for hook in ("on_job_start", "on_job_end"):
            own = getattr(type(callback), hook, None)
            if own is not None and own is not getattr(Callback, hook):
                fail(
                    f"hydra.callbacks: {type(callback).__name__} has {hook}, which would run once a cell; the cells of "
                    "a sweep share their stages. Use on_multirun_start and on_multirun_end"
                )


def cells(params: Mapping[str, str], arguments: Sequence[str], config_loader: ConfigLoader) -> list[list[str]]:
    """The overrides of every cell, as Hydra's basic sweeper makes them.

    They are the product of the values of the grid's ``params`` and of the command line, which takes precedence. Raises
    a HydraException for what cannot be read, and for an interval, which has no list of values.
    """
    grid = [current_override(f"{key}={value}") for key, value in params.items()]
    choices: dict[str, list[str]] = {}
    for override in OverridesParser.create(config_loader=config_loader).parse_overrides([*grid, *arguments]):
        key = override.get_key_element()
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise HydraException(f"{override.input_line}: an interval has no list of values; write them as {key}=A,B")
        if override.is_sweep_override() and key in OF_THE_COMMAND:
            raise HydraException(f"{override.input_line}: {key} is one for the whole command; give it one value")
        if override.is_sweep_override():
            choices[key] = [as_merge(f"{key}={value}") for value in override.sweep_string_iterator()]
        elif override.value_type is None:  # ~key; Hydra 1.4 would take ~key=null for the deletion of a null
            choices[key] = [key]
        else:
            # Dictionaries that are added under one key all count: each merges its own entries.
            merges = key[0] == "+" and isinstance(override.value(), dict)
            word = f"{key}={override.get_value_element_as_str()}"
            choices[word if merges else key] = [word]
    return [list(overrides) for overrides in product(*choices.values())]


def launch(
    job_overrides: Sequence[Sequence[str]], config_loader: ConfigLoader, config: DictConfig, launcher: Launcher
) -> list[JobReturn]:
    """Hydra's launch of all cells: one plan and its execution. Ends the process where that fails."""
    run(lambda: plan_all(job_overrides, config_loader, config), launcher, as_json=bool(config.get("json")))
    return [JobReturn(overrides=list(o), status=JobStatus.COMPLETED) for o in job_overrides]


def plan_all(job_overrides: Sequence[Sequence[str]], config_loader: ConfigLoader, config: DictConfig) -> Plan:
    """Compose and check every cell, then plan. Raises a ValueError that names the first bad cell."""
    composer = CellComposer(config_loader, config)
    job_overrides = each_ability(job_overrides, composer)
    announce(f"planning {plural(len(job_overrides), 'cell')}")
    swept = swept_keys(job_overrides)
    composed: list[tuple[str, Cell, dict[str, str]]] = []
    for number, overrides in enumerate(job_overrides):
        values = {key: value for key, _, value in (o.partition("=") for o in overrides) if key in swept}
        label = label_of(overrides)
        try:
            cell = composer.cell(overrides)
        except ValueError as problem:
            raise CellError(f"{at_cell(job_overrides, number)}{problem}") from None
        if not composed:
            again = without_grid if _is_grid_spent(composer, overrides, cell) else list
        composed.append((label, cell, {**values, **columns(again(overrides), swept)}))
    overridden = {word.partition("=")[0].lstrip("+") for overrides in job_overrides for word in overrides}
    choices = config.hydra.runtime.choices
    check_exclude(composed, {*overridden, *choices, *names(Cell)})
    return plan_cells(composed, choices.get("grid"))


def each_ability(job_overrides: Sequence[Sequence[str]], composer: CellComposer) -> list[list[str]]:
    """The overrides of every cell, with ``ability=each`` replaced by every ability of the cell's data in turn.

    As in Hydra's product of values, the abilities vary more slowly than whatever is given after them.
    """
    each = f"ability={EACH}"
    expanded: list[tuple[Any, list[str]]] = []
    place: dict[tuple[str, ...], int] = {}
    for number, overrides in enumerate(job_overrides):
        if each not in overrides:
            expanded.append(((place.setdefault(tuple(overrides), len(place)), 0), list(overrides)))
            continue
        at = list(overrides).index(each)
        before, after = list(overrides[:at]), list(overrides[at + 1 :])
        try:
            abilities = composer.cell([*before, *after]).data.abilities
        except ValueError as problem:
            raise CellError(f"{at_cell(job_overrides, number)}{problem}") from None
        for nth, ability in enumerate(abilities):
            order = (place.setdefault(tuple(before), len(place)), nth)
            expanded.append((order, [*before, f"ability={ability}", *after]))
    return [overrides for _, overrides in sorted(expanded, key=lambda one: one[0])]


def _is_grid_spent(composer: CellComposer, overrides: Sequence[str], cell: Cell) -> bool:
    """Whether a cell is the same without the grid, which as a rule sets nothing but the values to sweep."""
    rest = without_grid(overrides)
    if rest == list(overrides):
        return True
    try:
        return repr(composer.cell_outside(rest)) == repr(cell)
    except ValueError:
        return False


def execute_on_slurm(plan: Plan, store: Store, config: DictConfig) -> int:
    """Run the plan as SLURM jobs. ``config`` is that of the whole command, with Hydra's own node."""
    return run_on_slurm(plan, store, request(plan, config))


def single(config: DictConfig, hydra_config: Any, launcher: Launcher) -> None:
    """A run without ``--multirun``: one cell. Refuses a grid, whose values only a multirun would use."""
    if hydra_config.sweeper.params:
        fail("a grid is swept by a multirun; add -m to the command")
    overrides = hydra_config.overrides.task

    def plan() -> Plan:
        cell = [(label_of(overrides), freeze(config), columns(overrides, ()))]
        check_exclude(cell, {*hydra_config.runtime.choices, *names(Cell)})
        return plan_cells(cell, None)

    run(plan, launcher, as_json=bool(config.get("json")))


def run(make_plan: Callable[[], Plan], launcher: Launcher, *, as_json: bool) -> None:
    """Make the plan and run it, or with ``dry_run`` print it. Ends the process with one line where that fails.

    ``as_json`` prints the plan, or how the sweep stands in the end, as JSON; all else goes to standard error.
    """
    try:
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            plan = make_plan()
            status = _planned(plan, launcher, as_json)
        if as_json:
            print_record(_record(plan, plan.store, launcher))
    except (ValueError, OSError, Damaged) as problem:
        fail(reason(problem))
    if status:
        sys.exit(status)


def _record(plan: Plan, store: Store, launcher: Launcher) -> dict[str, Any]:
    """The plan, or where it was carried out how the sweep stands, as plain values."""
    if plan.cells[0].cell.dry_run:
        return plan_record(plan, store, launcher.requests(plan, store))
    return sweep_record(load(store, plan.name), store, stages_in_flight(store))


def _planned(plan: Plan, launcher: Launcher, as_json: bool) -> int:
    """Show the plan or carry it out; return the exit status."""
    for note in plan.notes:
        print(f"note: {note}")
    if not plan.cells[0].cell.dry_run:
        return launcher.execute(plan, plan.store)
    if not as_json:
        show_plan(plan, plan.store, launcher.requests(plan, plan.store))
    return 0


def plan_cells(cells: Sequence[tuple[str, Cell, dict[str, str]]], grid: str | None) -> Plan:
    """The plan of composed cells; the sweep is named by ``name=``, else by its grid, else by its content."""
    first = cells[0][1]
    for key in (*OF_THE_COMMAND, "tracker"):
        if other := next((cell for _, cell, _ in cells if getattr(cell, key) != getattr(first, key)), None):
            raise CellError(
                f"{key} differs between cells, such as {getattr(first, key)} and {getattr(other, key)}; it is one for "
                "the whole command, so let it depend on nothing that the sweep varies"
            )
    store = Store(first.store, first.upstream)
    store.check(written=not first.dry_run)
    name = first.name or (grid and grid.replace("/", "-"))
    if first.dry_run:
        return _checked(make(name, cells, Files(store)), len(cells))
    with planning.announced(store, name):
        return _counted(cells, name, store)


def _counted(cells: Sequence[tuple[str, Cell, dict[str, str]]], name: str | None, store: Store) -> Plan:
    """The plan of cells that are to run, after tokenising the sources whose samples it counts."""
    first, files = cells[0][1], Files(store)
    if sources := uncounted(cells, files):
        check_stages([(stage, None) for stage in with_parents(sources.values())], files.absent, store)
        files.save()
        store.remember_upstream()
        tokenise(sources, store, first.workers)
    plan = _checked(make(name, cells, files), len(cells))
    note = check_replacement(plan, store, first.replace)
    files.save()
    check_plan(plan)
    return replace(plan, notes=(*plan.notes, note)) if note else plan


def _checked(plan: Plan, cells: int) -> Plan:
    """The plan of so many cells. Raises `CellError` where all of them are excluded."""
    if not plan.cells:
        raise CellError(f"all {plural(cells, 'cell')} are excluded; loosen exclude=")
    return plan
