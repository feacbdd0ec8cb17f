"""What a table says that a model was trained on is what its training saw; what became of rows is said under it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sweep.results.warnings import _of_source
from tests.conftest import MATH_ALONE, TINY, sweep
from tests.train.tiny import write_lines

pytestmark = pytest.mark.slow


def row(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


KEPT = [row("add 7 and two?", "answer 7")]


def run(store: Path, rows: list[Any], *words: str, **source: Any) -> Any:
    """A sweep of an own source ``mine``, one sample a step, measured also by the loss on another file."""
    path, kept = (write_lines(store.parent / f"{name}.jsonl", some) for name, some in (("rows", rows), ("kept", KEPT)))
    settings = {"ability": "mine", "format": "messages", "path": str(path)} | source
    mine = "{" + ", ".join(f"{name}: {value}" for name, value in settings.items()) + "}"
    loss = f"+suite.tasks.kept={{ability: mine, task: loss, format: messages, path: {kept}}}"
    others = [f"~suite.tasks.{name}" for name in ("math_loss", "gsm8k")]
    choices = ["ability=mine", "strategy=single", "recipe.batch_samples=1", "name=s", *MATH_ALONE, *others]
    return sweep("-m", *TINY, f"+data.sources.mine={mine}", loss, *choices, *words, store=store)


def table(store: Path) -> pd.DataFrame:
    whole = pd.read_csv(store / "sweeps" / "s" / "table.csv")
    return whole[whole["task"] == "kept"].sort_values("fraction")


def trained(store: Path) -> list[dict[str, Any]]:
    """What each fine-tuning says of the source ``mine``."""
    summaries = [json.loads(path.read_text())["sources"] for path in (store / "train").glob("*/summary.json")]
    return sorted((one["mine"] for one in summaries if "mine" in one), key=lambda one: one["samples"])


def test_rows_whose_prompt_fills_the_length_are_no_samples(store_path: Path):
    rows = [row(f"add {i} and two?", f"answer {i}") for i in range(6)]
    rows += [row("quick brown fox " * 80 + str(i), f"answer {i}") for i in range(4)]
    planned = run(store_path, rows, "fraction=1/2,1", "dry_run=true")
    assert "note: data.sources.mine: every row is taken for a sample" in planned.stdout
    assert not (store_path / "tokens").exists()
    ended = run(store_path, rows, "fraction=1/2,1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "tokenising 1 source to count its samples" in ended.stdout
    assert "warning: 4 of 10 rows of mine gave no sample: the prompt fills max_length" in ended.stdout
    assert [(one["samples"], one["presentations"]) for one in trained(store_path)] == [(3, 3), (6, 6)]
    rows_of_table = table(store_path)
    assert rows_of_table["train_samples"].tolist() == [3, 6]
    assert rows_of_table["total_samples"].tolist() == [3, 6]
    assert rows_of_table["presentations"].tolist() == [3, 6]
    totals = [(one["tokens"], one["supervised_tokens"]) for one in trained(store_path)]
    assert list(zip(rows_of_table["tokens"], rows_of_table["supervised_tokens"], strict=True)) == totals
    again = run(store_path, rows, "fraction=1/2,1", "dry_run=true")
    assert "note" not in again.stdout and "mine:6" in again.stdout  # counted by now


def test_bad_rows_are_no_samples_and_more_than_there_are_is_refused(store_path: Path):
    rows = [row(f"add {i}?", f"answer {i}") for i in range(3)] + [{"messages": []}] * 5 + [row("add 0?", "answer 0")]
    refused = run(store_path, rows, "+amount.mine=5", on_bad_row="skip")
    assert refused.returncode == 2
    assert "trains on 5 samples of mine, but its sources hold 4" in refused.stderr
    assert not (store_path / "train").exists()
    repeated = run(store_path, rows, "+amount.mine=5", "allow_repeats=true", on_bad_row="skip")
    assert repeated.returncode == 0, repeated.stdout + repeated.stderr
    assert "warning: 5 of 9 rows of mine gave no sample: malformed" in repeated.stdout
    assert "warning: 1 of 9 rows of mine repeat an earlier row" in repeated.stdout
    assert [(one["samples"], one["presentations"]) for one in trained(store_path)] == [(4, 5)]


def test_a_source_that_cannot_be_tokenised_is_named_before_anything_trains(store_path: Path):
    ended = run(store_path, [row("add?", "answer"), row("add?", "")])
    assert ended.returncode == 2
    assert "data.sources.mine: " in ended.stderr and "rows.jsonl, line 2, field 'messages[1].content'" in ended.stderr
    assert not (store_path / "train").exists()


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, []),
        ({"without_sample": {"malformed": 2}}, ["warning: 2 of 10 rows of a gave no sample: malformed"]),
        (
            {"without_sample": {"malformed": 2, "the prompt fills max_length": 1}, "truncated": 1},
            ["warning: 3 of 10 rows of a gave no sample: malformed (2), the prompt fills max_length (1)"],
        ),
        ({"truncated": 3}, ["note: 3 of 8 samples of a were cut at max_length"]),
        ({"cleaned": {"x": 0, "y": 4}}, ["note: y changed 4 of 10 rows of a"]),
        ({"repeated": 2}, ["warning: 2 of 10 rows of a repeat an earlier row"]),
    ],
)
def test_lines_on_a_source(changes: dict[str, Any], lines: list[str]):
    manifest = {"rows": 10, "samples": 8, "without_sample": {}, "repeated": 0, "truncated": 0, "cleaned": {}}
    assert list(_of_source("a", manifest | changes)) == lines
