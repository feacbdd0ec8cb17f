"""Stage score: metrics with honest errors, byte for byte the same, and no verdict without containment."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from fractions import Fraction

import pytest

from common.rows import write_jsonl
from eval.items.metrics import interval, pass_at_k, ratio, share
from eval.spec.item_rows import ItemRow, item_rows
from eval.spec.scores import ScoreSpec
from eval.stages import score
from eval.stages.records import Records
from tests.eval.adding_up import check_items

SPEC = ScoreSpec("gsm8k", "math.jsonl", None, 2.0, 512)
PROMPT = 'def double(x):\n    """Twice x."""\n'
TEST = "def check(candidate):\n    assert candidate(4) == 8\n"
CODE = {
    "right": ("    return 2 * x\n", "passed"),
    "wrong": ("    return x\n", "failed"),
    "loop": ("    while True: pass\n", "timeout"),
    "leaves": ("    import os; os._exit(0)\n", "crashed"),
    "empty": ("", "failed"),
}


def answers(folder, texts):
    folder.mkdir()
    rows = [{"id": name, "text": text, "tokens": 3, "finish": finish} for name, text, finish in texts]
    write_jsonl(folder / "responses.jsonl", rows)
    return folder


def ran(out, spec, inputs):
    out.mkdir()
    score.run(spec, inputs, out)
    check_items(out)
    summary = json.loads((out / "summary.json").read_text())
    rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    return {metric["metric"]: metric for metric in summary["metrics"]}, summary, rows


def test_word_problems(tmp_path):
    write_jsonl(tmp_path / "math.jsonl", [{"question": "q", "answer": f"#### {number}"} for number in range(4)])
    texts = [("0", "#### 0", "stop"), ("1", "The answer is 1", "stop"), ("2", "", "stop"), ("3", "4 and", "length")]
    inputs = {"answers": answers(tmp_path / "answers", texts), "data": tmp_path}
    metrics, summary, rows = ran(tmp_path / "out", SPEC, inputs)
    values = {name: metric["value"] for name, metric in metrics.items()}
    assert values == {
        "accuracy": 0.5, "strict": 0.25, "format_rate": 0.25, "truncated_rate": 0.25, "empty_rate": 0.25,
        "parse_failure_rate": 0.25,
    }  # fmt: skip
    assert next(iter(metrics)) == "accuracy" and summary["sandbox"] is None
    assert metrics["accuracy"]["n_items"] == 4 and metrics["accuracy"]["stderr"] == 0.25
    assert [row["correct"] for row in rows] == [True, True, False, False]


def test_code_is_run_in_the_sandbox(tmp_path):
    write_jsonl(
        tmp_path / "code.jsonl",
        [{"task_id": name, "prompt": PROMPT, "entry_point": "double", "test": TEST} for name in CODE],
    )
    texts = [(name, text, "stop") for name, (text, _) in CODE.items()]
    inputs = {"answers": answers(tmp_path / "answers", texts), "data": tmp_path}
    spec = replace(SPEC, task="humaneval", file="code.jsonl", seconds=1.0)
    metrics, summary, rows = ran(tmp_path / "out", spec, inputs)
    assert {row["id"]: row["status"] for row in rows} == {name: status for name, (_, status) in CODE.items()}
    assert metrics["accuracy"]["value"] == 0.2 and metrics["timeout_rate"]["value"] == 0.2
    assert metrics["empty_rate"]["value"] == 0.2
    assert summary["sandbox"] >= 2 and summary["sandbox_name"].startswith(("isolated", "confined"))
    ran(tmp_path / "again", spec, inputs)
    for name in ("scores.jsonl", "summary.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_losses_are_clustered_by_sample(tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    rows = [
        {"id": str(number), "loss": loss, "tokens": tokens}
        for number, (loss, tokens) in enumerate([(2.0, 1), (6.0, 4)])
    ]
    write_jsonl(folder / "responses.jsonl", rows)
    metrics, _, scores = ran(tmp_path / "out", replace(SPEC, task="loss", file=""), {"answers": folder})
    # r = 8/5; residuals 2 - 1.6 and 6 - 6.4; sqrt(2/1 * 0.32) / 5
    assert metrics["loss"] == {"metric": "loss", "value": 1.6, "n_items": 2, "stderr": pytest.approx(0.16)}
    assert [row["mean"] for row in scores] == [2.0, 1.5]
    assert check_items(tmp_path / "out") == [ItemRow("loss", "0", 2.0, 1.0), ItemRow("loss", "1", 1.5, 4.0)]


def test_answers_to_other_items_are_refused(tmp_path):
    write_jsonl(tmp_path / "math.jsonl", [{"question": "q", "answer": "#### 1"}] * 3)
    inputs = {"answers": answers(tmp_path / "answers", [("0", "1", "stop"), ("9", "1", "stop")]), "data": tmp_path}
    with pytest.raises(ValueError, match="differ in 3 ids, first '1'"):
        ran(tmp_path / "out", SPEC, inputs)


def test_errors_of_shares_and_ratios():
    assert share("s", [True] * 3 + [False]).stderr == pytest.approx(math.sqrt(0.75 * 0.25 / 4))
    assert share("s", []) is None and ratio("r", [], []) is None and ratio("r", [0.0], [0]) is None
    # With one token each, the clustered error is that of a plain mean.
    found = ratio("r", [1.0, 2.0, 6.0], [1, 1, 1])
    assert found.value == 3 and found.stderr == pytest.approx(math.sqrt(7 / 3))
    assert ratio("r", [3.0], [2]).stderr == 0


def test_several_answers_to_an_item_are_one_cluster(tmp_path):
    write_jsonl(
        tmp_path / "code.jsonl",
        [{"task_id": name, "prompt": PROMPT, "entry_point": "double", "test": TEST} for name in ("a", "b")],
    )
    right, wrong = CODE["right"][0], CODE["wrong"][0]
    texts = {"a": [right, wrong, wrong, wrong, right], "b": [wrong] * 5}
    rows = [
        {"id": f"{name}#{number}", "item": name, "text": text, "tokens": 3, "finish": "stop"}
        for name, given in texts.items()
        for number, text in enumerate(given)
    ]
    folder = tmp_path / "answers"
    folder.mkdir()
    write_jsonl(folder / "responses.jsonl", rows)
    spec = replace(SPEC, task="humaneval", file="code.jsonl")
    metrics, _, scores = ran(tmp_path / "out", spec, {"answers": folder, "data": tmp_path})
    accuracy = metrics["accuracy"]
    assert (accuracy["value"], accuracy["n_items"]) == (0.2, 2) and accuracy["stderr"] == pytest.approx(0.2)
    assert metrics["pass@5"]["value"] == 0.5 and "pass@10" not in metrics
    assert [row["item"] for row in scores] == ["a"] * 5 + ["b"] * 5
    assert check_items(tmp_path / "out") == [ItemRow("accuracy", "a", 0.4, 1.0), ItemRow("accuracy", "b", 0.0, 1.0)]


def test_items_without_a_verdict_have_no_row():
    """A sample without supervised tokens, a judge's replies without a rating; a weight counts tokens and ratings."""
    losses = [{"id": "0", "loss": 6.0, "tokens": 4}, {"id": "1", "loss": 0.0, "tokens": 0}]
    assert item_rows("loss", losses) == [ItemRow("loss", "0", 1.5, 4.0)]
    shares = [("a", 0.5), ("b", None), ("a", 1.0), ("a", None)]
    ratings = [{"id": f"{item}/{turn}", "item": item, "share": share} for turn, (item, share) in enumerate(shares)]
    assert item_rows("mtbench", ratings) == [ItemRow("accuracy", "a", 0.75, 2.0)]


def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_answer():
    for answers, right, k in itertools.product(range(1, 8), range(8), range(1, 8)):
        if right <= answers and k <= answers:
            draws = list(itertools.combinations([True] * right + [False] * (answers - right), k))
            assert pass_at_k(answers, right, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_is_the_published_estimator_exactly():
    """1 - C(n - c, k) / C(n, k) in whole numbers, up to the sizes in use; the formula itself is a product of floats."""
    for answers in (1, 5, 20, 100, 200):
        for right in {0, 1, 2, answers // 3, answers - 1, answers} & set(range(answers + 1)):
            for k in {1, 2, 5, 10, 100} & set(range(1, answers + 1)):
                exact = 1 - Fraction(math.comb(answers - right, k), math.comb(answers, k))
                assert pass_at_k(answers, right, k) == pytest.approx(float(exact), rel=1e-12, abs=1e-12)


def test_intervals_of_shares_are_wilsons():
    # scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
    for right, count, low, high in ((0, 10, 0.0, 0.277533), (3, 10, 0.107791, 0.603222), (164, 164, 0.977113, 1.0)):
        found = interval(share("s", [True] * right + [False] * (count - right)))
        assert found == pytest.approx((low, high), abs=1e-6)
    clustered = interval(ratio("r", [2.0, 6.0], [1, 4]))
    assert clustered == pytest.approx((1.6 - 1.959964 * 0.16, 1.6 + 1.959964 * 0.16), abs=1e-6)


def test_a_killed_run_keeps_its_verdicts(tmp_path, monkeypatch):
    """Programs that were judged before the kill are not run again; on other answers they are."""
    write_jsonl(
        tmp_path / "code.jsonl",
        [{"task_id": str(n), "prompt": PROMPT, "entry_point": "double", "test": TEST} for n in range(6)],
    )
    folder = answers(tmp_path / "answers", [(str(n), CODE["right"][0], "stop") for n in range(6)])
    spec, inputs = replace(SPEC, task="humaneval", file="code.jsonl"), {"answers": folder, "data": tmp_path}
    out = tmp_path / "out"
    out.mkdir()
    add, judged = Records.add, []

    def dies(self, rows):
        rows = list(rows)
        if len(judged) == 4:
            raise RuntimeError("killed")
        add(self, rows)
        judged.extend(row["id"] for row in rows)

    monkeypatch.setattr(Records, "add", dies)
    with pytest.raises(RuntimeError, match="killed"):
        score.run(spec, inputs, out)
    monkeypatch.setattr(Records, "add", add)
    partial = out / "scores.partial.jsonl"
    assert len(judged) == 4 and not (out / "scores.jsonl").exists()
    partial.write_text(partial.read_text().replace('"status": "passed"', '"status": "as before"') + '{"id": "4", "cut')
    score.run(spec, inputs, out)
    rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["as before" if row["id"] in judged else "passed" for row in rows]
    assert not partial.exists() and len(rows) == 6

    partial.write_text(json.dumps({"key": "of other answers"}) + "\n" + json.dumps(rows[0]) + "\n")
    score.run(spec, inputs, out)
    assert '"as before"' not in (out / "scores.jsonl").read_text()


def test_verdicts_on_other_answers_are_not_taken_up(tmp_path):
    """A second score into the folder of a killed one continues it only where the answers are the same."""
    write_jsonl(tmp_path / "math.jsonl", [{"question": "q", "answer": f"#### {number}"} for number in range(2)])
    texts = {"same": ["#### 9", "#### 1"], "other": ["#### 8", "#### 1"]}
    for name, given in texts.items():
        answers(tmp_path / name, [(str(n), text, "stop") for n, text in enumerate(given)])
    inputs = {name: {"data": tmp_path, "answers": tmp_path / name} for name in texts}
    for name, taken_up in (("same", True), ("other", False)):
        out = tmp_path / f"{name} again"
        out.mkdir()
        with Records(out, "scores", score._key(SPEC, inputs["same"])) as records:
            records.add([{"id": "0", "correct": True, "strict": True, "formatted": True, "parsed": True, "text": ""}])
        score.run(SPEC, inputs[name], out)
        rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
        assert [row["correct"] for row in rows] == [taken_up, True]


def test_summaries_say_who_answered_and_warn_of_odd_answers(tmp_path):
    write_jsonl(tmp_path / "math.jsonl", [{"question": "q", "answer": "#### 1"}] * 5)
    texts = [(str(n), "so it goes on" if n < 2 else "#### 1", "length" if n < 2 else "stop") for n in range(5)]
    inputs = {"answers": answers(tmp_path / "answers", texts), "data": tmp_path}
    engine = {"engine": "local", "precision": "fp32", "versions": {"torch": "2"}}
    (tmp_path / "answers" / "manifest.json").write_text(json.dumps({"task": "gsm8k", "items": 5, **engine}))
    _, summary, _ = ran(tmp_path / "out", SPEC, inputs)
    assert {name: summary[name] for name in engine} == engine and summary["items"] == summary["answers"] == 5
    assert summary["warnings"] == [
        {"metric": "truncated_rate", "value": 0.4, "limit": 0.2},
        {"metric": "parse_failure_rate", "value": 0.4, "limit": 0.2},
    ]
    assert set(summary["intervals"]) == {row["metric"] for row in summary["metrics"]}
