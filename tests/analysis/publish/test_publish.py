"""Publishing sweeps to a server that stands in for W&B, and to files; reading back what was published."""

import json
import re

import pandas as pd
import pytest
import wandb

from analysis.data.table import read
from common.json_file import write_json
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.saved_sweep import load, save
from sweep.stages.store import Store
from tests.analysis.running import run, run_as_module
from tests.sweep.composing import cell
from tests.wandb_server import WandbServer

FRACTIONS = ("1/64", "1/16", "1/4", "1")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A sweep with scores that have all their digits, of which one cell is still missing."""
    made = Store(tmp_path_factory.mktemp("published") / "store")
    words = [("strategy=single", "ability=math", f"fraction={f}") for f in FRACTIONS] + [("strategy=dmt", "replay=1/4")]
    cells = [(",".join(w), cell(*w), dict(word.split("=") for word in w)) for w in words]
    save(make("s", cells, Files(made)), made)
    saved = load(made, "s")
    for number, one in enumerate(saved.cells):
        for stage in saved.stages(one):
            if stage.kind == "score" and number != 1:
                share = (37 + 41 * number) / 300
                metric = {
                    "metric": "accuracy",
                    "value": share,
                    "n_items": 300,
                    "stderr": (share * (1 - share) / 300) ** 0.5,
                }
                made.path(stage).mkdir(parents=True, exist_ok=True)
                write_json(made.path(stage) / "summary.json", {"metrics": [metric]})
    return made.root


@pytest.fixture
def server(monkeypatch, tmp_path):
    made = WandbServer()
    for name, value in {**made.start(), "WANDB_DATA_DIR": str(tmp_path), "WANDB_CACHE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    yield made
    wandb.teardown()
    made.stop()


def publish(store, folder, *words, code=0):
    return run("publish", "sweep=s", f"store={store}", "project=sft", *words, cwd=folder, code=code)


def the_same(one, other):
    pd.testing.assert_frame_equal(read(one), read(other), check_exact=True)


def test_a_half_finished_sweep_is_published_once_and_comes_back_to_the_last_digit(store, server, tmp_path):
    said = publish(store, tmp_path)
    sent = server.runs["analysis-s"]
    assert (sent.fields["jobType"], sent.fields["groupName"], sent.exit) == ("analysis", "s", 0)
    assert {"measurements", "verdicts", "decisions"} <= set(sent.summary)
    (report,) = [name for name in server.uploads if name.endswith("report.html")]
    assert server.uploads[report] == (store / "sweeps" / "s" / "analysis" / "report.html").read_bytes()
    assert {view["type"] for view in server.views} == {"project-view", "runs"}
    used = set(re.findall(r"lab/dosage-\w+", "".join(view["spec"] for view in server.views)))
    assert used == set(server.charts) != set()
    assert not server.unknown

    before = len(server.artifacts), len(server.uploads), len(server.views)
    again = publish(store, tmp_path)
    assert again == said.replace("run: ", "unchanged: ")
    assert (len(server.artifacts), len(server.uploads), len(server.views)) == before

    (address,) = re.findall(r"from=(\S+)", said)
    run("import", f"from={address}", "out=back.parquet", cwd=tmp_path)
    the_same(tmp_path / "back.parquet", store / "sweeps" / "s" / "table.parquet")
    said = run("import", "from=wandb:lab/sft/other", "out=b.csv", cwd=tmp_path, code=2)
    assert said.startswith("error: wandb:lab/sft/other cannot be read: Could not find run")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_dry_run_needs_no_key_and_comes_back_too(store, tmp_path, monkeypatch, ending):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nothing answers there
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    said = publish(store, tmp_path, "dry_run=true", "out=folder")
    folder = tmp_path / "folder"
    assert (
        said
        == f"{sum(file.is_file() for file in folder.rglob('*'))} files of run analysis-s in folder; nothing was sent\n"
    )
    run("import", "from=folder", f"out=back.{ending}", cwd=tmp_path)
    the_same(tmp_path / f"back.{ending}", store / "sweeps" / "s" / "table.parquet")
    described = json.loads((folder / "publish.json").read_text())
    assert described["group"] == "s" and described["config"]["sweeps"] == ["s"]


@pytest.mark.parametrize(("fault", "reason"), [("refuse", "401"), ("error", "Failed to verify credentials")])
def test_a_server_that_refuses_is_one_line_before_any_work(store, server, tmp_path, fault, reason):
    server.fault = fault
    said = publish(store, tmp_path, code=2)
    assert said.count("\n") == 1 and said.startswith("error: W&B cannot be used: ") and reason in said
    assert "dry_run=true" in said and not server.runs


def test_no_key_is_one_line_too(store, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    said = run_as_module("publish", "sweep=s", f"store={store}", cwd=tmp_path, code=2)
    assert said.splitlines()[-1].startswith("error: W&B cannot be used: No API key configured")


def test_only_what_was_published_is_imported_without_a_mapping(tmp_path):
    assert "from=x.csv needs mapping=FILE.yaml" in run("import", "from=x.csv", "out=b.csv", cwd=tmp_path, code=2)
