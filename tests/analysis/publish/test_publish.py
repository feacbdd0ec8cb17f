"""Publishing sweeps to a server that stands in for W&B, and to files; reading back what was published."""

import json
import re
import shlex
import signal
import subprocess

import pandas as pd
import pytest
import wandb

from analysis.data.reading import read
from analysis.publish.send import connect, is_there
from analysis.publish.sender import Sender
from common.json_file import write_json
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.saved_sweep import load, save
from sweep.stages.store import Store
from tests.analysis.running import run, run_as_module
from tests.conftest import HANG_SECONDS, ROOT
from tests.sweep.composing import cell
from tests.wandb_server import WandbServer

pytestmark = pytest.mark.slow

FRACTIONS = ("1/64", "1/16", "1/4", "1")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two sweeps with scores that have all their digits, of which one cell each is still missing."""
    made = Store(tmp_path_factory.mktemp("published") / "store")
    amounts = [("strategy=single", "ability=math", f"fraction={f}") for f in FRACTIONS]
    plan_with_scores(made, "data_amount", [*amounts, ("strategy=dmt", "replay=1/4")])
    plan_with_scores(made, "mixture", [("strategy=multitask", f"fraction={f}") for f in FRACTIONS])
    return made.root


def plan_with_scores(store, name, words):
    """A sweep of cells with these words, all measured but the second."""
    cells = [(",".join(own), cell(*own), dict(word.split("=") for word in own)) for own in words]
    save(make(name, cells, Files(store)), store)
    saved = load(store, name)
    for number, one in enumerate(saved.cells):
        share = (37 + 41 * number) / 300
        metric = {"metric": "accuracy", "value": share, "n_items": 300, "stderr": (share * (1 - share) / 300) ** 0.5}
        for stage in saved.stages(one) if number != 1 else ():
            if stage.kind == "score":
                store.path(stage).mkdir(parents=True, exist_ok=True)
                write_json(store.path(stage) / "summary.json", {"metrics": [metric]})


@pytest.fixture
def server(monkeypatch, tmp_path):
    made = WandbServer()
    for name, value in {**made.start(), "WANDB_DATA_DIR": str(tmp_path), "WANDB_CACHE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    yield made
    wandb.teardown()
    made.stop()


def publish(store, folder, *words, code=0):
    return run("publish", "sweep=data_amount", f"store={store}", "project=sft", *words, cwd=folder, code=code)


def the_same(one, other):
    pd.testing.assert_frame_equal(read(one), read(other), check_exact=True)


def test_a_half_finished_sweep_is_published_once_and_comes_back_to_the_last_digit(store, server, tmp_path):
    said = publish(store, tmp_path)
    sent = server.runs["analysis-data_amount"]
    assert (sent.fields["jobType"], sent.fields["groupName"], sent.exit) == ("analysis", "data_amount", 0)
    assert {"measurements", "verdicts", "decisions"} <= set(sent.summary)
    (report,) = [name for name in server.uploads if name.endswith("report.html")]
    assert server.uploads[report] == (store / "sweeps" / "data_amount" / "analysis" / "report.html").read_bytes()
    assert {view["type"] for view in server.views} == {"project-view", "runs"}
    used = set(re.findall(r"lab/dosage-\w+", "".join(view["spec"] for view in server.views)))
    assert used == set(server.charts) != set()
    assert not server.unknown

    before = len(server.artifacts), len(server.uploads), len(server.views)
    again = publish(store, tmp_path)
    assert again == said.replace("run: ", "unchanged: ")
    assert (len(server.artifacts), len(server.uploads), len(server.views)) == before

    described = {"id": "analysis-data_amount", "tables": ["measurements", "verdicts"]}
    assert is_there(*connect("", "sft"), described)
    (table,) = [name for name in server.uploads if name.endswith(sent.summary["verdicts"]["path"])]
    lost = server.uploads.pop(table)
    assert not is_there(*connect("", "sft"), described)
    server.uploads[table] = lost

    (address,) = re.findall(r"from=(\S+)", said)
    run("import", f"from={address}", "out=back.parquet", cwd=tmp_path)
    the_same(tmp_path / "back.parquet", store / "sweeps" / "data_amount" / "table.parquet")
    said = run("import", "from=wandb:lab/sft/other", "out=b.csv", cwd=tmp_path, code=2)
    assert said.startswith("error: wandb:lab/sft/other cannot be read: Could not find run")


def test_a_step_that_takes_too_long_ends_in_one_line_and_leaves_no_process(monkeypatch):
    monkeypatch.setattr("analysis.publish.sender.SECONDS", 0.1)
    words = ["sh", "-c", "(sleep 20; echo late) & echo; wait"]
    silent = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, start_new_session=True)
    silent.stdout.readline()
    with pytest.raises(ValueError, match=r"^W&B cannot be used: the server did not answer within 0 s; set WANDB"):
        Sender(silent)
    assert silent.wait(HANG_SECONDS) == -signal.SIGKILL
    assert silent.stdout.read() == ""  # which ends once no process has the other end


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_dry_run_needs_no_key_and_comes_back_too(store, tmp_path, monkeypatch, ending):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nothing answers there
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    said = publish(store, tmp_path, "dry_run=true", "out=folder")
    folder = tmp_path / "folder"
    assert (
        said == f"{sum(file.is_file() for file in folder.rglob('*'))} files of run analysis-data_amount in folder; "
        "nothing was sent\n"
    )
    run("import", "from=folder", f"out=back.{ending}", cwd=tmp_path)
    the_same(tmp_path / f"back.{ending}", store / "sweeps" / "data_amount" / "table.parquet")
    described = json.loads((folder / "publish.json").read_text())
    assert described["group"] == "data_amount" and described["config"]["sweeps"] == ["data_amount"]


@pytest.mark.parametrize(("fault", "reason"), [("refuse", "401"), ("error", "Failed to verify credentials")])
def test_a_server_that_refuses_is_one_line_before_any_work(store, server, tmp_path, fault, reason):
    server.fault = fault
    said = publish(store, tmp_path, code=2)
    assert said.count("\n") == 1 and said.startswith("error: W&B cannot be used: ") and reason in said
    assert "dry_run=true" in said and not server.runs


def test_no_key_is_one_line_too(store, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    said = run_as_module("publish", "sweep=data_amount", f"store={store}", cwd=tmp_path, code=2)
    assert said.splitlines()[-1].startswith("error: W&B cannot be used: No API key configured")


def test_the_five_minutes_of_the_docs(store, server, tmp_path):
    """Every command of Dosage in that part of docs/wandb.md, in its order."""
    page = (ROOT / "docs" / "wandb.md").read_text(encoding="utf-8")
    part = page.partition("## Compare curves in five minutes")[2].partition("\n## ")[0]
    commands = [shlex.split(line) for line in re.findall(r"^python -m analysis (.*)$", part, re.MULTILINE)]
    assert [words[0] for words in commands] == ["publish"] * 3 + ["import"] * 2
    for words in commands:
        run(*words, cwd=tmp_path, DOSAGE_STORE=str(store))
    the_same(tmp_path / "table.parquet", store / "sweeps" / "data_amount" / "table.parquet")
    the_same(tmp_path / "table.csv", store / "sweeps" / "data_amount" / "table.parquet")
    (both,) = {name for name in server.runs if name not in ("analysis-data_amount",)}
    assert server.runs[both].config["sweeps"] == ["data_amount", "mixture"]
    assert "Amounts and mixtures" in {view["displayName"] for view in server.views}


def test_only_what_was_published_is_imported_without_a_mapping(tmp_path):
    assert "from=x.csv needs mapping=FILE.yaml" in run("import", "from=x.csv", "out=b.csv", cwd=tmp_path, code=2)
