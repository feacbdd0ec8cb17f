"""Each step of the cleaning on the rows that it is there for, what it leaves as it is, and what is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import train.tokens
from common.rows import Row
from tests.train.tiny import tokens_spec, write_lines
from train.cleaning import STEPS, Cleaner, LeftOut
from train.sources import BadRow, Message, conversation
from train.spec import CLEANING

SPEAKERS = {"u": "human", "a": "gpt", "s": "system", "b": "bing"}


def talk(text: str) -> dict[str, Any]:
    """A ShareGPT row in short: ``u:Hi a:Hello b:Yes``; a text of ``-`` is empty, one of ``0`` null."""
    texts: dict[str, str | None] = {"-": " \n", "0": None}
    turns = [word.split(":") for word in text.split()]
    return {"conversations": [{"from": SPEAKERS[who], "value": texts.get(said, said)} for who, said in turns]}


def cleaned(record: Any, *steps: str, row_format: str = "sharegpt") -> str | tuple[Message, ...]:
    """The conversation of a row, or the step that leaves it out."""
    try:
        return conversation(Row("x.json", "row", 3, record), row_format, {}, Cleaner(steps))
    except LeftOut as error:
        return error.step


def short(turns: str | tuple[Message, ...]) -> str:
    return turns if isinstance(turns, str) else " ".join(f"{turn.role[0]}:{turn.content}" for turn in turns)


@pytest.mark.parametrize(
    ("step", "row", "result"),
    [
        ("drop_unknown_speakers", "u:Hi b:Yes u:So a:No", "drop_unknown_speakers"),
        ("drop_empty_turns", "u:Hi a:Hello u:- a:-", "u:Hi a:Hello"),
        ("drop_empty_turns", "u:Hi a:Hello u:0 a:0", "u:Hi a:Hello"),
        ("drop_leading_assistant", "a:Before u:Hi a:Hello", "u:Hi a:Hello"),
        ("drop_leading_assistant", "s:Be a:Before a:Again u:Hi a:Hello", "s:Be u:Hi a:Hello"),
        ("merge_consecutive_turns", "u:Hi u:There a:Yes a:Sir u:Bye", "u:Hi\n\nThere a:Yes\n\nSir"),
        ("drop_unordered_conversations", "u:Hi u:There a:Yes", "drop_unordered_conversations"),
        ("drop_unordered_conversations", "a:Before u:Hi a:Hello", "drop_unordered_conversations"),
        ("drop_unordered_conversations", "u:Hi a:Yes s:Be u:So a:No", "drop_unordered_conversations"),
        ("drop_unordered_conversations", "u:Hi b:Yes u:So a:No", "drop_unordered_conversations"),
        ("drop_empty_conversations", "", "drop_empty_conversations"),
        ("drop_empty_conversations", "s:Be a:Hello", "drop_empty_conversations"),
        ("drop_empty_conversations", "u:- a:Hello", "drop_empty_conversations"),
        ("drop_empty_conversations", "u:Hi a:-", "drop_empty_conversations"),
    ],
)
def test_a_step_handles_the_rows_that_it_is_there_for(step: str, row: str, result: str) -> None:
    assert short(cleaned(talk(row), step)) == result
    with pytest.raises(BadRow):
        cleaned(talk(row))


def test_a_question_without_an_answer_is_left_out() -> None:
    assert short(cleaned(talk("u:Hi"), "drop_empty_conversations")) == "drop_empty_conversations"


@pytest.mark.parametrize("step", CLEANING)
def test_a_conversation_in_order_stays_as_it_is(step: str) -> None:
    row = talk("s:Be u:Hi a:Hello u:Bye a:Bye")
    assert cleaned(row, step) == cleaned(row)


def test_steps_are_applied_in_their_order() -> None:
    row = talk("u:Hi a:- u:There a:Yes")
    assert short(cleaned(row, "drop_empty_turns", "merge_consecutive_turns")) == "u:Hi\n\nThere a:Yes"
    assert short(cleaned(row, "drop_empty_turns", "drop_unordered_conversations")) == "drop_unordered_conversations"


def test_turns_that_differ_in_more_than_their_text_are_not_merged() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    result = {"role": "tool", "content": "3"}
    rows = [{"role": "user", "content": "Hi"}, call, result, result, {"role": "assistant", "content": "3"}]
    turns = cleaned({"messages": rows}, "merge_consecutive_turns", row_format="messages")
    assert [turn.role for turn in turns if isinstance(turn, Message)] == [row["role"] for row in rows]
    weighted = [
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "a", "weight": 0},
        {"role": "assistant", "content": "b"},
    ]  # fmt: skip
    with pytest.raises(BadRow, match="turn 3 is from the assistant"):
        cleaned({"messages": weighted}, "merge_consecutive_turns", row_format="messages")


@pytest.mark.parametrize(
    ("row_format", "record"),
    [
        ("alpaca", {"instruction": "Hi", "output": ""}),
        ("completion", {"prompt": "Hi", "completion": " "}),
        ("text", {"text": "\n"}),
    ],
)
def test_an_empty_answer_or_text_is_left_out_of_every_format(row_format: str, record: dict[str, str]) -> None:
    assert cleaned(record, "drop_empty_conversations", row_format=row_format) == "drop_empty_conversations"


def test_a_plain_text_passes_every_step() -> None:
    assert cleaned({"text": "Hi"}, *CLEANING, row_format="text") == (Message("text", "Hi"),)


def test_every_step_of_the_config_has_its_function() -> None:
    assert tuple(STEPS) == CLEANING


def test_what_each_step_does_is_counted(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = [
        "u:Hi a:Hello", "a:Before u:Hi a:Two", "u:Hi b:Yes", "u:Hi u:There a:Three", "u:Hi a:- u:There a:Four", "",
        "u:Hi", "u:Hi a:stop<|end|>here", "a:Only", "u:Hi a:Five u:- a:0", "u:Hi a:Hello",
    ]  # fmt: skip
    steps = ("drop_unknown_speakers", "drop_empty_turns", "drop_leading_assistant", "merge_consecutive_turns",
             "drop_empty_conversations", "drop_special_tokens")  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    data = write_lines(tmp_path / "rows.jsonl", map(talk, rows))
    spec = tokens_spec(format="sharegpt", clean=steps)
    train.tokens.run(spec, {"data": data, "tokenizer": tokenizer_folder}, out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["without_sample"] == {
        "left out by drop_empty_conversations": 3, "left out by drop_special_tokens": 1,
        "left out by drop_unknown_speakers": 1,
    }  # fmt: skip
    assert {step: count for step, count in manifest["cleaned"].items() if count} == {
        "drop_leading_assistant": 2, "drop_empty_turns": 2, "merge_consecutive_turns": 2,
    }  # fmt: skip
    assert (manifest["rows"], manifest["samples"], manifest["bad_rows"], manifest["repeated"]) == (11, 6, 0, 1)
    assert np.load(out / "rows.npy").tolist() == [0, 1, 3, 4, 9, 10]
