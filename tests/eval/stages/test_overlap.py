"""What training data holds of the items: planted overlaps are found, neighbours are not, whatever the file's format."""

from __future__ import annotations

import csv
import json
import random

import pytest

from common.rows import READERS, data_files, write_jsonl
from eval.items import source_texts
from eval.items.jsonl import read
from eval.spec.answers import Reading
from eval.spec.scores import OverlapSpec, ScoreSpec
from eval.spec.tasks import TASKS
from eval.stages import overlap, score
from eval.tasks import MODULES
from tests.conftest import PUBLIC_DATA

DRAW = random.Random(0)
WORDS = [f"word{number}" for number in range(5000)]


def text(length):
    return " ".join(DRAW.choices(WORDS, k=length))


QUESTIONS = [text(30) for _ in range(8)]
ANSWERS = [f"{text(20)} #### {number}" for number in range(8)]
BETWEEN = QUESTIONS[2].split()
PLANTED = {
    "0": [QUESTIONS[0].upper().replace(" ", ", ")],  # whole, but for case and punctuation
    "1": [text(5), f"Before. {ANSWERS[1]} After."],  # the answer within another text
    "2": [" ".join(BETWEEN[:15]), " ".join(BETWEEN[15:])],  # in halves, which leave 16 of 23 runs: 0.696
    "3": [" ".join(QUESTIONS[3].split()[:13])],  # a phrase of 13 words
    "4": [" ".join(QUESTIONS[4].split()[::-1])],  # the same words in another order
}
FLAGGED = {"0", "1"}


def sourced(path):
    """The planted texts in a file of that format, among others."""
    rows = [{"instruction": text(40), "turns": [{"value": part} for part in parts]} for parts in PLANTED.values()]
    match path.suffixes:
        case [".jsonl"]:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no json\n")
        case [".json"]:
            path.write_text(json.dumps(rows))
        case [".csv"]:
            with path.open("w", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(["a", "b", "c"])
                writer.writerows([[row["instruction"], *(turn["value"] for turn in row["turns"])] for row in rows])
        case [".parquet"]:
            import pyarrow as pa
            from pyarrow import parquet

            parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def data(tmp_path):
    write_jsonl(
        tmp_path / "math.jsonl", [{"question": q, "answer": a} for q, a in zip(QUESTIONS, ANSWERS, strict=True)]
    )
    return tmp_path


def ran(data, source, out):
    out.mkdir()
    overlap.run(OverlapSpec("gsm8k", "math.jsonl", source.name), {"data": data, "source": source.parent}, out)
    return {row["id"]: row for row in read(out / "items.jsonl")}, json.loads((out / "summary.json").read_bytes())


@pytest.mark.parametrize("ending", READERS)
def test_planted_overlaps_are_found_and_nothing_else(data, ending):
    rows, counts = ran(data, sourced(data / f"train{ending}"), data / "out")
    assert {name for name, row in rows.items() if row["flagged"]} == FLAGGED
    assert rows["0"]["whole"] and rows["0"]["prompt_8"] == 1 and rows["0"]["answer_8"] == 0
    assert not rows["1"]["whole"] and rows["1"]["answer_8"] == 1
    assert rows["2"]["prompt_8"] == pytest.approx(16 / 23) and rows["3"]["prompt_13"] == pytest.approx(1 / 18)
    assert all(rows[name]["prompt_8"] == 0 for name in "4567")
    assert counts == {"task": "gsm8k", "items": 8, "flagged": 2, "whole": 1, "any_13": 4, "short": 0}


def test_short_texts_are_held_only_as_a_whole():
    items = [{"id": name, "prompt": name, "answers": ["yes"]} for name in ("Say cat.", "Say dog.", "Say")]
    found = overlap.measure("exact_match", items, [["say CAT", "yes"], ["Please say dog."]])
    assert [row["flagged"] for row in found] == [True, False, False]
    assert found[0]["prompt_8"] is None and found[0]["answer_13"] is None
    assert overlap.summary("exact_match", found)["short"] == 3


def test_runs_neither_span_two_texts_nor_skip_a_word():
    item = {"id": "a", "prompt": "a b c d e f g h i", "answers": []}

    def shares(*source):
        return overlap.measure("regex", [item], [list(source)])[0]["prompt_8"]

    assert shares("a b c d", "e f g h i") == 0.0
    assert shares("a b c d new e f g h i") == 0.0
    assert shares("a b c d e f g h") == 0.5
    assert shares() == 0.0 and overlap.measure("regex", [], [["a"]]) == []


@pytest.mark.parametrize(("runs", "flagged"), [(13, False), (14, True), (15, True), (17, True)])
@pytest.mark.parametrize("part", ["prompt", "answers"])
def test_an_item_is_flagged_from_70_percent_of_its_runs_on(runs, flagged, part):
    """27 words are 20 runs of 8; the first words up to the end of the last of these runs stand in the source."""
    long = " ".join(WORDS[:27])
    item = {"id": "a", "prompt": "a question", "answers": []} | {part: [long] if part == "answers" else long}
    (found,) = overlap.measure("exact_match", [item], [[" ".join(WORDS[: runs + 7])]])
    assert found["answer_8" if part == "answers" else "prompt_8"] == runs / 20
    assert (found["flagged"], found["whole"]) == (flagged, False)


def test_real_training_data_is_apart_and_test_data_is_not(public_data):
    train, test = (public_data / "math" / f"gsm8k_{part}.jsonl" for part in ("train", "test"))
    items = overlap.TASKS["gsm8k"].items(test, Reading())
    counts = overlap.summary("gsm8k", overlap.measure("gsm8k", items, source_texts.rows(train)))
    phrases = 0 if public_data == PUBLIC_DATA["cut"] else 9
    assert (counts["flagged"], counts["whole"], counts["any_13"]) == (0, 0, phrases)
    leaked = overlap.measure("gsm8k", items, (row for number, row in enumerate(source_texts.rows(test)) if number % 2))
    assert {row["id"] for row in leaked if row["flagged"]} == {str(number) for number in range(1, len(items), 2)}


def test_scores_are_also_given_without_the_items_that_are_held(data):
    ran(data, sourced(data / "train.json"), data / "overlap")
    answers = data / "answers"
    answers.mkdir()
    write_jsonl(
        answers / "responses.jsonl",
        [{"id": str(n), "text": f"#### {n if n % 2 else 99}", "tokens": 3, "finish": "stop"} for n in range(8)],
    )
    (data / "scores").mkdir()
    inputs = {"answers": answers, "data": data, "overlap.train": data / "overlap"}
    score.run(ScoreSpec("gsm8k", "math.jsonl", None, 1.0, 256), inputs, data / "scores")
    summary = json.loads((data / "scores" / "summary.json").read_bytes())
    found = {row["metric"]: (row["value"], row["n_items"]) for row in summary["metrics"]}
    assert found["accuracy"] == (0.5, 8) and found["accuracy_clean"] == (0.5, 6)  # 0 was wrong, 1 right
    assert found["contaminated_rate"] == (0.25, 8) and summary["contaminated"] == {"train": 2}


def test_folders_of_training_data_and_other_endings(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("a.jsonl", "deep/b.json.gz", "c.txt", "d.csv"):
        (tmp_path / name).touch()
    assert [file.name for file in data_files(tmp_path)] == ["a.jsonl", "d.csv", "b.json.gz"]
    with pytest.raises(ValueError, match=r"c\.txt: the ending '.txt' is unknown"):
        list(source_texts.rows(tmp_path / "c.txt"))


def test_short_prompts_are_found_inside_longer_texts_and_texts_without_spaces_by_their_characters():
    prompts = {
        "Name the longest river in Asia.": True, "Name the longest river in Africa.": False, "Why is it so?": False,
        "\u8fd9\u4e2a\u57ce\u5e02\u6709\u591a\u5c11\u4eba\u53e3\u548c\u591a\u5c11\u6761\u6cb3\u6d41\u5462": True,
        "\u90a3\u5ea7\u5c71\u6709\u591a\u9ad8\u4e0a\u9762\u6709\u6ca1\u6709\u96ea\u548c\u6811\u6728": False,
    }  # fmt: skip
    items = [{"id": str(number), "prompt": text, "answers": ["x"]} for number, text in enumerate(prompts)]
    source = [
        ["Task 3. Name the longest river in Asia, and say why. Why is it so? " * 2],
        [f"\u95ee\u9898\uff1a{list(prompts)[3]}\uff1f\u8bf7\u56de\u7b54\u3002"],
    ]
    rows = overlap.measure("exact_match", items, source)
    assert [row["flagged"] for row in rows] == list(prompts.values())


def test_every_kind_of_task_has_the_forms_that_its_entry_names_and_says_which_of_its_texts_are_compared():
    assert set(MODULES) == set(TASKS) - {"loss"}
    for name, forms in MODULES.items():
        kind = TASKS[name]
        assert tuple(forms) == kind.forms and all(len(one.parts) == 2 for one in forms.values())
        assert all((one.examples is not None) == kind.shots for one in forms.values())
        assert all((one.score is None) == kind.judged for one in forms.values())
