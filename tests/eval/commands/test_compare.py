"""The judge on the command line: a model evaluated, two models compared, and what is refused before any work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from eval.__main__ import main
from eval.items.jsonl import read
from eval.judge import pairs
from tests.conftest import ROOT
from tests.judge_server import serving

SUITE = """
name: own
precision: fp32
eval_batch_size: 8
tasks:
  talk: {ability: general, task: mtbench, path: "${oc.env:DOSAGE_DATA,data}/talk.jsonl", max_new_tokens: 6}
judge: {repeats: 2, max_tokens: 32}
judge_client: {key_variable: A_KEY, seconds: 20, backoff: 0.01, concurrency: 2}
"""
TALK = [{"question_id": n, "category": "math", "turns": [f"how many apples {n}?", "and pears?"]} for n in range(6)]


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DOSAGE_DATA", "")  # so that what the command sets is undone
    monkeypatch.setenv("A_KEY", "secret")
    (tmp_path / "own.yaml").write_text(SUITE)
    jsonl(tmp_path / "talk.jsonl", TALK)
    return tmp_path


def words(place, model, *more):
    return [f"model={model}", f"suite={place}/own.yaml", f"data={place}", f"out={place}/out", *more]


def error(capsys):
    return capsys.readouterr().err


def test_nothing_is_answered_before_the_judge_is_sure(place, model_folder, capsys, monkeypatch):
    asked = ["judge=grader", "prices=0/0"]
    with serving(lambda *_: "[[5]]", key="secret") as (server, url):
        for more, message in (
            ([], "task talk: set judge= to the name of a judge"),
            (["judge=grader"], "set prices=INPUT/OUTPUT"),
            (["judge=grader", "prices=cheap"], "prices=cheap: write INPUT/OUTPUT in dollars per million tokens"),
            ([*asked, "judge_path=x"], "x does not exist"),
            (["judge=grader", "prices=1000/1000", "dollars=0.5", f"judge_url={url}"], "24 calls would cost about $"),
            ([*asked, "judge_url=http://127.0.0.1:1/v1"], "cannot be reached"),
        ):
            assert main(words(place, model_folder, *more)) == 2
            assert message in error(capsys)
        monkeypatch.setenv("A_KEY", "other")
        assert main(words(place, model_folder, *asked, f"judge_url={url}")) == 2
        assert "HTTP 401" in error(capsys)
        monkeypatch.delenv("A_KEY")
        assert main(words(place, model_folder, *asked, f"judge_url={url}")) == 2
        assert "A_KEY holds no key" in error(capsys)
        (place / "own.yaml").write_text(SUITE.replace("repeats: 2", "repeat: 2"))
        assert main(words(place, model_folder)) == 2
        assert "judge: Judge has no repeat; it has model, repeats," in error(capsys)
        assert not server.requests and not list(place.rglob("responses*"))


def test_a_killed_evaluation_goes_on_and_asks_nothing_twice(place, model_folder, capsys):
    with serving(lambda number, _: "HANG" if number >= 9 else "Rating: [[6]]", key="secret") as (server, url):
        asked = words(place, model_folder, "judge=grader", "prices=1/1", f"judge_url={url}")
        process = subprocess.Popen(
            [sys.executable, "-m", "eval", *asked], cwd=ROOT, env={**os.environ, "A_KEY": "secret"}
        )
        kept = place / "out" / "judge" / "replies"
        for _ in range(6000):
            if kept.exists() and len(list(kept.rglob("*.json"))) == 9 and len(server.requests) == 11:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.act = lambda *_: "Rating: [[7]]"
        before = (place / "out" / "talk" / "answers" / "responses.jsonl").stat().st_mtime_ns
        assert main(asked) == 0
        said = capsys.readouterr().out
        assert len(server.requests) == 11 + 15  # two replies were under way
        assert (place / "out" / "talk" / "answers" / "responses.jsonl").stat().st_mtime_ns == before
        summary = json.loads((place / "out" / "summary.json").read_bytes())["tasks"]["talk"]
        found = {metric["metric"]: metric["value"] for metric in summary["metrics"]}
        assert found["score"] == pytest.approx((9 * 6 + 15 * 7) / 24)
        assert "judge of talk: 24 replies, $0.03" in said
        assert main(asked) == 0 and len(server.requests) == 26  # scored again, asked nothing


def test_two_models_are_compared_in_both_orders(place, capsys):
    texts = {"one": ["GOOD", "fine", "fine", "GOOD"], "other": ["fine", "GOOD", "fine", "GOOD"]}
    for name, given in texts.items():
        (place / name).mkdir()
        rows = [{"id": f"{n}/{turn}", "item": str(n), "turn": turn, "text": text, "finish": "stop"}
                for n, text in enumerate(given) for turn in (1, 2)]  # fmt: skip
        jsonl(place / name / "responses.jsonl", rows)

    def better(_, request):
        """The good one of a pair, else whatever stands first: a judge with a position bias."""
        text = " ".join(message["content"] for message in request["messages"])
        good = {side: "GOOD" in text.split(f"_{side}>")[1] for side in "ab"}
        return "[[B]]" if good["b"] and not good["a"] else "So, [[A]]"

    with serving(better, key="secret") as (server, url):
        asked = [f"answers={place}/one", f"against={place}/other", f"out={place}/compared", "task=talk"]
        asked += [f"suite={place}/own.yaml", f"data={place}", "judge=grader", "prices=0/0", f"judge_url={url}"]
        assert main(["compare", *asked, "repeats=1"]) == 0
        assert (
            "win_share     0.5000" in capsys.readouterr().out and len(server.requests) == 12
        )  # equal answers make one prompt
        # The other way round every verdict is mirrored, and the same pairs need no further call.
        turned = [f"answers={place}/other", f"against={place}/one", *asked[2:], "repeats=1"]
        first = read(place / "compared" / "scores.jsonl")
        assert main(["compare", *turned]) == 0
        assert len(server.requests) == 12  # equal answers make one prompt
        assert [1 - row["outcome"] for row in read(place / "compared" / "scores.jsonl")] == [
            row["outcome"] for row in first
        ]
    outcomes = {row["id"]: row["outcome"] for row in first}
    assert outcomes == {"0/1": 1, "0/2": 1, "1/1": 0, "1/2": 0, "2/1": 0.5, "2/2": 0.5, "3/1": 0.5, "3/2": 0.5}
    summary = json.loads((place / "compared" / "summary.json").read_bytes())
    found = {metric["metric"]: metric["value"] for metric in summary["metrics"]}
    assert found == {
        "win_share": 0.5,
        "win_rate": 0.25,
        "tie_rate": 0.5,
        "loss_rate": 0.25,
        "agreed_rate": 0.5,
        "unparsed_rate": 0,
    }


def test_a_win_needs_both_orders():
    cases = {
        ("A", "B"): 1,
        ("B", "A"): 0,
        ("A", "A"): 0.5,
        ("B", "B"): 0.5,
        ("C", "C"): 0.5,
        ("A", "C"): 0.5,
        ("C", "A"): 0.5,
    }
    assert {order: pairs.outcome(*order) for order in cases} == cases
    assert pairs.outcome("A", None) is None and pairs.outcome(None, "B") is None
    rows = [
        {"item": "0", "outcome": 1.0, "outcomes": [1.0, None], "choices": [("A", "B"), ("A", None)]},
        {"item": "1", "outcome": None, "outcomes": [None, None], "choices": [(None, None), (None, "B")]},
    ]
    found = {one.metric: (one.value, one.n_items) for one in pairs.metrics(rows)}
    assert found["win_share"] == (1.0, 1) and found["unparsed_rate"] == (0.75, 2)


def test_answers_to_other_questions_cannot_be_compared(place, capsys):
    for name, numbers in (("one", (0, 1)), ("other", (0,))):
        (place / name).mkdir()
        jsonl(place / name / "responses.jsonl", [{"id": str(n), "text": "x", "finish": "stop"} for n in numbers])
    with serving(lambda *_: "[[A]]") as (_, url):
        asked = ["compare", "task=talk", f"suite={place}/own.yaml", f"data={place}", "judge=g", "prices=0/0"]
        asked += [f"judge_url={url}", f"out={place}/o"]
        for one, other in (("one", "other"), ("other", "one")):
            assert main([*asked, f"answers={place}/{one}", f"against={place}/{other}"]) == 2
            assert "answer 1 is missing on" in error(capsys)
        assert main([*asked, f"answers={place}/none", f"against={place}/one"]) == 2
        assert "holds no answers to talk" in error(capsys)
        assert main([*asked[:1], "task=nothing", *asked[2:], f"answers={place}/one", f"against={place}/one"]) == 2
        assert (
            "task=nothing is not a task of suite own that a judge scores and that reads a file; such tasks: talk"
            in error(capsys)
        )
