"""Questions of several turns: asked in order with the model's own answers between, rated by a judge, resumed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from eval.items.jsonl import read
from eval.judge.ratings import rating
from eval.spec.answers import AnswerSpec, Decoding, EvalRun, Reading
from eval.spec.judge import Judge, JudgeRun
from eval.spec.scores import ScoreSpec
from eval.stages import answer, score
from eval.tasks import mtbench
from tests.conftest import PUBLIC_DATA
from tests.eval.adding_up import check_items
from tests.judge_server import serving

ANSWER = AnswerSpec("mtbench", "", None, None, None, Decoding(12, 0.0, 0), "fp32", samples=1)
SCORE = ScoreSpec("mtbench", "", None, 3.0, 256, judge=Judge(model="grader", repeats=2))
QUESTIONS = [
    {"question_id": 81, "category": "writing", "turns": ["how many apples?", "and pears?"]},
    {"question_id": 101, "category": "math", "turns": ["Tom has 3 boxes", "how many are left?"]},
    {"question_id": 102, "category": "own", "turns": ["buys 4 pears"]},
    {"question_id": 103, "category": "stem", "turns": ["a", "b", "c"], "required_temperature": 1.5},
]


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def inputs(tmp_path, model_folder):
    return {"model": model_folder, "data": jsonl(tmp_path / "questions.jsonl", QUESTIONS)}


def answered(out, inputs, spec=ANSWER, rows=4):
    out.mkdir(exist_ok=True)
    answer.run(spec, inputs, out, EvalRun("key", rows))
    return (out / "responses.jsonl").read_bytes()


def lines(data):
    return [json.loads(line) for line in data.splitlines()]


def test_every_turn_sees_the_models_own_earlier_answers(inputs, tmp_path):
    rows = lines(answered(tmp_path / "out", inputs))
    named = [(row["id"], row.get("item"), row.get("turn")) for row in rows]
    assert named == [
        ("81/1", "81", 1), ("81/2", "81", 2), ("101/1", "101", 1), ("101/2", "101", 2), ("102", None, None),
        ("103/1", "103", 1), ("103/2", "103", 2), ("103/3", "103", 3),
    ]  # fmt: skip
    text = {row["id"]: row["text"] for row in rows}
    prompts = {row["id"]: row["prompt"] for row in rows}
    first = "<s>user: a<end>assistant:\n"
    assert prompts["103/1"] == first
    said = f"<s>user: a<end>assistant: {text['103/1']}<end>user: b<end>"
    assert prompts["103/2"] == said + "assistant:\n"
    assert prompts["103/3"] == said + f"assistant: {text['103/2']}<end>user: c<end>assistant:\n"


def test_answers_depend_on_neither_batch_nor_a_kill_between_the_turns(inputs, tmp_path):
    spec = replace(ANSWER, samples=2, decoding=Decoding(12, 0.9, 3))
    whole = answered(tmp_path / "whole", inputs, spec)
    assert (
        whole == answered(tmp_path / "one", inputs, spec, rows=1) == answered(tmp_path / "all", inputs, spec, rows=64)
    )
    rows = lines(whole)
    assert [row["id"] for row in rows[:4]] == ["81/1#0", "81/2#0", "81/1#1", "81/2#1"]
    assert rows[0]["text"] != rows[2]["text"]
    # What a run killed in the second turns leaves: all first turns and one second turn, in the order they were made.
    out = tmp_path / "killed"
    out.mkdir()
    kept = [row for row in rows if row.get("turn", 1) == 1] + [row for row in rows if row["id"] == "81/2#1"]
    kept[-1] = kept[-1] | {"text": "marked"}
    jsonl(out / "responses.partial.jsonl", [{"key": "key"}, *kept])
    again = {row["id"]: row for row in lines(answered(out, inputs, spec))}
    assert [row for row in rows if row != again[row["id"]]] == [row for row in rows if row["id"] == "81/2#1"]
    # The mark is what the third turn of nobody sees; in a conversation of three turns it would be seen.
    shutil.rmtree(out)
    out.mkdir()
    kept = [row | ({"text": "marked"} if row["id"] == "103/1#0" else {}) for row in kept[:-1]]
    jsonl(out / "responses.partial.jsonl", [{"key": "key"}, *kept])
    again = {row["id"]: row for row in lines(answered(out, inputs, spec))}
    assert "assistant: marked<end>user: b<end>" in again["103/2#0"]["prompt"]


def test_temperatures_are_those_of_the_categories(inputs, tmp_path):
    found = []
    for seed in (0, 1):
        rows = lines(answered(tmp_path / str(seed), inputs, replace(ANSWER, decoding=Decoding(12, 0.0, seed))))
        found.append({row["id"]: row["text"] for row in rows})
    one, other = found
    assert {name for name in one if one[name] != other[name]} >= {"81/1", "103/1"}  # 0.7, and 1.5 as required
    assert {name for name in one if one[name] == other[name]} >= {"101/1", "101/2", "102"}  # greedy, as the task is


def test_the_public_questions(public_data):
    of_ten = 2 if public_data == PUBLIC_DATA["cut"] else 10  # questions of each category: the first two, or all
    items = mtbench.benchmark(public_data / "general" / "mt_bench_question.jsonl")
    assert len(items) == 8 * of_ten and {len(item["turns"]) for item in items} == {2}
    assert Counter(item["temperature"] for item in items) == {0.7: 2 * of_ten, 0.1: 2 * of_ten, 0.0: 4 * of_ten}
    assert set(Counter(item["category"] for item in items).values()) == {of_ten}
    known = mtbench.references(public_data / "general" / "mt_bench_reference_gpt-4.jsonl")
    assert set(known) == {str(first + number) for first in (101, 111, 121) for number in range(of_ten)}
    assert all(len(turns) == 2 for turns in known.values())
    assert not any(item["references"] for item in items)


def test_own_questions_and_what_is_wrong_with_them(tmp_path):
    path = jsonl(tmp_path / "q.jsonl", [{"q": "Why?", "reference": "So."}, {"id": "x", "turns": ["a", "b"]}])
    assert mtbench.items(path, Reading((("prompt", "q"),))) == [
        {"id": "0", "turns": ["Why?"], "category": "", "references": ["So."]},
        {"id": "x", "turns": ["a", "b"], "category": "", "references": []},
    ]
    for row, message in (
        ({}, "item 0 has no field 'prompt'"),
        ({"turns": []}, "field 'turns' must be a list of texts"),
        ({"turns": ["a", 3]}, "field 'turns' must be a list of texts"),
        ({"turns": ["a", "b"], "reference": "one"}, "1 answers to 2 turns"),
    ):
        with pytest.raises(ValueError, match=message):
            mtbench.items(jsonl(path, [row]))
    with pytest.raises(ValueError, match="field 'choices' holds no turns of text"):
        mtbench.references(jsonl(path, [{"question_id": 1, "choices": []}]))


TEXTS = {"81/1": "good 1", "81/2": "good 2", "101/1": "math 1", "101/2": "math 2", "102": "", "103/1": "x"}
TEXTS |= {"103/2": "y", "103/3": "mute"}


@pytest.fixture
def judged(tmp_path):
    """Answers by hand and a judge that knows them: ratings by what the last answer is."""
    folder = tmp_path / "answers"
    folder.mkdir()
    rows = []
    for name, text in TEXTS.items():
        item, slash, turn = name.partition("/")
        rows.append(
            {"id": name, **({"item": item, "turn": int(turn)} if slash else {}), "text": text, "finish": "stop"}
        )
    jsonl(folder / "responses.jsonl", rows)
    data = jsonl(tmp_path / "questions.jsonl", QUESTIONS)
    references = [{"question_id": 101, "choices": [{"index": 0, "turns": ["REF ONE", "REF TWO"]}]}]
    inputs = {"answers": folder, "data": data, "references": jsonl(tmp_path / "references.jsonl", references)}
    execution = JudgeRun(
        key_variable="", seconds=5, retries=2, backoff=0.01, input_price=0.0, output_price=0.0,
        cache=str(tmp_path / "judge"),
    )  # fmt: skip
    return inputs, execution


def grader(number, request):
    """A rating by what is shown; of what is 'mute' nothing that can be read, however often it is asked."""
    text = " ".join(message["content"] for message in request["messages"])
    if "mute" in text:
        return "I will not rate this."
    return "Rating: [[8]]" if "good" in text else "See [1]. Rating: 2/10" if "REF ONE" in text else "Rating: [[5]]"


def scored(out, inputs, execution, spec=SCORE):
    out.mkdir(exist_ok=True)
    score.run(spec, inputs, out, execution)
    check_items(out)
    return json.loads((out / "summary.json").read_bytes()), read(out / "scores.jsonl"), read(out / "judgments.jsonl")


def test_a_judge_rates_every_turn(judged, tmp_path):
    inputs, execution = judged
    with serving(grader) as (server, url):
        asked = replace(execution, base_url=url)
        summary, scores, judgments = scored(tmp_path / "out", inputs, asked)
        calls = len(server.requests)
        assert calls == (8 + 1) * 2  # eight answers, one asked for again, in two repeats
        again, _, _ = scored(tmp_path / "again", inputs, asked)
        assert again == summary and len(server.requests) == calls
        other = replace(SCORE, judge=replace(SCORE.judge, model="another"))
        scored(tmp_path / "other", inputs, asked, other)
        assert len(server.requests) == 2 * calls
    ratings = {row["id"]: row["rating"] for row in scores}
    assert ratings == {"81/1": 8, "81/2": 8, "101/1": 2, "101/2": 2, "102": 5, "103/1": 5, "103/2": 5, "103/3": None}
    found = {metric["metric"]: (metric["value"], metric["n_items"]) for metric in summary["metrics"]}
    assert found["score"] == (pytest.approx(35 / 7), 4)
    assert found["accuracy"] == (pytest.approx((35 / 7 - 1) / 9), 4)
    assert found["turn_1"] == (pytest.approx(20 / 4), 4) and found["turn_2"] == (pytest.approx(15 / 3), 3)
    assert found["score_writing"] == (8, 1) and found["score_math"] == (2, 1) and "turn_3" not in found
    assert found["unparsed_rate"] == (pytest.approx(1 / 8), 4)
    assert found["empty_rate"] == found["parse_failure_rate"] == (1 / 8, 4)
    # By question: sums 16, 4, 5, 10 over 2, 2, 1, 2 turns, around the mean of 5.
    spread = (16 - 10) ** 2 + (4 - 10) ** 2 + (5 - 5) ** 2 + (10 - 10) ** 2
    stderr = next(metric["stderr"] for metric in summary["metrics"] if metric["metric"] == "score")
    assert stderr == pytest.approx((spread * 4 / 3) ** 0.5 / 7)
    assert summary["judge"]["model"] == "grader" and summary["judge"]["scores"] == [5.0, 5.0]
    assert summary["judge"]["asked_twice"] == 2 and summary["judge"]["replies"] == calls
    # FastChat takes the citation for a rating, and leaves out what it cannot read.
    assert summary["compatibility"] == {"fastchat_score": pytest.approx((16 + 2 + 15) / 7), "fastchat_unread": 2}
    assert {(row["id"], row["repeat"]) for row in judgments} == {(name, n) for name in TEXTS for n in range(2)}
    assert all(rating(row["reply"]["text"]) == row["rating"] for row in judgments if row["id"] != "103/3")


def test_repeats_are_averaged(judged, tmp_path):
    inputs, execution = judged
    with serving(lambda number, _: f"[[{4 + 4 * (number % 2)}]]") as (_, url):
        summary, scores, _ = scored(tmp_path / "out", inputs, replace(execution, base_url=url, concurrency=1))
    assert {tuple(row["ratings"]) for row in scores} == {(4, 8)} and {row["rating"] for row in scores} == {6}
    assert summary["judge"]["scores"] == [4, 8] and scores[0]["share"] == pytest.approx(5 / 9)


def test_the_judge_sees_the_dialogue_and_the_reference_of_the_turn(judged, tmp_path, public_data):
    inputs, execution = judged
    public = public_data / "general" / "mt_bench_judge_prompts.jsonl"
    for name, prompts in (("own", {}), ("public", {"prompts": public})):
        rows = jsonl(tmp_path / "two.jsonl", QUESTIONS[:3])
        some = [row for row in read(inputs["answers"] / "responses.jsonl") if not row["id"].startswith("103")]
        folder = tmp_path / f"{name} answers"
        folder.mkdir()
        jsonl(folder / "responses.jsonl", some)
        with serving(grader) as (server, url):
            given = {**inputs, **prompts, "data": rows, "answers": folder}
            scored(
                tmp_path / name, given, replace(execution, base_url=url), replace(SCORE, judge=Judge(model="grader"))
            )
        shown = {
            next(key for key in TEXTS if TEXTS[key] and TEXTS[key] in text and _last(text, key)): text
            for text in server.prompts()
            if "buys 4" not in text
        }
        assert "REF ONE" in shown["101/1"] and "REF TWO" not in shown["101/1"] and "math 2" not in shown["101/1"]
        assert all(part in shown["101/2"] for part in ("REF ONE", "REF TWO", "math 1", "math 2", "Tom has", "are left"))
        assert "REF" not in shown["81/1"] + shown["81/2"]


def _last(text, key):
    item, _, turn = key.partition("/")
    return (f"{item}/2" in TEXTS and TEXTS[f"{item}/2"] in text) == (turn == "2")


def test_a_local_model_judges_too(judged, tmp_path, model_folder):
    """A tiny model rates nothing, but it is asked, its words are kept, and nobody is asked again."""
    inputs, execution = judged
    spec = replace(SCORE, judge=Judge(model="abc", max_tokens=6), precision="fp32", items=None)
    given = {**inputs, "judge": model_folder, "data": jsonl(tmp_path / "few.jsonl", QUESTIONS[2:3])}
    folder = tmp_path / "few"
    folder.mkdir()
    jsonl(folder / "responses.jsonl", [{"id": "102", "text": "4", "finish": "stop"}])
    short = {"name": "short", "type": "single", "system_prompt": "", "prompt_template": "Rate: {question} {answer}"}
    given |= {"answers": folder, "prompts": jsonl(tmp_path / "prompts.jsonl", [short])}
    summary, scores, judgments = scored(tmp_path / "out", given, execution, spec)
    assert judgments[0]["reply"]["output_tokens"] > 0 and summary["judge"]["replies"] in (1, 2)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "judge" / "replies").rglob("*.json")}
    gone = {**given, "judge": Path("nowhere")}
    assert scored(tmp_path / "again", gone, execution, spec)[1:] == (scores, judgments)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
