"""Mistakes in the user's own files and overrides: the file, the key, what it holds and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import sweep

SOURCE = "defaults: [base, _self_]\nname: wrong\nsources: {{sums: {{ability: math, format: completion, {}}}}}\n"
SUITE = "name: wrong\nprecision: fp32\neval_batch_size: 8\ntasks: {{sums: {{ability: math, task: regex, {}}}}}\n"


@pytest.mark.parametrize(
    ("group", "text", "said"),
    [
        (
            "strategy",
            "name: wrong\nstage: [{all: 1}]\n",
            "strategy.stage is not in the config; did you mean strategy.stages?",
        ),
        (
            "strategy",
            "name: wrong\nstages: {all: 1}\n",
            "keys stand where a list belongs; begin each of its items with a",
        ),
        (
            "data",
            SOURCE.format("colums: {a: b}"),
            "data.sources.sums.colums is not in the config; did you mean 'columns'?",
        ),
        ("suite", SUITE.format("max_items: many"), "suite.tasks.sums.max_items='many' is not a whole number"),
    ],
)
def test_a_mistake_in_a_file_names_file_and_key(tmp_path: Path, group: str, text: str, said: str) -> None:
    (tmp_path / "dosage_conf" / group).mkdir(parents=True)
    (tmp_path / "dosage_conf" / group / "wrong.yaml").write_text(text)
    ran = sweep(f"{group}=wrong", "dry_run=true", store=tmp_path / "store", folder=tmp_path)
    assert ran.returncode == 2 and ran.stderr.startswith(f"error: {group}/wrong.yaml: {said}"), ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.sources.math.formt=x"], "data.sources.math.formt is not in the config; did you mean 'format'?"),
        (["data.sources.math.only={topic: [a]}"], "to add it, write +data.sources.math.only.topic=VALUE"),
        (["+suite.tasks.gsm8k.pattern='(['"], "pattern='([' is not a regular expression: unterminated"),
        (
            ["data.general=law"],
            "error: data.sources.general.ability=general: in strategies and amounts this word stands",
        ),
    ],
)
def test_a_mistake_in_an_override_says_what_to_write(tmp_path: Path, words: list[str], said: str) -> None:
    ran = sweep(*words, "dry_run=true", store=tmp_path / "store")
    assert ran.returncode == 2 and said in ran.stderr, ran.stderr


def test_what_the_message_says_to_write_works(tmp_path: Path) -> None:
    ran = sweep("+data.sources.math.only.topic=[a]", "dry_run=true", store=tmp_path / "store")
    assert ran.returncode == 0, ran.stderr
