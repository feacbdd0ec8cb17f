"""What a sweep's name stands for: one set of cells, which may grow and shrinks only on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.config.cell import Cell
from sweep.plan.files import Files
from sweep.plan.plan import Plan, make
from sweep.results.saved_sweep import check_replacement, load, save
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
        ValueError, match=r"sweep s has 3 measured cells, .* drop 2 of them, such as cell0; .*name=NAME.*replace=true"
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


def test_a_sweep_that_cannot_be_read_may_be_written_anew(tmp_path: Path, cells: list[Cell]):
    store = Store(tmp_path)
    save(planned(store, *cells), store)
    (store.sweep("s") / "sweep.json").write_text("{")
    check_replacement(planned(store, cells[0]), store, replace=False)


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
