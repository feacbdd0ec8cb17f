"""How items are put: few-shot and completion prompts to the letter, stops, base models without a chat template."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from common.rows import write_jsonl
from eval.engines import local
from eval.engines.models import load_tokenizer
from eval.items.jsonl import read
from eval.sandbox.pool import run_all
from eval.sandbox.programs import Limits
from eval.spec.answers import AnswerSpec, Decoding, EvalRun, Reading, Shots
from eval.spec.scores import ScoreSpec
from eval.spec.tasks import Task
from eval.stages import answer, score
from eval.tasks import COMPLETIONS, FORMS, TASKS, gsm8k, humaneval, mbpp
from eval.tasks.shots import items_with_shots, shots

SPEC = AnswerSpec("gsm8k", "", None, None, None, Decoding(4, 0.0, 0), "fp32")
EXAMPLES = [{"question": f"q{number}", "answer": f"a{number} #### {number}"} for number in range(6)]
ITEM = {"question": "How many?", "answer": "#### 3"}


def shown(number, seed=None):
    """The examples of `EXAMPLES` that the task would show."""

    def of(folder):
        write_jsonl(folder / "train.jsonl", EXAMPLES)
        spec = replace(SPEC, shots=Shots(number, "train.jsonl", seed))
        return shots(spec, {"shots": folder})[:number]  # one more may take an item's own place

    return of


def test_worked_examples_are_the_first_or_drawn_by_a_seed(tmp_path):
    names = [[row["question"] for row in shown(3, seed)(tmp_path)] for seed in (None, 1, 1, 2)]
    assert names[0] == ["q0", "q1", "q2"]
    assert names[1] == names[2] != names[3] and len(set(names[1])) == 3
    with pytest.raises(ValueError, match=r"shots=7: .*train\.jsonl holds 6 worked examples"):
        shown(7)(tmp_path)


@pytest.mark.parametrize("seed", [None, 1])
def test_an_item_is_never_among_its_own_worked_examples(tmp_path, seed):
    write_jsonl(tmp_path / "items.jsonl", EXAMPLES)
    spec = replace(SPEC, shots=Shots(2, "", seed))
    items = items_with_shots(spec, {"data": tmp_path / "items.jsonl", "shots": tmp_path / "items.jsonl"})
    assert all(len(item["shots"]) == 2 for item in items)
    assert all(item["question"] not in [one["question"] for one in item["shots"]] for item in items)
    assert len({tuple(one["question"] for one in item["shots"]) for item in items}) == 3  # others see the same ones
    write_jsonl(tmp_path / "two.jsonl", EXAMPLES[:2])
    with pytest.raises(ValueError, match="item 0 is among its own worked examples, and no others are left"):
        items_with_shots(spec, {"data": tmp_path / "two.jsonl", "shots": tmp_path / "two.jsonl"})


def test_word_problems_with_examples(tmp_path):
    item = ITEM | {"shots": shown(2)(tmp_path)}
    turns = TASKS["gsm8k"].messages(item)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant", "user"]
    assert [turn["content"] for turn in turns] == ["q0", "a0 #### 0", "q1", "a1 #### 1", "How many?"]
    (text,) = COMPLETIONS["gsm8k"].messages(item)
    assert text == {
        "role": "text",
        "content": "Question: q0\nAnswer: a0 #### 0\n\nQuestion: q1\nAnswer: a1 #### 1\n\nQuestion: How many?\nAnswer:",
    }
    assert gsm8k.messages(ITEM) == turns[-1:]


def test_functions_are_completed_from_the_prompt_to_the_letter():
    item = {"id": "a", "prompt": 'def f():\n    """One."""\n', "entry_point": "f", "test": "def check(f): pass"}
    assert COMPLETIONS["humaneval"].messages(item) == [{"role": "text", "content": item["prompt"]}]
    program = COMPLETIONS["humaneval"].program(item, "    return 1")
    assert program.code == item["prompt"] + "    return 1\n" and program.tests.endswith("check(f)\n")
    assert COMPLETIONS["humaneval"].score(item, "    return 1", "passed") == {
        "correct": True, "status": "passed", "parsed": True, "extracted": item["prompt"] + "    return 1"
    }  # fmt: skip
    assert not COMPLETIONS["humaneval"].score(item, "    return (", "failed")["parsed"]


@pytest.mark.parametrize(
    "head", ["import math\n", "from math import pi\n", "```python\n", "# Sure\n", "def helper():\n    pass\n"]
)
def test_stops_leave_chat_answers_that_begin_with_imports_or_a_fence_alone(head):
    """What ends a completion must not end a chat answer: it would be empty."""
    text = f"Here you are:\n{head}def f():\n    return 1\n"
    assert not any(stop in text for stop in TASKS["humaneval"].stops)
    assert any(stop in text for stop in COMPLETIONS["humaneval"].stops)
    body = "    # so\n    if x:\n        print(x)\n    @cached\n    def inner():\n        import math\n    return 1\n"
    assert not any(stop in body for stop in COMPLETIONS["humaneval"].stops)


def test_published_short_programs_in_both_forms(public_data):
    path = public_data / "code" / "mbpp.jsonl"
    examples = mbpp.examples(path)
    assert [row["id"] for row in examples] == ["2", "3", "4"]
    item = mbpp.items(path)[0] | {"shots": examples}
    (text,) = COMPLETIONS["mbpp"].messages(item)
    parts = text["content"].split("\n\nYou are an expert Python programmer, and here is your task: ")
    assert len(parts) == 4 and text["content"].endswith("[BEGIN]\n") and text["content"].count("[DONE]") == 3
    assert parts[1].startswith("Write a python function to identify non-prime numbers. Your code should pass")
    turns = TASKS["mbpp"].messages(item)
    assert len(turns) == 7 and turns[1]["content"] == examples[0]["code"]
    with_constant = "R = 3\r\n" + item["code"]
    assert COMPLETIONS["mbpp"].program(item, with_constant).code == with_constant + "\n"
    assert mbpp.candidate(item, f"Here:\n```\n{with_constant}\n```").startswith("R = 3\ndef ")


@pytest.fixture(scope="module")
def base_folder(model_folder, tmp_path_factory):
    """A base model: no chat template, and a tokenizer that puts a BOS before texts."""
    import shutil

    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("base") / "model"
    shutil.copytree(model_folder, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = None
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    for file in folder.glob("chat_template*"):
        file.unlink()
    tokenizer.save_pretrained(folder)
    return folder


def test_a_base_model_is_measured_in_completion_form(base_folder, tmp_path):
    write_jsonl(tmp_path / "math.jsonl", [ITEM] * 3)
    write_jsonl(tmp_path / "train.jsonl", EXAMPLES)
    inputs = {"model": base_folder, "data": tmp_path / "math.jsonl", "shots": tmp_path / "train.jsonl"}
    with pytest.raises(ValueError, match=r"has no chat template; .*form: completion, for the tasks gsm8k, humaneval"):
        load_tokenizer(SPEC, inputs)
    spec = replace(SPEC, form="completion", shots=Shots(2, ""), system="Never shown.")
    answer.run(spec, inputs, tmp_path, EvalRun("key", 8))
    rows = read(tmp_path / "responses.jsonl")
    assert len(rows) == 3 and rows[0]["prompt"].startswith("Question: q0\n") and "Never" not in rows[0]["prompt"]
    plain = load_tokenizer(spec, inputs)(rows[0]["prompt"], add_special_tokens=False)["input_ids"]
    assert rows[0]["prompt_tokens"] == len(plain) + 1  # exactly one BOS
    (tmp_path / "out").mkdir()
    judged = ScoreSpec("gsm8k", "", None, 1.0, 256, Reading(), "completion")
    score.run(judged, {"answers": tmp_path, "data": tmp_path / "math.jsonl"}, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "summary.json").read_bytes())["engine"] == "local"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"task": "ifeval", "form": "completion"},
            "task ifeval does not have it; tasks that do: gsm8k",
        ),
        ({"task": "gsm8k", "form": "talk"}, "form='talk' is unknown; choose one of: chat, completion"),
        ({"task": "humaneval", "shots": 2, "shots_from": "x"}, "shots=2: worked examples.* for the tasks gsm8k, mbpp"),
        ({"task": "gsm8k", "shots": 2}, "shots=2: set shots_from to the place"),
        ({"task": "gsm8k", "hub": "a/b", "path": None}, "hub=a/b: also give revision"),
        ({"task": "gsm8k", "world": "w"}, "give exactly one of world, path and hub"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_birth(given, message):
    with pytest.raises(ValueError, match=message):
        Task(**{"ability": "a", "path": "p", **given})


def test_every_form_is_that_of_a_task():
    assert set(FORMS) == {"chat", "completion", "likelihood"} and set(COMPLETIONS) <= set(TASKS)
    assert humaneval.STOPS != humaneval.MARGIN


def test_a_nucleus_keeps_the_likeliest_tokens_that_reach_it(monkeypatch):
    chances = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.25, 0.25, 0.25, 0.25]])
    for first in (1024, 2):  # tokens among which it is looked for before the whole vocabulary is sorted
        monkeypatch.setattr(local, "NUCLEUS", first)
        for top_p, kept, of_equals in ((0.5, {1}, 2), (0.74, {1, 3}, 3), (0.76, {1, 3, 2}, 4), (1.0, {0, 1, 2, 3}, 4)):
            ranked, tokens = local._nucleus(chances, top_p)
            tokens = torch.arange(4).expand(2, 4) if tokens is None else tokens
            assert {int(token) for token in tokens[0][ranked[0] > 0]} == kept
            assert int((ranked[1] > 0).sum()) == of_equals


@pytest.mark.parametrize(
    ("name", "file", "most"), [("humaneval", "HumanEval.jsonl.gz", 164), ("mbpp", "mbpp.jsonl", 50)]
)
def test_published_solutions_pass_as_completions(name, file, most, public_data):
    items = TASKS[name].items(public_data / "code" / file, Reading())
    items = items[:: -(-len(items) // most)]
    programs = [COMPLETIONS[name].program(item, item["code"]) for item in items]
    assert {verdict.status for verdict in run_all(programs, Limits(3, 1 << 30))[0]} == {"passed"}
