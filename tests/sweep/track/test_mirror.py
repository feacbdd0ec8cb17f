"""A sweep with tracker=wandb: what W&B has of it, once and for all, and what is left where W&B fails."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import HANG_SECONDS, MATH_ALONE, command, sweep
from tests.sweep.stages.processes import family, send
from tests.sweep.track.conftest import NAME, WORDS, Tracked, content, metrics, report_of, start_mirror
from tests.wandb_server import WandbServer

pytestmark = pytest.mark.slow


def table(store: Path) -> list[dict[str, str]]:
    with (store / "sweeps" / NAME / "table.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_cell_is_a_run_with_all_scores_of_the_table(tracked: Tracked):
    runs = tracked.server.of_group(NAME, "score")
    rows = table(tracked.store)
    assert set(runs) == {row["cell"] for row in rows}
    for row in rows:
        run, name = runs[row["cell"]], f"{row['ability']}/{row['task']}/{row['metric']}"
        (logged,) = [line for line in run.history if line["after_stage"] == float(row["after_stage"])]
        assert logged[name] == float(row["value"])
        assert (logged["tokens"], logged["samples"]) == (int(row["tokens"]), int(row["presentations"]))
        if row["after_stage"] == row["last_stage"]:
            assert run.summary[name] == float(row["value"])
            assert run.summary[f"{name}/stderr"] == float(row["stderr"])
            assert run.summary[f"{name}/n_items"] == int(row["n_items"])
            assert run.summary[f"{name}/low"] <= float(row["value"]) <= run.summary[f"{name}/high"]
    assert sorted(len(run.history) for run in runs.values()) == [1, 2, 6]
    seen = {float(row["after_stage"]): int(row["presentations"]) for row in rows if "strategy=single" in row["cell"]}
    assert (seen[0.5], seen[1.0]) == (16, 18)  # after the second of three steps


def test_a_cell_has_its_axes_as_typed_values(tracked: Tracked):
    runs = tracked.server.of_group(NAME, "score")
    (run,) = [run for name, run in runs.items() if "strategy=sequential,fraction=1/16" in name]
    axes = {name: run.config[name] for name in ("strategy", "fraction", "fraction_text", "seed", "params")}
    assert axes == {"strategy": "sequential", "fraction": 0.0625, "fraction_text": "1/16", "seed": 0, "params": 51296}
    assert set(run.fields["tags"]) == {"strategy=sequential", "fraction=1/16"}
    assert run.step_metrics["*"] == "samples"


def test_every_training_is_a_run_with_all_its_steps(tracked: Tracked):
    stages = {folder.name: folder for folder in (tracked.store / "train").iterdir()}
    runs = {name: run for name, run in tracked.server.runs.items() if not name.startswith("cell-")}
    assert runs.keys() == stages.keys()
    for key, folder in stages.items():
        run = runs[key]
        assert run.history == metrics(folder)
        assert (run.fields["groupName"], run.fields["jobType"], run.exit) == (NAME, "train", 0)
        assert run.step_metrics["*"] == "tokens"
        assert run.config["stage"]["recipe"]["learning_rate"] > 0
        assert run.summary["tokens_per_second"] > 0 and 0.1 < run.summary["peak_memory_gib"] < 16
    (base,) = [run for run in runs.values() if "base" in run.fields["displayName"]]
    assert "fraction" not in base.config and "seed" in base.config  # all its cells agree on the seed alone


def test_the_command_says_what_it_sent_and_the_next_one_sends_nothing(tracked: Tracked):
    sent = len(tracked.server.runs)
    (line,) = [line for line in tracked.printed.splitlines() if "W&B" in line]
    assert line == f"W&B: {sent} runs sent to {tracked.server.url}/dosage, group {NAME}"
    before = list(tracked.server.operations)
    again = sweep(*WORDS, store=tracked.store, **tracked.server.environment)
    assert again.returncode == 0 and "W&B" not in again.stdout + again.stderr
    assert tracked.server.operations == before


def sync(store: Path, server: WandbServer) -> None:
    """Upload offline runs as the command of the sweep says."""
    subprocess.run(
        [Path(sys.executable).with_name("wandb"), "sync", "--yes"], check=True, capture_output=True,
        timeout=HANG_SECONDS, env={**os.environ, **server.environment, "WANDB_DIR": str(store)}, cwd=store,
    )  # fmt: skip


def test_offline_runs_hold_the_same(tracked: Tracked, unsent: Path, server: WandbServer, tmp_path: Path):
    offline = {"NETRC": str(tmp_path / "absent"), "WANDB_BASE_URL": server.url}  # no key
    ended = sweep("collect", f"name={NAME}", store=unsent, **offline)
    assert f"{len(tracked.server.runs)} offline runs in {unsent}/wandb; upload with: " in ended.stdout
    folders = sorted(unsent.glob("wandb/offline-run-*"))
    assert "W&B" not in sweep("collect", f"name={NAME}", store=unsent, **offline).stdout
    assert sorted(unsent.glob("wandb/offline-run-*")) == folders
    assert not list(unsent.glob("wandb/latest-run"))  # `wandb sync` would upload the run behind it twice
    assert not server.operations
    sync(unsent, server)
    assert content(server.runs) == content(tracked.server.runs)


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
def test_a_sweep_that_is_killed_loses_and_doubles_no_step(online: bool, tmp_path: Path, server: WandbServer):
    store = tmp_path / "store"
    words = [*WORDS, *MATH_ALONE, "strategy=single", "fraction=1", "recipe.epochs=20", "engine.checkpoint_steps=7"]
    environment = server.environment if online else {"WANDB_MODE": "offline"}
    process = command(*words, store=store, **environment)
    deadline = time.monotonic() + HANG_SECONDS
    while not _in_the_middle(store):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    send(signal.SIGKILL, reversed(family(process.pid)), lambda pid, sent: os.killpg(os.getpgid(pid), sent))
    process.communicate()
    ended = sweep(*words, store=store, **environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    if not online:
        sync(store, server)
    stages = {folder.name: folder for folder in (store / "train").iterdir()}
    for key, folder in stages.items():
        assert server.runs[key].history == metrics(folder)


def _in_the_middle(store: Path) -> bool:
    """Whether the fine-tuning has taken some steps, of which the last are beyond its resume point."""
    files = [path for path in store.glob("partial/train-*/metrics.jsonl") if (store / "train").exists()]
    with suppress(FileNotFoundError):  # a stage may be published between the look and the reading
        return any(len(path.read_text().splitlines()) % 7 > 2 for path in files)
    return False


@pytest.mark.parametrize("fault", ["hang", "hang after init", "error", "refuse", "refuse after init"])
def test_what_a_failing_server_did_not_take_is_sent_later(
    fault: str, tracked: Tracked, unsent: Path, server: WandbServer
):
    server.fault = fault
    failed = report_of(start_mirror(unsent, server))
    assert failed["problem"].startswith(f"{server.url}/dosage: ")
    assert failed["missing"] == len(tracked.server.runs) and not failed["new"]
    server.fault = ""
    assert report_of(start_mirror(unsent, server))["new"] == failed["missing"]
    assert content(server.runs) == content(tracked.server.runs)


def test_a_server_killed_in_mid_run_changes_nothing_but_one_line(tracked: Tracked, tmp_path: Path):
    server, store = WandbServer(), tmp_path / "store"
    process = command(*WORDS, store=store, **server.start())
    deadline = time.monotonic() + HANG_SECONDS
    while not any(run.history for run in list(server.runs.values())):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    server.stop()
    out, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0, err + out
    assert table(store) == table(tracked.store)
    (line,) = [line for line in (out + err).splitlines() if "W&B" in line]
    assert f" of {len(tracked.server.runs)} runs are there" in line
    assert line.endswith(f"send the rest with: python -m sweep collect name={NAME} store={store}")


def test_two_mirrors_at_once_send_each_run_once(tracked: Tracked, unsent: Path, server: WandbServer):
    mirrors = [start_mirror(unsent, server) for _ in range(2)]
    reports = [report_of(mirror) for mirror in mirrors]
    assert not any(report["problem"] for report in reports)
    assert sum(report["new"] for report in reports) == len(tracked.server.runs)
    assert server.operations.count("RunResumeStatus") == len(tracked.server.runs)


def test_answers_are_shown_on_request(tracked: Tracked, unsent: Path, server: WandbServer):
    file = unsent / "sweeps" / NAME / "sweep.json"
    saved = json.loads(file.read_text())
    file.write_text(json.dumps(saved | {"tracker": saved["tracker"] | {"items": 3}}))
    assert not report_of(start_mirror(unsent, server))["problem"]
    run = next(run for run in server.runs.values() if run.fields["jobType"] == "score")
    shown = run.summary["answers/gsm8k"]
    (stored,) = [own for place, own in server.uploads.items() if place.endswith(shown["path"]) and run is not None][:1]
    answers = json.loads(stored)
    assert len(answers["data"]) == 3
    assert {"prompt", "answer", "gold", "verdict"} <= set(answers["columns"])
    assert not any(one.startswith("answers/") for own in tracked.server.runs.values() for one in own.summary)
