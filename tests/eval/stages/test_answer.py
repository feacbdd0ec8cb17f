"""Stage answer: complete, deterministic, resumed after a kill, and clear about what it cannot do."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from eval.engines.models import load_tokenizer
from eval.items.jsonl import read
from eval.spec.answers import AnswerSpec, Decoding, EvalRun, Shots
from eval.spec.scores import ScoreSpec
from eval.stages import answer, score
from tests.eval.conftest import descendants

SPEC = AnswerSpec("gsm8k", "math.jsonl", None, None, None, Decoding(30, 0.0, 0), "fp32")
LOSS = replace(SPEC, task="loss", file="", decoding=None)
HOW = EvalRun("key", 4)


def ran(out, spec, inputs, execution=HOW):
    out.mkdir(exist_ok=True)
    answer.run(spec, inputs, out, execution)
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module")
def inputs(model_folder, problems):
    return {"model": model_folder, "data": problems}


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    return ran(tmp_path_factory.mktemp("whole"), SPEC, inputs)


def test_records_are_whole_and_in_order(whole, inputs, problems):
    rows = [json.loads(line) for line in whole["responses.jsonl"].splitlines()]
    assert [row["id"] for row in rows] == [str(number) for number in range(90)]
    questions = [row["question"] for row in read(problems / "math.jsonl")]
    for row, question in zip(rows, questions, strict=True):
        assert row["prompt"] == f"<s>user: {question}<end>assistant:\n"
        assert 0 < row["tokens"] <= 30 and row["finish"] == ("length" if row["tokens"] == 30 else row["finish"])
        assert "<end>" not in row["text"]
    manifest = json.loads(whole["manifest.json"])
    assert manifest["items"] == 90 and manifest["tokens"] == sum(row["tokens"] for row in rows)
    assert set(whole) == {"responses.jsonl", "manifest.json"}


def test_rows_in_a_batch_do_not_change_the_bytes(whole, inputs, tmp_path):
    assert ran(tmp_path / "one", SPEC, inputs, EvalRun("key", 64)) == whole


def test_items_keeps_the_first(whole, inputs, tmp_path):
    few = ran(tmp_path / "few", replace(SPEC, items=7), inputs)
    assert few["responses.jsonl"] == b"".join(whole["responses.jsonl"].splitlines(keepends=True)[:7])


def test_samples_of_an_item_differ_and_are_named(inputs, tmp_path):
    spec = replace(SPEC, items=3, samples=2, decoding=Decoding(30, 1.0, 0))
    found = ran(tmp_path / "drawn", spec, inputs)
    rows = [json.loads(line) for line in found["responses.jsonl"].splitlines()]
    assert [(row["id"], row["item"]) for row in rows] == [(f"{i}#{n}", str(i)) for i in range(3) for n in range(2)]
    assert all(
        a["prompt"] == b["prompt"] and a["text"] != b["text"] for a, b in zip(rows[::2], rows[1::2], strict=True)
    )
    assert ran(tmp_path / "again", spec, inputs, EvalRun("key", 64)) == found
    with pytest.raises(ValueError, match="samples=2: greedy answers are all the same"):
        replace(SPEC, samples=2)


def test_a_killed_run_goes_on_where_it_stood(whole, inputs, tmp_path):
    out = tmp_path / "killed"
    out.mkdir()
    killed(inputs, out, EvalRun("key", 1))
    kept = (out / "responses.partial.jsonl").read_text().splitlines()
    assert 10 < len(kept) < 91 and not (out / "responses.jsonl").exists()

    again = tmp_path / "again"
    shutil.copytree(out, again)
    assert ran(out, SPEC, inputs, EvalRun("key", 1)) == whole

    # A mark in a finished record survives: it was not answered twice. A torn line is answered again.
    marked = json.loads(kept[1]) | {"text": "marked"}
    (again / "responses.partial.jsonl").write_text(
        "\n".join([kept[0], json.dumps(marked), *kept[2:5]]) + "\n" + kept[5][:20]
    )
    rows = [json.loads(line) for line in ran(again, SPEC, inputs, EvalRun("key", 1))["responses.jsonl"].splitlines()]
    expected = [json.loads(line) for line in whole["responses.jsonl"].splitlines()]
    assert [row for row in rows if row not in expected] == [marked] and len(rows) == 90


def test_several_processes_write_the_same_bytes(whole, inputs, tmp_path):
    """Two are killed with their parent, three go on from there."""
    out = tmp_path / "several"
    out.mkdir()
    workers = killed(inputs, out, EvalRun("key", 2, 2))
    kept = (out / "responses.partial.jsonl").read_text().splitlines()
    assert len(workers) >= 2 and len(kept) < 91
    for _ in range(6000):
        if not any(alive(pid) for pid in workers):
            break
        time.sleep(0.01)
    assert not any(alive(pid) for pid in workers)
    assert ran(out, SPEC, inputs, EvalRun("key", 2, 3)) == whole


def killed(inputs, out, execution):
    """Answer in a process of its own and kill it when ten answers are recorded; the processes it had started."""
    process = multiprocessing.get_context("fork").Process(target=answer.run, args=(SPEC, inputs, out, execution))
    process.start()
    partial = out / "responses.partial.jsonl"
    for _ in range(6000):
        if partial.exists() and partial.read_bytes().count(b"\n") > 10:
            break
        time.sleep(0.01)
    started = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return started


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_what_is_wrong_in_a_worker_is_told(inputs, tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "empty")
    with pytest.raises(ValueError, match="Unrecognized model in"):
        ran(tmp_path / "out", SPEC, {**inputs, "model": tmp_path / "empty"}, EvalRun("key", 4, 2))
    with pytest.raises(ValueError, match="workers=0"):
        EvalRun("key", 4, 0)


def test_vllm_is_asked_for_before_any_work(inputs, tmp_path):
    if importlib.util.find_spec("vllm"):
        pytest.skip("vLLM is installed")
    with pytest.raises(
        ValueError, match=r"backend=vllm needs vllm, .* pip install 'dosage-llm\[vllm\]', or take backend=local"
    ):
        ran(tmp_path / "out", replace(SPEC, engine="vllm"), inputs)
    with pytest.raises(ValueError, match="engine='vlm' is unknown; choose one of: local, vllm"):
        replace(SPEC, engine="vlm")


def test_what_another_run_left_is_not_taken_over(whole, inputs, tmp_path):
    out = tmp_path / "other"
    out.mkdir()
    (out / "responses.partial.jsonl").write_text('{"key": "other"}\n{"id": "0", "text": "foreign"}\n')
    assert ran(out, SPEC, inputs) == whole


def test_held_out_losses(model_folder, tokens_folder, tmp_path):
    inputs = {"model": model_folder, "data.math": tokens_folder, "data.code": tokens_folder}
    files = ran(tmp_path / "loss", LOSS, inputs)
    rows = {row["id"]: row for row in map(json.loads, files["responses.jsonl"].splitlines())}
    assert list(rows) == [f"{name}/{number}" for name in ("code", "math") for number in range(12)]
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    ids, ends = np.load(tokens_folder / "ids.npy"), np.load(tokens_folder / "offsets.npy")
    flags = np.load(tokens_folder / "supervised.npy")
    for number in range(11):
        part = slice(ends[number], ends[number + 1])
        sample, wanted = torch.tensor(ids[part]).long(), torch.tensor(flags[part])
        with torch.no_grad():
            mean = model(input_ids=sample[None], labels=torch.where(wanted, sample, -100)[None]).loss.item()
        for name in ("code", "math"):
            row = rows[f"{name}/{number}"]
            assert row["loss"] == pytest.approx(mean * row["tokens"], rel=1e-5)
    assert rows["math/11"] == {"id": "math/11", "loss": 0.0, "tokens": 0}
    single = ran(tmp_path / "single", replace(LOSS, items=3), {"model": model_folder, "data": tokens_folder})
    assert [json.loads(line)["id"] for line in single["responses.jsonl"].splitlines()] == ["0", "1", "2"]


def test_errors_name_thing_and_remedy(inputs, tokens_folder, tmp_path, model_folder):
    with pytest.raises(ValueError, match=r"absent\.jsonl does not exist"):
        ran(tmp_path / "a", replace(SPEC, file="absent.jsonl"), inputs)
    with pytest.raises(ValueError, match="precision='int3' is unknown"):
        ran(tmp_path / "b", replace(SPEC, precision="int3"), inputs)
    with pytest.raises(ValueError, match="found no samples"):
        ran(tmp_path / "c", LOSS, {"model": model_folder})
    bare = tmp_path / "bare"
    shutil.copytree(model_folder, bare)
    for name in ("chat_template.jinja",):
        (bare / name).unlink()
    with pytest.raises(ValueError, match="no chat template"):
        ran(tmp_path / "d", SPEC, {**inputs, "model": bare})
    with pytest.raises(ValueError, match=r"model .*nowhere.* cannot be opened"):
        ran(tmp_path / "e", LOSS, {"model": tmp_path / "nowhere", "data": tokens_folder})


def test_a_sample_beyond_the_context_is_named(model_folder, tmp_path):
    folder = tmp_path / "long"
    folder.mkdir()
    np.save(folder / "ids.npy", np.zeros(300, dtype=np.int32))
    np.save(folder / "supervised.npy", np.ones(300, dtype=bool))
    np.save(folder / "offsets.npy", np.array([0, 300]))
    with pytest.raises(ValueError, match="sample 0 has 300 tokens, the model reads 256"):
        ran(tmp_path / "out", LOSS, {"model": model_folder, "data": folder})


def test_the_likeliest_choice_is_that_of_the_models_own_log_probabilities(model_folder, tmp_path):
    rows = [
        {"prompt": "Tom has", "choices": ["apples", "many pears and boxes", "9"], "answer": number % 3}
        for number in range(5)
    ]
    (tmp_path / "items.json").write_text(json.dumps(rows))
    spec = AnswerSpec("choice", "", None, None, None, None, "fp32", form="likelihood", shots=Shots(1, ""))
    inputs = {"model": model_folder, "data": tmp_path / "items.json", "shots": tmp_path / "other.json"}
    (tmp_path / "other.json").write_text(json.dumps([rows[0] | {"prompt": "Who gives away?"}]))
    written = ran(tmp_path / "out", spec, inputs)
    found = [json.loads(line) for line in written["responses.jsonl"].splitlines()]
    tokenizer, model = load_tokenizer(spec, inputs), AutoModelForCausalLM.from_pretrained(model_folder).eval()
    prompt = "Question: Who gives away?\nAnswer: apples\n\nQuestion: Tom has\nAnswer:"
    head = len(tokenizer(prompt)["input_ids"])
    for number, choice in enumerate(rows[0]["choices"]):
        ids = torch.tensor([tokenizer(f"{prompt} {choice}")["input_ids"]])
        logs = model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[head - 1 :]
        assert found[0]["likelihoods"][number] == pytest.approx(float(logs.detach().sum()), abs=1e-4)
    (tmp_path / "scores").mkdir()
    judged = ScoreSpec("choice", "", None, 1.0, 256, form="likelihood")
    score.run(judged, {"answers": tmp_path / "out", "data": tmp_path / "items.json"}, tmp_path / "scores")
    scores = read(tmp_path / "scores" / "scores.jsonl")
    best = max(range(3), key=found[0]["likelihoods"].__getitem__)
    per_byte = [
        value / len(f" {text}") for value, text in zip(found[0]["likelihoods"], rows[0]["choices"], strict=True)
    ]
    assert [row["correct"] for row in scores] == [best == number % 3 for number in range(5)]
    assert [row["correct_norm"] for row in scores] == [per_byte.index(max(per_byte)) == n % 3 for n in range(5)]
    with pytest.raises(ValueError, match="engine vllm gives no likelihoods"):
        replace(spec, engine="vllm")
