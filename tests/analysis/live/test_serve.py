"""The report of a sweep, served while its scores arrive."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from analysis.live.server import Shown
from analysis.live.watch import PLANNED, Watched, look
from common.json_file import write_json
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.planning import announced
from sweep.results.saved_sweep import load, save
from sweep.stages.store import Store
from tests.analysis.running import run
from tests.conftest import HANG_SECONDS, ROOT
from tests.sweep.composing import cell

FRACTIONS = ("1/16", "1/4", "1")


@pytest.fixture
def store(store_path):
    """A store with a planned sweep, none of which has run."""
    made = Store(store_path)
    cells = [(f"fraction={f}", cell("ability=math", f"fraction={f}"), {"fraction": f}) for f in FRACTIONS]
    save(make("s", cells, Files(made)), made)
    return made


def publish_scores(store, fractions):
    """Put scores into the store as the worker does: a finished folder in one rename."""
    saved = load(store, "s")
    for number, one in enumerate(saved.cells):
        if one.label.partition("=")[2] not in fractions:
            continue
        for stage in saved.stages(one):
            if stage.kind != "score" or store.path(stage).exists():
                continue
            scratch = store.root / "scratch"
            scratch.mkdir(parents=True)
            metric = {"metric": "accuracy", "value": 0.2 + 0.1 * number, "n_items": 50, "stderr": 0.06}
            write_json(scratch / "summary.json", {"metrics": [metric]})
            store.path(stage).parent.mkdir(exist_ok=True)
            scratch.rename(store.path(stage))


@contextmanager
def served(store):
    """The address of a server of the sweep, and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "analysis", "serve", "sweep=s", f"store={store.root}", "port=0"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/", line) or [pytest.fail(line + process.stderr.read())]
        yield address, process
    finally:
        process.kill()
        process.communicate()


def get(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=HANG_SECONDS) as answer:
        return answer.read().decode()


def wait_for(address, text):
    """The page once it holds ``text``."""
    limit = time.monotonic() + HANG_SECONDS
    while time.monotonic() < limit:
        if text in (page := get(address)):
            return page
        time.sleep(0.2)
    return pytest.fail(f"no {text!r} in {page}")


def begin_training(store):
    """Put the log of a training that runs into the store, its last line half written."""
    (stage,) = [stage for stage in load(store, "s").stages(load(store, "s").cells[-1]) if stage.kind == "train"][-1:]
    folder = store.partial(stage, "someone")
    folder.mkdir(parents=True)
    rows = [{"step": n, "tokens": 100 * n, "loss": 3.0 / n, "loss/math": 3.0 / n} for n in (1, 2, 3)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 4, "tok')


def test_a_running_sweep_is_shown_as_new_as_its_scores(store):
    begin_training(store)
    with served(store) as (address, process):
        page = wait_for(address, "The report comes with the first scores.")
        state = re.findall("s: 3 cells, [^<\n]*", page)[0]
        assert state.startswith("s: 3 cells, 2 waiting, 1 interrupted; go on with: python -m sweep retry name=s")
        assert "fraction=1 (not ended)" in page and "<td>300</td>" in page, "tokens of the last whole line"
        before = json.loads(get(f"{address}state"))
        publish_scores(store, FRACTIONS[:1])
        assert "<h1>s</h1>" in wait_for(address, "Report of ")
        first = json.loads(get(f"{address}state"))
        assert first["version"] != before["version"]
        publish_scores(store, FRACTIONS)
        page = wait_for(address, "from 3 cells")
        assert page.count("</body>") == 1 and '<a href="/training">' in page
        assert "fraction=1 (not ended)" in get(f"{address}training")
        assert json.loads(get(f"{address}verdicts.json"))["verdicts"] is not None  # what lies beside the page
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=HANG_SECONDS) == ("stopped\n", "")
        assert process.returncode == 0


def test_a_sweep_that_is_being_planned_has_a_page_that_says_so(store_path):
    watched = Watched(["s"], store_path, store_path / "none", "s", lambda: pytest.fail("there is nothing to analyse"))
    with announced(Store(store_path), "s"):
        shown = look(watched, Shown("", ""), "", changed=True)
    assert PLANNED in shown.page and shown.line.startswith("s: being planned by process ")
    gone = look(watched, shown, "", changed=False)
    assert "Nothing to show: there is no sweep &#x27;s&#x27; in" in gone.page and not gone.line


@pytest.mark.parametrize(("path", "host", "status"), [("", "evil.example", 403), ("../sweep.json", "localhost", 404),
                                                      ("figures/", "localhost", 404)])  # fmt: skip
def test_only_the_analysis_is_served_and_only_to_this_machine(store, path, host, status):
    with served(store) as (address, _), pytest.raises(urllib.error.HTTPError) as refused:
        get(address + path, Host=host)
    assert refused.value.code == status


def test_mistakes_are_named_before_anything_is_served(store, tmp_path):
    assert "there is no sweep 'other'" in run("serve", "sweep=other", f"store={store.root}", cwd=tmp_path, code=2)
    with served(store) as (address, _):
        taken = address.rstrip("/").rpartition(":")[2]
        said = run("serve", "sweep=s", f"store={store.root}", f"port={taken}", cwd=tmp_path, code=2)
    assert said == f"error: port={taken} is in use; give another, or port=0 for any that is free\n"
    assert "port=70000 cannot be used" in run(
        "serve", "sweep=s", f"store={store.root}", "port=70000", cwd=tmp_path, code=2
    )
