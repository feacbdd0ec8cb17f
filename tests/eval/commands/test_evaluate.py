"""A model without a sweep: measured, recorded, not asked twice, and refused early when something is missing."""

from __future__ import annotations

import json
import shutil

import pytest

from eval.__main__ import main
from eval.items.jsonl import read

SUITE = """
name: own
precision: fp32
eval_batch_size: 8
tasks:
  sums: {ability: math, task: gsm8k, path: "${oc.env:DOSAGE_DATA,data}/math.jsonl", max_new_tokens: 6}
  words: {ability: talk, task: regex, path: "${oc.env:DOSAGE_DATA,data}/talk.jsonl", pattern: '(\\w+)$',
          columns: {prompt: q, answer: a}, max_new_tokens: 4}
  code: {ability: code, task: humaneval, path: "${oc.env:DOSAGE_DATA,data}/code.jsonl", max_new_tokens: 4}
  sums_loss: {ability: math, task: loss}
"""
PROBLEM = {"task_id": "a", "prompt": "def f():\n", "entry_point": "f", "test": "def check(f):\n    assert f() == 1\n"}


@pytest.fixture
def place(problems, tmp_path, monkeypatch):
    monkeypatch.delenv("DOSAGE_DATA", raising=False)
    monkeypatch.setenv("DOSAGE_DATA", "")  # so that what the command sets is undone
    (tmp_path / "own.yaml").write_text(SUITE)
    shutil.copy(problems / "math.jsonl", tmp_path / "math.jsonl")
    (tmp_path / "talk.jsonl").write_text(json.dumps({"q": "Say it", "a": "it"}) + "\n")
    (tmp_path / "code.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    return tmp_path


def command(place, model, *more):
    return main([f"model={model}", f"suite={place}/own.yaml", f"data={place}", f"out={place}/out", *more])


def test_a_folder_is_measured_and_not_asked_twice(place, model_folder, capsys, monkeypatch):
    monkeypatch.chdir(place)
    assert command(place, model_folder, "items=5") == 0
    said = capsys.readouterr().out
    assert "left out, as they need a sweep's tokens: sums_loss" in said and "sandbox level" in said
    summary = json.loads((place / "out" / "summary.json").read_bytes())
    assert list(summary["tasks"]) == ["sums", "words", "code"] and summary["tasks"]["sums"]["items"] == 5
    assert summary["tasks"]["code"]["sandbox"] >= 2
    responses = place / "out" / "sums" / "answers" / "responses.jsonl"
    first = read(responses)
    assert len(first) == 5

    # What is there is scored again, not asked again: a mark in an answer survives, and counts. The seed is not that
    # of greedy answers, as in a sweep.
    gold = read(place / "math.jsonl")[0]["answer"]
    responses.write_text("".join(json.dumps(row | {"text": gold} if row["id"] == "0" else row) + "\n" for row in first))
    assert command(place, model_folder, "items=5", "tasks=sums", "seed=7") == 0
    assert read(responses)[0]["text"] == gold
    assert read(place / "out" / "sums" / "scores" / "scores.jsonl")[0]["correct"]

    # Other weights, other items: asked again.
    assert command(place, model_folder, "items=4", "tasks=sums") == 0
    assert read(responses) == first[:4]
    other = place / "other"
    shutil.copytree(model_folder, other)
    (other / "generation_config.json").write_text("{}")
    responses.write_text(responses.read_text().replace(first[0]["text"][:1] or "x", "y"))
    assert command(place, other, "items=4", "tasks=sums") == 0
    assert [row["id"] for row in read(responses)] == ["0", "1", "2", "3"] and read(responses)[0] == first[0]


FORMS = """
name: forms
precision: fp32
eval_batch_size: 8
tasks:
  few: {{ability: math, task: gsm8k, hub: {hub}, revision: main, form: completion, shots: 2, shots_from: train,
         max_new_tokens: 3}}
  own: {{ability: talk, task: exact_match, path: {hub}/talk.jsonl, max_new_tokens: 3}}
"""


def test_few_shot_completions_of_a_hub_data_set_against_training_data(place, model_folder, capsys, monkeypatch):
    """A folder laid out like a data set of the hub; the training data holds one item of each task."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", place / "cache")
    hub = place / "hub"
    hub.mkdir()
    rows = read(place / "math.jsonl")
    for split, part in (("test", rows[:6]), ("train", rows[6:12])):
        (hub / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    (hub / "talk.jsonl").write_text('{"prompt": "Say yes.", "answer": "yes"}\n{"prompt": "Say no.", "answer": "no"}\n')
    files = "{split: train, path: train.jsonl}, {split: test, path: test.jsonl}"
    (hub / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  data_files: [{files}]\n---\n")
    (place / "own.yaml").write_text(FORMS.format(hub=hub))
    training = place / "training"
    training.mkdir()
    (training / "a.json").write_text(json.dumps([{"instruction": rows[2]["question"], "output": "say  NO"}]))
    assert command(place, model_folder, f"train={training}") == 0
    said = capsys.readouterr().out
    assert "warning: own: truncated_rate is 100%, above 20%" in said
    assert "overlap: few: 1 of 6 items are in a.json" in said and "overlap: own: 1 of 2 items are in a.json" in said
    summary = json.loads((place / "out" / "summary.json").read_bytes())["tasks"]["few"]
    clean = {one["metric"]: one["n_items"] for one in summary["metrics"]}
    assert clean["accuracy"] == 6 and clean["accuracy_clean"] == 5
    prompts = [row["prompt"] for row in read(place / "out" / "few" / "answers" / "responses.jsonl")]
    assert all(prompt.startswith(f"Question: {rows[6]['question']}\nAnswer: ") for prompt in prompts)
    assert (
        command(place, model_folder, f"train={place}/none") == 2 and "holds no training data" in capsys.readouterr().err
    )


def test_mistakes_are_told_first(place, model_folder, capsys):
    for words, said in (
        (
            [f"model={model_folder}", "suite=opn"],
            "suite=opn is unknown; choose one of: base, bbh, knowledge, micro, open, paper, plus",
        ),
        ([f"modle={model_folder}"], "did you mean 'model'"),
        (["model=org/name"], "for a hub model also give revision="),
        (["suite=open"], "model= missing"),
        ([f"model={model_folder}", "suite=micro"], "test/math.jsonl does not exist; give world=FOLDER"),
        ([f"model={model_folder}", f"data={place}/nowhere"], "gsm8k_test.jsonl does not exist; get it, or give data="),
        (
            [f"model={model_folder}", f"suite={place}/own.yaml", f"data={place}", "tasks=sum"],
            "suite own has sums, words",
        ),
        ([f"model={model_folder}", "items=many"], "items=many is not a whole number"),
        (
            [f"model={model_folder}", f"suite={place}/own.yaml", f"data={place}", "items=0"],
            "items=0 must be at least 1",
        ),
        (
            [f"model={model_folder}", "suite=micro", "precision=fp7"],
            "precision='fp7' is unknown; choose one of: fp32, bf16",
        ),
        ([f"model={model_folder}", "suite=micro", "eval_batch_size=0"], "eval_batch_size=0 must be at least 1"),
    ):
        assert main(words) == 2, words
        assert said in capsys.readouterr().err
    (place / "own.yaml").write_text("name: x\nprecision: fp32\ntasks: {a: {ability: b, tsk: c}}")
    assert command(place, model_folder) == 2
    assert "tasks.a: Task has no tsk; it has" in capsys.readouterr().err


def test_whatever_tasks_lack_comes_at_once_and_before_the_model_is_loaded(place, model_folder, capsys):
    twice = json.dumps({"id": 1, "q": "a", "a": "b"}) + "\n"
    (place / "talk.jsonl").write_text(twice * 2)
    (place / "code.jsonl").unlink()
    (place / "math.jsonl").write_text("{}\n")
    assert command(place, model_folder) == 2
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "error: 3 problems"
    assert lines[0].endswith("math.jsonl: item 0 has no field 'answer'; it has: none")
    assert lines[1].endswith("talk.jsonl: 2 items have the id '1'; ids must differ")
    assert "task code: " in lines[2] and "code.jsonl does not exist" in lines[2]
    assert main([f"model={place}/none", "workers=0", f"train={place}/none"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4
    assert main([f"model={place}"]) == 2
    said = capsys.readouterr().err
    assert all(f"model={place}: no {part}" in said for part in ("config.json", "weights", "tokenizer"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "talk.jsonl holds no items; give at least one"),
        ("{}".encode("utf-16"), "is not UTF-8 text"),
        (b"q,a\n1,2\n", "is not JSON"),
        (b'{"q": "a", "a": "b", "a": "c"}', "has the key 'a' more than once"),
    ],
)
def test_a_file_of_items_that_cannot_be_used_is_one_line(place, model_folder, capsys, content, told):
    (place / "talk.jsonl").write_bytes(content)
    assert command(place, model_folder, "tasks=words") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line and "talk.jsonl" in line


def test_windows_files_of_items_and_suites_are_read(place, tmp_path, capsys):
    """A byte order mark, Windows line ends, and signs beyond ASCII and beyond U+FFFF."""
    rows = [{"q": "日本の首都は?", "a": "東京"}, {"q": "笑顔", "a": "😀"}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows)
    (place / "talk.jsonl").write_bytes(text.encode("utf-8-sig"))
    (place / "own.yaml").write_bytes(SUITE.replace("regex", "exact_match").replace("\n", "\r\n").encode("utf-8-sig"))
    answers = [{"id": str(number), "text": row["a"]} for number, row in enumerate(rows)]
    (place / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    words = [f"responses={place}/a.jsonl", f"suite={place}/own.yaml", f"data={place}", f"out={place}/out"]
    assert main(["score", "task=words", *words]) == 0
    assert "accuracy            1.0000" in capsys.readouterr().out


def test_limits_that_no_program_could_run_with_are_told_first(place, model_folder, capsys):
    for more, told in (
        ("memory_mib: 1", "memory_mib=1 must be at least 128"),
        ("time_limit_seconds: 1e9", "at most 86400"),
    ):
        (place / "own.yaml").write_text(SUITE.replace("task: humaneval,", f"task: humaneval, {more},"))
        assert command(place, model_folder, "tasks=code") == 2
        assert told in capsys.readouterr().err
