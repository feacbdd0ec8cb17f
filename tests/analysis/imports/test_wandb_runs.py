"""Runs of W&B become long tables: from a real offline run, from the client against a local server, from an export."""

import gzip
import http.server
import json
import threading
import time

import pandas as pd
import pytest
import wandb

from analysis.__main__ import main
from analysis.imports.mapping import convert
from analysis.imports.wandb_runs import offline
from tests.conftest import HANG_SECONDS

PLAN = """
columns: {model: model.name}
constants: {total_samples: 400}
measures:
  eval/gsm8k: {ability: math, task: gsm8k}
  final/ifeval: {ability: general, task: ifeval, scale: 0.01}
"""
RUNS = ((100, 0.2, 40.0), (400, 0.3, None))


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


def measured(frame):
    return sorted(zip(frame["ability"], frame["task"], frame["model"], frame["samples"], frame["value"], strict=True))


EXPECTED = [
    ("general", "ifeval", "m", 100.0, pytest.approx(0.4)),
    ("math", "gsm8k", "m", 100.0, pytest.approx(0.2)),
    ("math", "gsm8k", "m", 400.0, pytest.approx(0.3)),
]


def test_offline_runs_are_read_from_their_folder(tmp_path, plan, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    for number, (samples, score, rating) in enumerate(RUNS):
        config = {"model": {"name": "m", "layers": [1, 2]}, "samples": samples, "note": "x" * 40_000}
        run = wandb.init(project="p", name=f"run{number}", config=config, mode="offline", dir=tmp_path)
        for step in range(3):
            run.log({"eval/gsm8k": score * step / 2, "loss": 2.0 - step})
        if rating:
            run.summary["final/ifeval"] = rating
        run.finish()
    wait_until_written(tmp_path / "wandb", runs=2)
    imported = convert(tmp_path / "wandb", plan)
    assert measured(imported.table) == EXPECTED
    assert imported.remarks == ("1 row without a value left out",)
    # What the runs logged besides the measures, their names and their ids are no factors.
    assert set(imported.table) == {
        "ability", "task", "metric", "value", "model", "samples", "total_samples", "note",
    }  # fmt: skip
    files = {offline(file.parent).table["name"].item(): file for file in (tmp_path / "wandb").rglob("*.wandb")}
    files["run0"].write_bytes(files["run0"].read_bytes()[:-60])  # killed while it wrote
    imported = convert(tmp_path / "wandb", plan)
    assert set(imported.table["samples"]) == {400.0}
    assert imported.remarks[0] == "1 run not finished and left out: run0 (running)"
    files["run1"].write_bytes(files["run1"].read_bytes()[:-60])
    with pytest.raises(ValueError, match=r"holds no finished run: run[01] \(running\), run[01] \(running\)"):
        convert(tmp_path / "wandb", plan)


def wait_until_written(folder, runs):
    """W&B writes a run's last records after finish() has returned."""
    for _ in range(10 * int(HANG_SECONDS)):
        states = offline(folder).table["state"] if next(folder.rglob("*.wandb"), None) else []
        if list(states) == ["finished"] * runs:
            return
        time.sleep(0.1)
    pytest.fail("the runs were not written in time")


def node(number, query):
    """A run as the server gives it: only what the query asks for."""
    samples, score, rating = RUNS[number]
    summary = {"eval/gsm8k": score, "_step": 3} | ({"final/ifeval": rating} if rating else {})
    whole = {
        "config": json.dumps({"samples": {"value": samples}, "model": {"value": {"name": "m"}}}),
        "summaryMetrics": json.dumps(summary),
        "systemMetrics": "{}",
    }
    light = {
        "id": f"x{number}", "name": f"id{number}", "displayName": f"run{number}", "state": "finished", "tags": [],
        "sweepName": None, "group": None, "jobType": None, "commit": None, "readOnly": False, "notes": "",
        "createdAt": "2026-01-01T00:00:00Z", "heartbeatAt": "2026-01-01T00:00:00Z", "description": "",
        "historyLineCount": 3, "user": {"name": "u", "username": "u"}, "historyKeys": {"step": 3},
    }  # fmt: skip
    return light | {key: value for key, value in whole.items() if key in query}


class Server(http.server.BaseHTTPRequestHandler):
    """Answers the GraphQL queries with which the client lists the runs of a project and reads one of them."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path != "/graphql":  # telemetry
            return self.answer(404, {})
        asked = json.loads(body)
        query, about = asked["query"], asked.get("variables") or {}
        if "viewer" in query:
            return self.answer(200, {"viewer": {"id": "v", "entity": "e", "username": "u", "email": "", "flags": "{}"}})
        if about["project"] == "empty":
            found = {"runs": {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}, "runCount": 0}
        elif "runs(" in query:
            edges = [{"node": node(number, query), "cursor": str(number)} for number in range(len(RUNS))]
            found = {"runs": {"edges": edges, "pageInfo": {"endCursor": "1", "hasNextPage": False}}, "runCount": 2}
        else:
            found = {"run": node(int(about["name"].removeprefix("id")), query)}
        return self.answer(200, {"project": {"internalId": "UHJvamVjdEludGVybmFsSWQ6MQ==", "readOnly": False, **found}})

    def answer(self, status, data):
        text = json.dumps({"data": data}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


@pytest.fixture
def server(monkeypatch):
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{made.server_port}")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    yield made
    made.shutdown()


def test_the_client_reads_the_runs_of_a_project(server, plan, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frame = convert("wandb:entity/project", plan).table
    assert measured(frame) == EXPECTED
    assert main(["import", "from=wandb:entity/empty", "mapping=plan.yaml", "out=long.csv"]) == 2
    assert "wandb:entity/empty holds no run" in capsys.readouterr().err


def test_an_exported_table_takes_the_same_mapping(tmp_path, plan):
    rows = [
        {
            "Name": f"run{i}",
            "State": "finished",
            "model.name": "m",
            "samples": n,
            "eval/gsm8k": score,
            "final/ifeval": r,
        }
        for i, (n, score, r) in enumerate(RUNS)
    ]
    rows.append({"Name": "run9", "State": "crashed", "model.name": "m", "samples": 900, "eval/gsm8k": 0.9})
    pd.DataFrame(rows).to_csv(tmp_path / "export.csv", index=False)
    imported = convert(tmp_path / "export.csv", plan)
    assert measured(imported.table) == EXPECTED
    assert imported.remarks[0] == "1 run not finished and left out: run9 (crashed)"


def test_measures_that_are_absent_are_named(tmp_path, plan):
    pd.DataFrame({"model.name": ["m"], "eval/gsm8k": [0.1]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match="column 'final/ifeval' is absent; columns: model"):
        convert(tmp_path / "t.csv", plan)
