"""What a sweep's name stands for: one set of cells, which may grow and shrinks only on request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.cli.options import Garbage
from sweep.config.cell import Cell
from sweep.plan.files import Files
from sweep.plan.plan import Plan, make
from sweep.results import garbage
from sweep.results.saved_sweep import check_replacement, load, save, sweeps
from sweep.stages.store import Store
from tests.conftest import sweep
from tests.sweep.composing import cell


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return [cell(f"fraction={fraction}") for fraction in ("1/4", "1/2", "1")]


def measured(plan: Plan, store: Store) -> Plan:
    """The plan, with a folder for one score of each cell, as its finished stage leaves it."""
    for one in plan.cells:
        store.path(next(iter(one.scores.values()))).mkdir(parents=True, exist_ok=True)
    return plan


def planned(store: Store, *cells: Cell, name: str | None = "s") -> Plan:
    return make(name, [(f"cell{number}", one, {}) for number, one in enumerate(cells)], Files(store))


def test_the_same_plan_and_a_wider_one_may_be_saved_again(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path)
    save(planned(store, *cells[:2]), store)
    check_replacement(planned(store, *cells[:2]), store, replace=False)
    wider = planned(store, cells[2], *cells[:2])  # other labels, other order
    check_replacement(wider, store, replace=False)
    save(wider, store)
    assert len(load(store, "s").cells) == 3


def test_a_plan_that_drops_a_cell_names_it_and_needs_a_request(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path)
    save(measured(planned(store, *cells), store), store)
    with pytest.raises(
        ValueError, match=r"sweep s has 3 measured cells, .* drop 2 of them, such as cell0; give name=s2.*replace=true"
    ):
        check_replacement(planned(store, cells[2]), store, replace=False)
    check_replacement(planned(store, cells[2]), store, replace=True)
    check_replacement(planned(store, cells[2], name="other"), store, replace=False)


def test_cells_without_a_score_may_go(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path)
    save(planned(store, *cells), store)
    measured(planned(store, cells[0]), store)
    check_replacement(planned(store, cells[0]), store, replace=False)
    with pytest.raises(ValueError, match=r"has 1 measured cell, .* such as cell0"):
        check_replacement(planned(store, *cells[1:]), store, replace=False)


def test_unnamed_plans_share_a_name_only_when_they_are_equal(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path)
    names = [planned(store, *some, name=None).name for some in (cells, cells[:2], reversed(cells))]
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("run-") for name in names)


@pytest.mark.parametrize("name", ["a/b", "../evil", "..", ".", "", "-x", ".hidden", "a b", "a\nb", "ä", "/tmp/x"])
def test_a_name_that_is_no_plain_folder_name_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="cannot name a sweep"):
        Store(tmp_path).sweep(name)
    with pytest.raises(ValueError, match="cannot name a sweep"):
        cell(f"name='{name}'" if name.strip() else "name=''")


@pytest.mark.parametrize("name", ["data_amount", "run-1a2b", "v1.2", "_x", "7B"])
def test_plain_names_are_taken(tmp_path: Path, name: str):
    assert Store(tmp_path).sweep(name) == tmp_path / "sweeps" / name


def test_commands_refuse_such_names_and_a_plan_that_would_drop_cells(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path / "store")
    save(measured(planned(store, *cells), store), store)
    for words in (["-m", "fraction=1/4", "name=../evil"], ["ls", "name=../evil"], ["collect", "name=a/b"]):
        ended = sweep(*words, store=store.root)
        assert ended.returncode == 2 and "cannot name a sweep" in ended.stderr and ended.stderr.count("\n") == 1
    for words, where in ((["name=s", "fraction=1/4", "seed=7"], 2), (["name=s", "seed=7", "dry_run=true"], 0)):
        ended = sweep(*words, store=store.root)
        assert ended.returncode == where
        assert "this command would drop 3 of them, such as cell0" in ended.stdout + ended.stderr
    assert len(load(store, "s").cells) == 3
    assert not list(tmp_path.rglob("stage.json"))


def published(plan: Plan, store: Store) -> Plan:
    """The plan, with every stage as its worker would leave it, as far as gc looks, and a table."""
    for stage in plan.stages:
        store.path(stage).mkdir(parents=True, exist_ok=True)
        (store.path(stage) / "stage.json").touch()
    (store.sweep(plan.name) / "table.csv").write_text(f"{len(plan.cells)} cells\n")
    return plan


def test_what_is_replaced_stays_with_its_table_until_it_is_given_up(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path)
    for some in (cells[:1], cells[:2], cells[2:], cells[1:2]):  # grows once, is replaced twice
        plan = planned(store, *some)
        save(plan, store)
        published(plan, store)
    tables = {path.parent.name: path.read_text() for path in store.sweep("s").glob("replaced/*/table.csv")}
    assert tables == {"1": "2 cells\n", "2": "1 cells\n"}
    assert (store.sweep("s") / "table.csv").exists() and sweeps(store) == ["s"]
    assert garbage.unused(store).paths == ()
    given_up = garbage.unused(store, "s").paths
    assert given_up[0] == store.sweep("s") / "replaced"
    kept = {store.path(stage) for stage in planned(store, cells[1]).stages}
    everything = {store.path(stage) for stage in planned(store, *cells).stages}
    assert set(given_up[1:]) == everything - kept
    garbage.remove(store, garbage.unused(store, "s"))
    assert len(load(store, "s").cells) == 1 and garbage.unused(store, "s").paths == ()


def test_a_sweep_that_another_version_planned_is_kept_too(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path)
    save(planned(store, cells[0]), store)
    published(planned(store, cells[0]), store)
    file = store.sweep("s") / "sweep.json"
    file.write_text(file.read_text().replace(planned(store, cells[0]).cells[0].scores["gsm8k"].key, "0" * 16))
    (tmp_path / "score" / ("0" * 16)).mkdir()
    save(planned(store, *cells), store)
    assert (store.sweep("s") / "replaced" / "1" / "table.csv").exists()


def test_an_unmeasured_sweep_is_written_anew(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path)
    save(planned(store, cells[0]), store)
    save(planned(store, cells[1]), store)
    assert not (store.sweep("s") / "replaced").exists()


SPOILED: dict[str, Callable[[Path], object]] = {
    "cut off": lambda file: file.write_text(file.read_text()[:-20]),
    "no keys": lambda file: file.write_text('{"cells": [], "jobs": [{"kind": "score"}]}'),
    "a folder": lambda file: (file.unlink(), file.mkdir(), (file / "x").touch()),
    "lost": lambda file: file.unlink(),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_a_sweep_that_cannot_be_read_is_kept_with_its_stages(tmp_path: Path, cells: list[Cell], spoil):
    store = Store(tmp_path)
    assert not check_replacement(planned(store, cells[1]), store, replace=False)
    save(planned(store, cells[0]), store)
    published(planned(store, cells[0]), store)
    spoil(store.sweep("s") / "sweep.json")
    note = check_replacement(planned(store, cells[1]), store, replace=False)
    assert note.startswith(str(store.sweep("s"))) and note.endswith(f"gc name=s store={tmp_path}")
    save(planned(store, cells[1]), store)
    assert not check_replacement(planned(store, cells[1]), store, replace=False)
    assert (store.sweep("s") / "replaced" / "1" / "table.csv").read_text() == "1 cells\n"
    kept = garbage.unused(store)
    assert kept.paths == () and kept.kept[0].endswith(f"give it up with: python -m sweep gc name=s store={tmp_path}")
    everything = {store.path(stage) for stage in planned(store, cells[0]).stages}
    used = {store.path(stage) for stage in planned(store, cells[1]).stages}
    assert set(garbage.unused(store, "s").paths[1:]) == everything - used


def test_gc_takes_the_name_of_a_sweep_of_the_store(tmp_path: Path, cells: list[Cell]):
    save(planned(Store(tmp_path), cells[0]), Store(tmp_path))
    assert Garbage(store=str(tmp_path), name="s").name == "s"
    for options in ({"name": "t"}, {"name": "s", "damaged": True}):
        with pytest.raises(ValueError, match="give a sweep of the store"):
            Garbage(store=str(tmp_path), **options)
