"""Answers of another engine are scored as our own are, whatever wrote them."""

from __future__ import annotations

import json
import zipfile

import pytest

from eval.commands.main import main
from eval.items.jsonl import read

ITEMS = [{"prompt": f"{number} + 1?", "answer": number + 1} for number in range(3)]
SUITE = """
name: quiz
precision: fp32
eval_batch_size: 4
tasks:
  sums:
    {{ability: math, task: exact_match, path: {path}, temperature: 0.5, answers_per_item: {answers},
     majority: {majority}}}
"""
TEXTS = ["1", "<think>Perhaps 3?</think>The answer is 2.", "<think>4 or"]


@pytest.fixture
def suite(tmp_path):
    def made(answers=1, majority="[]"):
        (tmp_path / "items.json").write_text(json.dumps(ITEMS))
        text = SUITE.format(path=tmp_path / "items.json", answers=answers, majority=majority)
        (tmp_path / "quiz.yaml").write_text(text)
        return tmp_path / "quiz.yaml"

    return made


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def inspected(texts):
    return [
        {
            "id": number + 1, "epoch": 1,
            "output": {"choices": [{"message": {"role": "assistant", "content": text}, "stop_reason": "stop"}]},
        }
        for number, text in enumerate(texts)
    ]  # fmt: skip


def written(folder, kind, texts):
    """The answers in a file as that engine writes it."""
    file = folder / {"inspect": "log.json", "zipped": "log.eval"}.get(kind, "answers.jsonl")
    match kind:
        case "ours":
            file.write_text(lines({"id": str(number), "text": text} for number, text in enumerate(texts)))
        case "lm-eval":  # a row a filter, with documents in any order
            rows = [{"doc_id": number, "doc": ITEMS[number], "resps": [[text]]} for number, text in enumerate(texts)]
            file.write_text(lines([row | {"filter": name} for name in ("strict", "flexible") for row in rows[::-1]]))
        case "inspect":
            file.write_text(json.dumps({"version": 2, "samples": inspected(texts)}))
        case "zipped":
            with zipfile.ZipFile(file, "w") as log:
                log.writestr("header.json", "{}")
                for sample in inspected(texts):
                    log.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
    return file


def scored(tmp_path, file, suite, *more):
    out = tmp_path / "out"
    status = main(["score", f"responses={file}", f"suite={suite}", "task=sums", f"out={out}", *more])
    return status, out


@pytest.mark.parametrize("kind", ["ours", "lm-eval", "inspect", "zipped"])
def test_files_of_every_engine(kind, tmp_path, suite, capsys):
    status, out = scored(tmp_path, written(tmp_path, kind, TEXTS), suite())
    assert status == 0 and "0.6667" in capsys.readouterr().out
    assert [row["correct"] for row in read(out / "scores" / "scores.jsonl")] == [True, True, False]
    rows = read(out / "scores" / "viewer.jsonl")
    assert [list(row) for row in rows] == [
        ["id", "item", "prompt", "thought", "answer", "gold", "read", "verdict", "reason"]
    ] * 3
    assert [row["thought"] for row in rows] == ["", "Perhaps 3?", "4 or"] and rows[1]["answer"] == "The answer is 2."
    assert [row["reason"] for row in rows] == [
        "read '1'", "read '2'", "the answer is empty: the thought before it was cut off"
    ]  # fmt: skip


def test_the_answer_that_most_of_several_give_is_scored_too(tmp_path, suite, capsys):
    said = [["1", "5", "1"], ["3", "2", "3"], ["?", "3", "4"]]
    rows = [
        {"id": f"{n}#{k}", "item": str(n), "text": text} for n, own in enumerate(said) for k, text in enumerate(own)
    ]
    (tmp_path / "answers.jsonl").write_text(lines(rows))
    status, out = scored(tmp_path, tmp_path / "answers.jsonl", suite(3, "[1, 2, 3]"))
    metrics = {
        one["metric"]: one["value"] for one in json.loads((out / "scores" / "summary.json").read_bytes())["metrics"]
    }
    assert status == 0 and metrics["accuracy"] == pytest.approx(4 / 9)
    assert [metrics[f"maj@{k}"] for k in (1, 2, 3)] == [pytest.approx(share) for share in (1 / 3, 2 / 3, 2 / 3)]


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ('{"samples": [', "neither JSON nor a log of inspect_ai"),
        ('{"samples": []}', "holds no answers"),
        ('{"samples": [{"id": 1}]}', "not laid out as inspect_ai writes it: KeyError 'output'"),
        ('{"samples": [5]}', "not laid out as inspect_ai writes it"),
    ],
)
def test_a_log_that_is_none_is_told(log, told, tmp_path, suite, capsys):
    (tmp_path / "log.json").write_text(log)
    assert scored(tmp_path, tmp_path / "log.json", suite())[0] == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line and "log.json" in line


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lines([{"id": "0", "text": "1"}]), "item 1 has 0 answers, others have 1; give all, or items=N"),
        (lines([{"id": "9", "text": "1"}]), "an answer is to item 9, which is not among the items"),
        (lines([{"id": "0", "answer": "1"}]), "holds no answers: rows need 'text' (ours) or 'resps' (lm-eval)"),
        ("", "holds no answers"),
        (lines([{"text": "1"}]), "item 0 has no field 'id'; it has: text"),
        (
            lines([{"id": "0", "text": "1"}, {"id": "1", "answer": "2"}]),
            "item 1 has no field 'text'; it has: id,",
        ),
        (lines([{"id": "0", "text": None}]), "item 0, field 'text' is empty"),
        (lines([{"id": "0", "text": ["1"]}]), "item 0, field 'text': ['1'] is not a text"),
        (lines([{"doc_id": 0, "resps": [["1"]], "doc": None}]), "item 1 has 0 answers"),
    ],
)
def test_what_cannot_be_scored_is_told(content, told, tmp_path, suite, capsys):
    (tmp_path / "answers.jsonl").write_text(content)
    status, out = scored(tmp_path, tmp_path / "answers.jsonl", suite())
    assert status and told in capsys.readouterr().err and not (out / "scores").exists()
    if "others have" in told:
        assert scored(tmp_path, tmp_path / "answers.jsonl", suite(), "items=1")[0] == 0
