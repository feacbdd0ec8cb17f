"""A sweep that is being planned is listed, and named where its cells are asked for."""

import json
from pathlib import Path

import pytest

from sweep.cli.options import List
from sweep.cli.verbs import ls
from sweep.results.planning import FILE, announced, under_way
from sweep.results.saved_sweep import load
from sweep.stages.store import Store


def test_a_sweep_is_listed_while_it_is_planned(tmp_path: Path):
    store = Store(tmp_path)
    with announced(store, "s"):
        shown = ls(List(store=str(tmp_path)))
        assert shown.text.startswith("s: being planned by process ") and list(shown.record["being_planned"]) == ["s"]
        assert ls(List(store=str(tmp_path), name="s")) == shown
        with pytest.raises(ValueError, match=r"there is no sweep 'other'"):
            ls(List(store=str(tmp_path), name="other"))
        with pytest.raises(ValueError, match=r"sweep s is being planned by process .* once its samples are"):
            load(store, "s")
    assert ls(List(store=str(tmp_path))).text.startswith("no sweeps in ") and not list(tmp_path.glob("sweeps/*"))


def test_what_a_killed_process_left_does_not_count(tmp_path: Path):
    store = Store(tmp_path)
    with announced(store, "s"):
        file = store.sweep("s") / FILE
        own = json.loads(file.read_bytes())
        file.write_text(json.dumps(own | {"started": own["started"] - 1}))
        assert not under_way(store)
