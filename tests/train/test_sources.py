"""Parsing rows of every format into conversations, and the errors for malformed rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.rows import Row, read_rows
from tests.conftest import PUBLIC_DATA
from train.sources import BadRow, Message, conversation

PAIR = (Message("user", "Q"), Message("assistant", "A"))


def turns(record: Any, row_format: str, **fields: str) -> tuple[Message, ...]:
    return conversation(Row("x.jsonl", "line", 7, record), row_format, fields)


@pytest.mark.parametrize(
    ("row_format", "record"),
    [
        ("gsm8k", {"question": "Q", "answer": "A"}),
        ("alpaca", {"instruction": "Q", "input": "", "output": "A"}),
        ("alpaca", {"instruction": "Q", "response": "A"}),
        ("completion", {"prompt": "Q", "completion": "A"}),
        ("sharegpt", {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}),
        ("messages", {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}),
    ],
)
def test_every_format_gives_the_same_pair(row_format: str, record: dict[str, Any]) -> None:
    if row_format == "gsm8k":
        record = {"question": "Q", "answer": "A #### 1"}
        assert turns(record, row_format) == (Message("user", "Q"), Message("assistant", "A #### 1"))
    else:
        assert turns(record, row_format) == PAIR


def test_alpaca_input_follows_the_instruction() -> None:
    record = {"instruction": "Add.", "input": "1, 2", "output": "3"}
    assert turns(record, "alpaca")[0].content == "Add.\n\n1, 2"


def test_fields_name_other_columns() -> None:
    assert turns({"ask": "Q", "say": "A"}, "completion", prompt="ask", completion="say") == PAIR
    with pytest.raises(ValueError, match=r"fields\.answer: format 'completion' has no such field.*prompt, completion"):
        turns({"prompt": "Q"}, "completion", answer="say")


@pytest.mark.parametrize(
    ("row_format", "record", "field", "problem"),
    [
        ("gsm8k", {"question": "Q"}, "answer", "is missing"),
        ("gsm8k", {"question": "Q", "answer": "no number"}, "answer", "'####'"),
        ("alpaca", {"instruction": "Q", "output": ""}, "output", "is empty"),
        ("alpaca", {"instruction": 5, "output": "A"}, "instruction", "is int"),
        ("completion", ["Q", "A"], "", "is list"),
        ("sharegpt", {"conversations": []}, "conversations", "empty"),
        (
            "sharegpt",
            {"conversations": [{"from": "gpt", "value": "A"}]},
            "conversations",
            "turn 1 is from the assistant",
        ),
        ("sharegpt", {"conversations": [{"from": "cat", "value": "A"}]}, "conversations[0].from", "'cat'"),
        ("messages", {"messages": [{"role": "user"}]}, "messages[0].content", "is missing"),
    ],
)
def test_a_malformed_row_names_place_field_and_problem(row_format: str, record: Any, field: str, problem: str) -> None:
    with pytest.raises(BadRow) as caught:
        turns(record, row_format)
    assert caught.value.field == field
    assert problem in caught.value.problem
    assert str(caught.value).startswith("x.jsonl, line 7, field " if field else "x.jsonl, line 7: ")
    assert "on_bad_row=skip" in str(caught.value)


def test_a_question_after_the_last_answer_is_cut() -> None:
    record = {"messages": [{"role": r, "content": c} for r, c in (("user", "Q"), ("assistant", "A"), ("user", "?"))]}
    assert turns(record, "messages") == PAIR


def test_rows_that_the_reader_could_not_parse_are_bad_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": \n{"text": "four"}\n', encoding="utf-8")
    rows = list(read_rows(tmp_path / "a.jsonl"))
    assert [row.line for row in rows] == [1, 3, 4]
    assert [conversation(row, "text", {})[0].content for row in (rows[0], rows[2])] == ["one", "four"]
    with pytest.raises(BadRow, match=r"a\.jsonl, line 3: is not JSON"):
        conversation(rows[1], "text", {})
    (tmp_path / "a.csv").write_text("prompt,completion\nQ,A\nQ,A,more\n", encoding="utf-8")
    first, second = read_rows(tmp_path / "a.csv")
    assert conversation(first, "completion", {}) == PAIR
    with pytest.raises(BadRow, match=r"a\.csv, line 3: has 1 value"):
        conversation(second, "completion", {})


@pytest.mark.parametrize(
    ("file", "row_format", "count", "cut"),
    [
        ("math/gsm8k_train.jsonl", "gsm8k", 7473, 30),
        ("code/codegen_instruct.json", "alpaca", 4535, 10),
        ("general/dummy_conversation.json", "sharegpt", 500, 10),
        ("general/roleplay_instruct.json", "alpaca", 1923, 10),
    ],
)
def test_real_files_parse(file: str, row_format: str, count: int, cut: int, public_data: Path) -> None:
    rows = list(read_rows(public_data / file))
    wrong = 0
    for row in rows:
        try:
            assert conversation(row, row_format, {})[-1].role == "assistant"
        except BadRow:
            wrong += 1
    assert (len(rows), wrong) == (cut if public_data == PUBLIC_DATA["cut"] else count, 0)
