"""Readers: the formats people have, and what they say about rows that are wrong."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from common.rows import Row, read_rows
from tests.conftest import SHARED_DATA
from tests.train.tiny import write_lines
from train.sources import BadRow, Message, conversation, read_hub
from train.spec import Hub

PAIR = (Message("user", "Q"), Message("assistant", "A"))


def turns(record: Any, layout: str, **fields: str) -> tuple[Message, ...]:
    return conversation(Row("x.jsonl", "line", 7, record), layout, fields)


@pytest.mark.parametrize(
    ("layout", "record"),
    [
        ("gsm8k", {"question": "Q", "answer": "A"}),
        ("alpaca", {"instruction": "Q", "input": "", "output": "A"}),
        ("alpaca", {"instruction": "Q", "response": "A"}),
        ("completion", {"prompt": "Q", "completion": "A"}),
        ("sharegpt", {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}),
        ("messages", {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}),
    ],
)
def test_every_layout_gives_the_same_pair(layout: str, record: dict[str, Any]) -> None:
    if layout == "gsm8k":
        record = {"question": "Q", "answer": "A #### 1"}
        assert turns(record, layout) == (Message("user", "Q"), Message("assistant", "A #### 1"))
    else:
        assert turns(record, layout) == PAIR


def test_alpaca_input_follows_the_instruction() -> None:
    record = {"instruction": "Add.", "input": "1, 2", "output": "3"}
    assert turns(record, "alpaca")[0].content == "Add.\n\n1, 2"


def test_fields_name_other_columns() -> None:
    assert turns({"ask": "Q", "say": "A"}, "completion", prompt="ask", completion="say") == PAIR
    with pytest.raises(ValueError, match=r"fields\.answer: format 'completion' has no such role.*prompt, completion"):
        turns({"prompt": "Q"}, "completion", answer="say")


@pytest.mark.parametrize(
    ("layout", "record", "field", "problem"),
    [
        ("gsm8k", {"question": "Q"}, "answer", "is missing"),
        ("gsm8k", {"question": "Q", "answer": "no number"}, "answer", "'####'"),
        ("alpaca", {"instruction": "Q", "output": ""}, "output", "is empty"),
        ("alpaca", {"instruction": 5, "output": "A"}, "instruction", "is int"),
        ("completion", ["Q", "A"], "", "is list"),
        ("sharegpt", {"conversations": []}, "conversations", "empty"),
        ("sharegpt", {"conversations": [{"from": "gpt", "value": "A"}]}, "conversations", "turn 1 is by the assistant"),
        ("sharegpt", {"conversations": [{"from": "cat", "value": "A"}]}, "conversations[0].from", "'cat'"),
        ("messages", {"messages": [{"role": "user"}]}, "messages[0].content", "is missing"),
    ],
)
def test_a_malformed_row_names_place_field_and_problem(layout: str, record: Any, field: str, problem: str) -> None:
    with pytest.raises(BadRow) as caught:
        turns(record, layout)
    assert caught.value.field == field
    assert problem in caught.value.problem
    assert str(caught.value).startswith("x.jsonl, line 7, field ")
    assert "on_bad_row=skip" in str(caught.value)


def test_a_question_after_the_last_answer_is_cut() -> None:
    record = {"messages": [{"role": r, "content": c} for r, c in (("user", "Q"), ("assistant", "A"), ("user", "?"))]}
    assert turns(record, "messages") == PAIR


def test_all_file_kinds_hold_the_same_rows(tmp_path: Path) -> None:
    rows = [{"prompt": f"Q, {n}\n", "completion": f'A "{n}"'} for n in range(5)]
    write_lines(tmp_path / "a.jsonl", rows)
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["prompt", "completion"])
        writer.writeheader()
        writer.writerows(rows)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.json", "a.csv"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    for path in sorted(tmp_path.iterdir()):
        assert [row.record for row in list(read_rows(path))] == rows, path.name


def test_a_broken_line_is_a_bad_row_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n\n{"text": \n{"text": "four"}\n', encoding="utf-8")
    rows = list(read_rows(path))
    assert [row.line for row in rows] == [1, 3, 4]
    with pytest.raises(BadRow, match=r"a\.jsonl, line 3, .*is not JSON"):
        conversation(rows[1], "text", {})


def test_broken_files_name_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[\n{"a": 1},\n{"a" 2}\n]', encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json, line 3: is not JSON .*\.jsonl"):
        list(read_rows(tmp_path / "a.json"))
    (tmp_path / "a.csv").write_text("prompt,completion\nQ,A\nQ,A,more\n", encoding="utf-8")
    with pytest.raises(BadRow, match=r"a\.csv, line 3.*1 value"):
        conversation(list(read_rows(tmp_path / "a.csv"))[1], "completion", {})
    with pytest.raises(ValueError, match=r"'\.xlsx' is unknown.*\.jsonl"):
        list(read_rows(tmp_path / "a.xlsx"))


def test_an_unreachable_hub_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"'no-one/nothing' at revision 'abc' could not be read.*network.*local copy"):
        read_hub(Hub("no-one/nothing", "abc"), file="rows.jsonl", split="train")


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared data folder is absent")
@pytest.mark.parametrize(
    ("file", "layout", "count", "bad"),
    [
        ("math/gsm8k_train.jsonl", "gsm8k", 7473, 0),
        ("code/codegen_instruct.json", "alpaca", 4535, 0),
        ("general/dummy_conversation.json", "sharegpt", 500, 0),
        ("general/roleplay_instruct.json", "alpaca", 1923, 0),
    ],
)
def test_real_files_parse(file: str, layout: str, count: int, bad: int) -> None:
    rows = list(read_rows(SHARED_DATA / file))
    wrong = 0
    for row in rows:
        try:
            assert conversation(row, layout, {})[-1].role == "assistant"
        except BadRow:
            wrong += 1
    assert (len(rows), wrong) == (count, bad)
