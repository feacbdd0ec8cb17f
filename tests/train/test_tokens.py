"""Stage tokens: the supervised tokens, the counts in the manifest, and the same prompts as in evaluation."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

import train.tokens
from tests.train.tiny import chats, make_tokenizer, outputs, problems, tokens_spec, write_lines
from train.render import Renderer, load_tokenizer, set_template
from train.sources import Message
from train.tokens import part_rows

TEMPLATES = ("micro", "vicuna", "alpaca")


def tokenise(folder: Path, tokenizer: Path, rows: list[Any], **changes: Any) -> tuple[Path, dict[str, Any]]:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    data = write_lines(folder / "rows.jsonl", rows)
    train.tokens.run(tokens_spec(**changes), {"data": data, "tokenizer": tokenizer}, out)
    return out, json.loads((out / "manifest.json").read_text())


def texts(out: Path, *, supervised: bool) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(str(out / "tokenizer"))
    ids, mask, edges = (np.load(out / f"{name}.npy") for name in ("ids", "supervised", "offsets"))
    spans = [slice(a, b) for a, b in pairwise(edges)]
    return [str(tokenizer.decode(ids[span][mask[span]] if supervised else ids[span])) for span in spans]


def test_only_the_answer_and_its_end_carry_loss(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = problems(3)
    out, manifest = tokenise(tmp_path, tokenizer_folder, rows)
    assert texts(out, supervised=True) == [row["answer"] + "<|end|>" for row in rows]
    first = f"<|bos|><|user|>{rows[0]['question']}<|assistant|>{rows[0]['answer']}<|end|>"
    assert texts(out, supervised=False)[0] == first
    assert manifest["supervised_tokens"] == np.load(out / "supervised.npy").sum()
    assert [np.load(out / f"{name}.npy").dtype for name in ("ids", "supervised", "offsets", "rows")] == [
        np.int32, np.bool_, np.int64, np.int64,
    ]  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_answer_of_a_conversation_carries_loss(tmp_path: Path, tokenizer_folder: Path, template: str) -> None:
    out, _ = tokenise(tmp_path, tokenizer_folder, chats(2), format="sharegpt", template=template, max_length=512)
    answers = [[part.strip() for part in text.split("<|end|>")] for text in texts(out, supervised=True)]
    assert answers == [["A nice 0.", ""], ["A nice 1.", "Once more: 1, as you wish.", ""]]


@pytest.mark.parametrize("template", TEMPLATES)
@settings(max_examples=25, deadline=None)
@given(question=st.text(min_size=1, max_size=30), answer=st.text(min_size=1, max_size=30))
def test_the_prompt_of_evaluation_is_the_beginning_of_the_training_sample(
    tokenizer_folder: Path, template: str, question: str, answer: str
) -> None:
    tokenizer = load_tokenizer(tokenizer_folder, None)
    set_template(tokenizer, template)
    renderer = Renderer(tokenizer, system="", supervise="assistant")
    outcome = renderer.samples([(Message("user", question), Message("assistant", answer))])[0]
    if outcome.sample is None:  # refused only for a text that contains a special token
        assert "special token" in outcome.problem
        return
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
    )
    sample = outcome.sample
    assert sample.ids[: len(prompt)] == prompt
    assert sample.supervised == [False] * len(prompt) + [True] * (len(sample.ids) - len(prompt))
    assert sample.ids.count(tokenizer.bos_token_id) == 1
    assert sample.ids[-1] == tokenizer.eos_token_id


def test_malformed_rows_stop_or_are_counted(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = problems(6)
    rows[2] = {"question": "no answer"}
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 3, field 'answer': is missing"):
        tokenise(tmp_path, tokenizer_folder, rows)
    out, manifest = tokenise(tmp_path, tokenizer_folder, rows, on_bad_row="skip")
    assert (manifest["samples"], manifest["rows"], manifest["bad_rows"]) == (5, 6, 1)
    assert manifest["bad_rows_listed"][0]["line"] == 3
    assert np.load(out / "rows.npy").tolist() == [0, 1, 3, 4, 5]


def test_a_special_token_in_the_text_is_a_bad_row(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = problems(2)
    rows[1]["answer"] = "stop<|end|>here #### 1"
    with pytest.raises(ValueError, match=r"line 2.*'<\|end\|>', a special token"):
        tokenise(tmp_path, tokenizer_folder, rows)


def test_a_sample_of_exactly_the_longest_length_is_whole(tmp_path: Path, tokenizer_folder: Path) -> None:
    _, whole = tokenise(tmp_path, tokenizer_folder, problems(1))
    length = whole["longest"]
    _, exact = tokenise(tmp_path, tokenizer_folder, problems(1), max_length=length)
    assert (exact["samples"], exact["too_long"], exact["longest"]) == (1, 0, length)
    with pytest.raises(ValueError, match=f"line 1: {length} tokens, over max_length={length - 1}"):
        tokenise(tmp_path, tokenizer_folder, problems(1), max_length=length - 1)


def test_long_samples_stop_are_skipped_or_cut(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = problems(4)
    rows[1]["answer"] = "1 + 1 = 2. " * 40 + "#### 2"
    rows[2]["question"] = "why? " * 90
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 2: \d+ tokens, over max_length=64.*on_overlong=skip"):
        tokenise(tmp_path, tokenizer_folder, rows, max_length=64)
    _, skipped = tokenise(tmp_path, tokenizer_folder, rows, max_length=64, on_long="skip")
    assert (skipped["samples"], skipped["too_long"], skipped["truncated"]) == (2, 2, 0)
    out, cut = tokenise(tmp_path, tokenizer_folder, rows, max_length=64, on_long="truncate")
    assert (cut["samples"], cut["too_long"], cut["truncated"], cut["unsupervised"]) == (3, 2, 2, 1)
    assert cut["longest"] == 64
    assert np.load(out / "rows.npy").tolist() == [0, 1, 3]


def test_a_source_without_a_supervised_token_is_refused(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = [{"conversations": [{"from": "human", "value": "Hello?"}]}]
    with pytest.raises(ValueError, match=r"line 1.*no token that carries loss"):
        tokenise(tmp_path, tokenizer_folder, rows, format="sharegpt")
    with pytest.raises(
        ValueError, match=r"none of the 1 rows gives a sample: malformed \(1\), first rows\.jsonl, line 1, which has no"
    ):
        tokenise(tmp_path, tokenizer_folder, rows, format="sharegpt", on_bad_row="skip")
    with pytest.raises(
        ValueError, match=r"first rows\.jsonl, line 1, field 'prompt', which is missing \(found: convers"
    ):
        tokenise(tmp_path, tokenizer_folder, rows, format="completion", on_bad_row="skip")


def test_plain_text_is_framed_and_all_of_it_is_learned(tmp_path: Path, tokenizer_folder: Path) -> None:
    out, _ = tokenise(tmp_path, tokenizer_folder, [{"text": "One two."}], format="text", supervise="all")
    assert texts(out, supervised=False) == ["<|bos|>One two.<|end|>"]
    assert texts(out, supervised=True) == ["One two.<|end|>"]


@given(rows=st.integers(2, 300), fraction=st.floats(0, 0.99))
def test_held_out_rows_and_the_rest_are_a_partition(rows: int, fraction: float) -> None:
    count = int(fraction * rows)
    held_out, train_rows = part_rows(rows, count, "held_out"), part_rows(rows, count, "train")
    assert len(held_out) == count
    assert sorted(held_out + train_rows) == list(range(rows))
    assert set(part_rows(rows, count // 2, "held_out")) <= set(held_out)


def test_one_row_must_remain_for_training() -> None:
    assert [len(part_rows(5, 4, part)) for part in ("held_out", "train")] == [4, 1]
    for held_out in (5, 6):
        with pytest.raises(ValueError, match=f"held_out={held_out}, but the source has only 5 rows"):
            part_rows(5, held_out, "train")


def test_unstable_and_endless_templates_are_refused(tmp_path: Path, tokenizer_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_folder))
    text = "{% for m in messages %}<|user|>{{ m['content'] }}{% endfor %}"
    tokenizer.chat_template = text
    tokenizer.save_pretrained(str(tmp_path / "endless"))
    with pytest.raises(ValueError, match=r"cannot be trained on.*does not end with eos_token"):
        tokenise(tmp_path, tmp_path / "endless", problems(1), template="tokenizer")
    tokenizer.chat_template = "{{ messages | length }}" + text + "<|end|>"
    tokenizer.save_pretrained(str(tmp_path / "unstable"))
    with pytest.raises(ValueError, match=r"prompt of answer 1 is not the beginning of the whole"):
        tokenise(tmp_path, tmp_path / "unstable", problems(1), template="tokenizer")
    with pytest.raises(ValueError, match=r"chatml.*<\|im_end\|>.*does not have"):
        tokenise(tmp_path, tokenizer_folder, problems(1), template="chatml")
    with pytest.raises(ValueError, match=r"'cml' is unknown.*alpaca, chatml, micro, vicuna"):
        tokenise(tmp_path, tokenizer_folder, problems(1), template="cml")


def test_chatml_ends_turns_with_its_own_token(tmp_path: Path, tokenizer_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_folder))
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.save_pretrained(str(tmp_path / "tokenizer"))
    rows = problems(1)
    out, _ = tokenise(tmp_path, tmp_path / "tokenizer", rows, template="chatml", system="Be kind.")
    assert texts(out, supervised=True) == [rows[0]["answer"] + "<|im_end|>"]
    assert texts(out, supervised=False)[0].startswith("<|bos|><|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user")
    assert AutoTokenizer.from_pretrained(str(out / "tokenizer")).eos_token == "<|im_end|>"


def test_tokenizer_and_tokens_are_the_same_bytes_every_time(tmp_path: Path, tokenizer_folder: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tokenizer = make_tokenizer(tmp_path / name)
        assert outputs(tokenizer) == outputs(tokenizer_folder)
        (tmp_path / name / "tokens").mkdir()
        tokenise(tmp_path / name / "tokens", tokenizer, problems(8))
    assert outputs(tmp_path / "a" / "tokens" / "out") == outputs(tmp_path / "b" / "tokens" / "out")


def test_only_rows_with_the_wanted_values_are_used(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = [row | {"topic": topic, "level": 1} for row, topic in zip(problems(6), "aabcab", strict=True)]
    out, manifest = tokenise(tmp_path, tokenizer_folder, rows, only=(("topic", ("a", "c")), ("level", ("1",))))
    assert texts(out, supervised=True) == [rows[number]["answer"] + "<|end|>" for number in (0, 1, 3, 4)]
    assert manifest["without_sample"] == {"left out by only.topic": 2}
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 1, field 'kind': is missing \(found: .*topic, level\)"):
        tokenise(tmp_path, tokenizer_folder, rows, only=(("kind", ("a",)),))
