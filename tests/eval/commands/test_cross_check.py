"""Our verdicts beside lm-eval's own on the same texts: its log of a small model trained on some of the questions."""

from __future__ import annotations

import json

import pytest

from common.rows import write_jsonl
from eval.__main__ import main
from eval.items.jsonl import read
from eval.spec.scores import ScoreSpec
from eval.stages import score
from tests.conftest import ROOT

SAMPLES = ROOT / "tests" / "golden" / "lmeval_samples.jsonl"


@pytest.fixture
def ours(tmp_path):
    """What our evaluation has of the same texts, their items at the places that lm-eval numbers."""
    rows = {row["doc_id"]: row for row in read(SAMPLES)}
    items = [rows[place]["doc"] if place in rows else {"question": "?", "answer": "#### 0"} for place in range(13)]
    said = [rows[place]["resps"][0][0] if place in rows else "" for place in range(13)]
    (tmp_path / "answers").mkdir()
    (tmp_path / "scores").mkdir()
    write_jsonl(tmp_path / "items.jsonl", items)
    told = [{"id": str(place), "text": text, "finish": "stop"} for place, text in enumerate(said)]
    write_jsonl(tmp_path / "answers" / "responses.jsonl", told)
    inputs = {"answers": tmp_path / "answers", "data": tmp_path / "items.jsonl"}
    score.run(ScoreSpec("gsm8k", "", None, 1, 128), inputs, tmp_path / "scores")
    return tmp_path


def test_rules_taken_over_agree_and_ours_differ_where_it_is_said(ours, capsys):
    assert main(["cross-check", f"samples={SAMPLES}", f"ours={ours}", f"out={ours}/apart.jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines[1:5]] == [
        "strict-match exact_match correct 2 1 0 5 8 of 8",
        "strict-match exact_match lmeval_strict 2 6 0 0 8 of 8",
        "flexible-extract exact_match correct 5 1 0 2 8 of 8",
        "flexible-extract exact_match lmeval_flexible 5 3 0 0 8 of 8",
    ]
    assert lines[5] == "5 of our 13 items are not among the samples"
    flexible = [line for line in lines if "flexible" in line and line.startswith("item")]
    assert flexible == [
        f"item {name}: we alone say right (flexible-extract exact_match read '${number}.00', correct '{number}')"
        for name, number in ((0, 540), (8, 280))
    ]
    apart = read(ours / "apart.jsonl")
    assert len(apart) == 7 and all(row["ours"]["right"] and not row["lm_eval"]["right"] for row in apart)


def test_other_texts_are_told(ours, capsys):
    rows = read(ours / "answers" / "responses.jsonl")
    rows[0]["text"] += " and more"
    write_jsonl(ours / "answers" / "responses.jsonl", rows)
    assert main(["cross-check", f"samples={SAMPLES}", f"ours={ours}"]) == 0
    said = capsys.readouterr().out
    assert "7 of 8" in said and "correct '540'); the texts differ" in said


def test_what_does_not_belong_together_is_refused(ours, tmp_path, capsys):
    foreign = json.loads(SAMPLES.read_text().splitlines()[0]) | {"doc_id": 99}
    write_jsonl(tmp_path / "samples_x.jsonl", [foreign])
    for samples, said in (
        (tmp_path, "item 99 is not among our items"),
        (tmp_path / "absent", "does not exist"),
        (ours / "scores", "holds 0 files samples_*.jsonl"),
    ):
        assert main(["cross-check", f"samples={samples}", f"ours={ours}"]) == 2
        assert said in capsys.readouterr().err
