"""The answers behind the numbers: each once, with its verdict, and marked where more data or a mixture changed it."""

import json

import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.data.sweep_folder import sweep_folders
from analysis.report import answers as module
from analysis.report.answers import BROKEN, FIXED, VERDICTS, answers

CELLS = {"few": (8, 8), "many": (64, 64), "mixed": (64, 128)}
"""Samples of math and of all abilities."""
RIGHT = {"few": "101", "many": "011", "mixed": "001"}
"""Which of three items each cell answers right."""


@pytest.fixture
def swept(tmp_path):
    """A sweep's folder in the format that sweeps write, with a score a cell."""
    folder = tmp_path / "sweeps" / "s"
    folder.mkdir(parents=True)
    cells = [{"label": name, "scores": {"gsm8k": {"ability": "math", "key": f"k{name}"}}} for name in CELLS]
    jobs = [{"key": f"k{name}", "kind": "score", "inputs": {}} for name in CELLS]
    (folder / "sweep.json").write_text(json.dumps({"cells": cells, "jobs": jobs}))
    for name, right in RIGHT.items():
        place = tmp_path / "score" / f"k{name}"
        place.mkdir(parents=True)
        rows = [
            {"id": f"i{i}", "item": f"i{i}", "prompt": f"ask {i}", "thought": "", "answer": f"say {i}", "gold": "4",
             "read": "4", "verdict": bit == "1", "reason": "read '4'"}
            for i, bit in enumerate(right)
        ]  # fmt: skip
        (place / "viewer.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [
        {"ability": "math", "task": "gsm8k", "metric": "accuracy", "value": 0.5, "n_items": 3, "cell": name,
         "samples": own, "total_samples": total, "model": "m", "seed": 0}
        for name, (own, total) in CELLS.items()
    ]  # fmt: skip
    return Study(pd.DataFrame(rows)), sweep_folders([folder / "table.csv"])


def marked(found, mark):
    return {(found.cells[row[0]], found.texts[row[2]]) for row in found.rows if row[8] & mark}


def test_answers_are_marked_where_more_data_or_a_mixture_changed_them(swept):
    found = answers(*swept)
    assert len(found.rows) == 9 and found.left_out == 0
    assert marked(found, FIXED) == {("many", "i1")}
    assert marked(found, BROKEN) == {("mixed", "i1")}
    assert [VERDICTS[row[7]] for row in found.rows if found.cells[row[0]] == "few"] == ["right", "wrong", "right"]


def test_a_text_is_kept_once(swept):
    assert len(answers(*swept).texts) == len({"i0", "i1", "i2", "ask 0", "ask 1", "ask 2"}) + 3 + len({"4", "read '4'"})


def test_beyond_what_the_page_holds_answers_are_left_out_and_counted(swept, monkeypatch):
    monkeypatch.setattr(module, "MOST", 6)
    found = answers(*swept)
    assert len(found.rows) == 6 and found.left_out == 3


def test_a_table_of_ones_own_has_no_answers(swept, tmp_path):
    assert answers(swept[0], sweep_folders([tmp_path / "t.csv"])) is None
