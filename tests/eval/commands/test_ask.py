"""A model behind an endpoint is measured as a local one is: prompts, samples, thoughts, budget, and resumption."""

from __future__ import annotations

import json
import re

import pytest

from eval.commands.main import main
from eval.items.jsonl import read
from tests.judge_server import completion, serving

SUITE = """
name: quiz
precision: fp32
eval_batch_size: 4
tasks:
  sums: {{ability: math, task: exact_match, path: {folder}/sums.json, shots: 1, shots_from: {folder}/shown.json}}
  drawn:
    {{ability: math, task: exact_match, path: {folder}/sums.json, temperature: 0.7, answers_per_item: 2, stops: [x]}}
"""


@pytest.fixture
def suite(tmp_path):
    sums = [{"prompt": f"{number} + 1?", "answer": number + 1} for number in range(3)]
    (tmp_path / "sums.json").write_text(json.dumps(sums))
    (tmp_path / "shown.json").write_text(json.dumps([{"prompt": "8 + 1?", "answer": 9}]))
    (tmp_path / "quiz.yaml").write_text(SUITE.format(folder=tmp_path))
    return tmp_path / "quiz.yaml"


def asked(suite, url, out, *more):
    return main(
        [
            "ask",
            "model=m",
            f"url={url}",
            f"suite={suite}",
            f"out={out}",
            "token_prices=1000/1000",
            "key_variable=",
            *more,
        ]
    )


def adds(_, request):
    number = int(request["messages"][-1]["content"].split()[0])
    return f"<think>{number}?</think>The answer is {number + 1}."


def test_answers_are_asked_once_and_scored(tmp_path, suite, capsys):
    with serving(adds) as (server, url):
        assert asked(suite, url, tmp_path / "out", "most=1000", "system=Be brief.") == 0
        assert "1.0000" in capsys.readouterr().out and len(server.requests) == 3 + 6
        first = next(
            one for one in server.requests if one["messages"][-1]["content"] == "0 + 1?" and not one["temperature"]
        )
        assert first["messages"] == [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "8 + 1?"},
            {"role": "assistant", "content": "9"}, {"role": "user", "content": "0 + 1?"},
        ]  # fmt: skip
        drawn = [one for one in server.requests if one["temperature"]]
        assert len(drawn) == 6 and all(one["stop"] == ["x"] and one["max_tokens"] == 256 for one in drawn)
        assert asked(suite, url, tmp_path / "out", "most=1000", "system=Be brief.") == 0
        assert len(server.requests) == 9
    rows = read(tmp_path / "out" / "drawn" / "answers" / "responses.jsonl")
    assert [row["id"] for row in rows] == ["0#0", "0#1", "1#0", "1#1", "2#0", "2#1"]
    assert rows[2]["thought"] == "1?" and rows[2]["text"] == "The answer is 2." and rows[2]["item"] == "1"


def test_the_budget_ends_the_command_and_what_was_answered_is_kept(tmp_path, suite, capsys):
    with serving(lambda *_: (200, {}, completion("1", (1000, 100)))) as (server, url):
        assert asked(suite, url, tmp_path / "out", "most=2")
        said = capsys.readouterr().err  # a third question may be under way when the first two are paid for
        assert re.search(r"\$(2\.20|3\.30) of most=2 are spent; raise it to continue", said), said
        assert len(server.requests) in (2, 3) and asked(suite, url, tmp_path / "out", "most=1000") == 0
        assert len(server.requests) == 9


def test_what_cannot_be_asked_is_told(tmp_path, suite, capsys):
    with serving(adds) as (_, url):
        assert asked(suite, url, tmp_path / "out", "tasks=nothing")
        assert "tasks=nothing: suite quiz has in the chat form sums, drawn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["extra=[1]"], "extra='[1]' is not a JSON object such as"),
        (["extra={1"], "extra='{1' is not a JSON object such as"),
        (["most=0"], "most=0.0 must be above 0"),
        (["token_prices=3"], "token_prices=3: write INPUT/OUTPUT"),
        (["token_prices=nan/1"], "token_prices=nan/1: write INPUT/OUTPUT"),  # which would void the budget
        (["token_prices=-1/1"], "token_prices=-1/1: write INPUT/OUTPUT"),
        (["url=127.0.0.1"], "url=127.0.0.1 must begin with http:// or https://"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line_that_names_it(tmp_path, suite, capsys, words, told):
    given = {"url": "http://127.0.0.1:9", "token_prices": "0/0"} | dict(word.split("=", 1) for word in words)
    options = [f"{key}={value}" for key, value in given.items()]
    assert main(["ask", "model=m", f"suite={suite}", f"out={tmp_path}/out", "key_variable=", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {told}"), line


def test_nothing_is_asked_before_all_tasks_can_be(tmp_path, suite, capsys):
    suite.write_text(
        suite.read_text()
        + f"""
  absent: {{ability: math, task: exact_match, path: {tmp_path}/absent.json}}
  judged: {{ability: talk, task: judge, path: {tmp_path}/sums.json}}
"""
    )
    with serving(adds) as (server, url):
        assert asked(suite, url, tmp_path / "out") == 2
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "error: 2 problems" and not server.requests
    assert "task absent: " in lines[0] and "absent.json does not exist" in lines[0]
    assert "task judged: set judge=" in lines[1]
