"""What json=true prints: one JSON object with the version of docs/records.md, and nothing beside it."""

import json

import numpy as np
import pytest

from analysis.records import VERSION, json_text, plain
from tests.analysis.running import run
from tests.conftest import ROOT


def test_missing_numbers_are_left_out_and_numpy_is_plain():
    record = {"a": np.float64("nan"), "b": np.array([1.0, np.inf]), "c": {"d": float("nan"), 2: np.int64(3)}, "e": None}
    assert plain(record) == {"b": [1.0, None], "c": {"2": 3}}
    assert json.loads(json_text({"b": (True, "x")})) == {"version": VERSION, "b": [True, "x"]}


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (("table=t.csv",), {"folder", "files", "answers", "verdicts", "notes", "audits"}),
        (("advise", "table=t.csv", "budget=6000"), {"best", "front", "checks", "notes", "run", "test"}),
        (("next", "table=t.csv", "quantity=math"), {"quantity", "cells"}),
        (("next", "table=t.csv", "quantity=math=60%"), {"quantity", "metric", "value", "series"}),
        (("fit", "table=t.csv", "x=samples", "y=value"), {"law", "params", "level", "points", "warnings"}),
    ],
)
def test_verbs_print_their_record(analysed, words, keys):
    record = json.loads(run(*words, "json=true", cwd=analysed[0]))
    assert record["version"] == VERSION and keys <= set(record)
    documented = (ROOT / "docs" / "records.md").read_text()
    assert [key for key in record if f"`{key}`" not in documented] == []
