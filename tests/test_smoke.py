"""The whole way on the real thing: a 2 x 2 multirun, its table, and fitted curves in a report that opens from disk."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sweep.launch.states import cell_states
from sweep.results.items import COLUMNS
from sweep.results.items import write as write_items
from sweep.results.saved_sweep import load
from sweep.stages.store import Store
from tests.conftest import HANG_SECONDS, ROOT, TINY, sweep

pytestmark = pytest.mark.slow
CELLS = ["-m", "name=smoke", "keep=scores", "ability=math,general", "fraction=1/16,1/4,1", *TINY]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("smoke") / "store"
    ended = sweep(*CELLS, store=store)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return store


@pytest.fixture(scope="module")
def analysed(store: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "analysis", "sweep=smoke", f"store={store}"],
        cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_table_holds_every_ability_of_every_cell(store: Path):
    table = pd.read_parquet(store / "sweeps" / "smoke" / "table.parquet")
    assert table.equals(pd.read_csv(store / "sweeps" / "smoke" / "table.csv").astype(table.dtypes.to_dict()))
    losses = table[table.metric == "loss"].pivot(index="cell", columns="ability", values="value")
    assert losses.shape == (6, 3)
    assert losses.notna().all().all()


def test_models_are_gone_and_what_they_were_trained_on_is_known(store: Path):
    """``keep=scores``; the base stays."""
    assert len(list(store.glob("train/*"))) == 1 and len(list(store.glob("spent/train/*"))) == 6
    table = pd.read_csv(store / "sweeps" / "smoke" / "table.csv")
    assert (table["tokens"] > 0).all() and table["machine"].notna().all()
    states = cell_states(load(Store(store), "smoke"), Store(store), {})
    assert [one.state for one in states] == ["done"] * 6


def test_the_items_behind_every_measurement_add_up_to_it(store: Path):
    folder = store / "sweeps" / "smoke"
    table, items = pd.read_parquet(folder / "table.parquet"), pd.read_parquet(folder / "items.parquet")
    assert tuple(items) == COLUMNS
    names = ["cell", "ability", "task", "metric"]
    weighted = items.assign(total=items["value"] * items["weight"]).groupby(names, observed=True)[["total", "weight"]]
    mean = weighted.sum().eval("total / weight").rename("mean").reset_index()
    both = table[table["metric"].isin(("accuracy", "loss"))].merge(mean.astype(dict.fromkeys(names, str)), on=names)
    assert len(both) == 6 * 6
    assert both["mean"].to_numpy() == pytest.approx(both["value"].to_numpy())
    assert (table["hours"] > 0).all()


def test_scores_from_before_item_rows_were_written_give_the_same_items(store: Path, tmp_path: Path):
    earlier = Store(Path(shutil.copytree(store, tmp_path / "store")))
    rows = list(earlier.root.glob("score/*/items.jsonl"))
    assert len(rows) == 6 * 6
    for file in rows:
        file.unlink()
    items = earlier.root / "sweeps" / "smoke" / "items.parquet"
    items.unlink()
    write_items(load(earlier, "smoke"), earlier)
    assert pd.read_parquet(items).equals(pd.read_parquet(store / "sweeps" / "smoke" / "items.parquet"))


def test_a_row_says_what_it_takes_to_run_its_cell_again(store: Path):
    table = pd.read_csv(store / "sweeps" / "smoke" / "table.csv")
    (settings,) = table["settings"].unique()
    assert shlex.split(settings) == TINY
    assert table["cell"].iloc[0].startswith("ability=math,fraction=1/16,data.sources.code.held_out_rows=12,")


def test_scores_come_with_what_the_training_data_holds_of_the_items(store: Path):
    table = pd.read_csv(store / "sweeps" / "smoke" / "table.csv")
    clean = table[table.metric == "accuracy_clean"].set_index(["cell", "task"])["n_items"]
    held = table[table.metric == "contaminated_rate"].set_index(["cell", "task"])["value"]
    assert len(held) == 18 and (clean <= 12 * (1 - held) + 1e-9).all()
    pairs = pd.read_csv(store / "sweeps" / "smoke" / "overlap.csv")
    assert len(pairs) == 3 * 5 and (pairs["whole"] == 0).all() and (pairs["items"] == 12).all()


def test_training_on_an_ability_lowers_its_loss(store: Path):
    table = pd.read_csv(store / "sweeps" / "smoke" / "table.csv")
    for ability in ("math", "general"):
        own = table[(table.metric == "loss") & (table.ability == ability) & (table.train_samples > 0)]
        values = own.sort_values("train_samples")["value"].to_list()
        assert len(values) == 3
        assert values[0] > values[-1]


def test_curves_are_fitted_and_reported(store: Path, analysed: str):
    report = Path(next(line.split("report: ")[1] for line in analysed.splitlines() if line.startswith("report: ")))
    assert report.is_relative_to(store)
    page = report.read_text()
    assert "default-src 'none'" in page  # opens from disk; tests/analysis/report/test_browser.py sees it ask no host
    assert "math" in analysed
    assert "nats" in (report.parent / "table.txt").read_text()
    assert list(report.parent.rglob("*.svg"))


def test_the_report_says_what_the_stages_ran_on(store: Path, analysed: str):
    report = store / "sweeps" / "smoke" / "analysis"
    record = json.loads((report / "provenance.json").read_text())
    swept = record["sweeps"]["smoke"]
    assert swept["cells"] == 6 and len(swept["keys"]) == 6
    assert swept["hours_spent"] > 0 and swept["hours_planned"] > 0 and swept["device_hours_planned"] > 0
    assert swept["device_hours_spent"] == pytest.approx(swept["hours_spent"]), "one process a stage"
    assert sum(swept["machines"].values()) + swept["stages_without_record"] == sum(swept["stages"].values())
    assert any("torch" in versions for versions in swept["libraries"])
    (command,) = record["sweep"]
    assert "ability=math,general" in command and "fraction=1/16,1/4,1" in command
    page = (report / "report.html").read_text()
    assert command in page.replace("&#x27;", "'") and record["analysis"] in page
