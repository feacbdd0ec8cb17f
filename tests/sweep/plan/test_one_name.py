"""Two choices of a group that the table would call alike are refused, unless they are alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import sweep

SOURCES = "sources: {{sums: {{ability: math, format: completion, path: sums.jsonl, held_out_rows: {}}}}}\n"
FILES = {
    "strategy/half.yaml": "name: multitask\nstages: [{all: 1/2}]\n",
    "strategy/whole.yaml": "name: multitask\nstages: [{all: 1}]\n",
    "model/narrow.yaml": "defaults: [micro_xs, _self_]\nname: micro_s\n",
    "suite/sums.yaml": "name: sums\nprecision: fp32\neval_batch_size: 8\ntasks: {sums: {ability: math, task: loss}}\n",
    "data/first.yaml": "defaults: [base, _self_]\nname: mine\n" + SOURCES.format(2),
    "data/second.yaml": "defaults: [base, _self_]\nname: mine\n" + SOURCES.format(3),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "dosage_conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dosage_conf" / name).write_text(text)
    rows = (f'{{"prompt": "{n} + 1 =", "completion": "{n + 1}"}}\n' for n in range(20))
    (tmp_path / "sums.jsonl").write_text("".join(rows))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["strategy=multitask,half"], "strategy=multitask and strategy=half are unlike, .* name: multitask"),
        (["strategy=single", "model=micro_s,narrow"], "model=micro_s and model=narrow are unlike, .* name: micro_s"),
        (["data=first,second", "suite=sums"], "data=first and data=second are unlike, .* name: mine"),
    ],
)
def test_two_choices_of_one_name_are_refused(folder: Path, words: list[str], named: str) -> None:
    ran = sweep("-m", *words, "dry_run=true", store=folder / "store", folder=folder)
    assert ran.returncode == 2
    assert re.search(f"^error: {named}", ran.stderr, re.MULTILINE), ran.stderr


def test_equal_content_and_swept_keys_of_a_choice_are_no_two_things(folder: Path) -> None:
    for words in (["strategy=multitask,whole"], ["strategy=multitask", "strategy.stages=[{all: 1}],[{all: 1/2}]"]):
        ran = sweep("-m", *words, "dry_run=true", store=folder / "store", folder=folder)
        assert ran.returncode == 0, ran.stderr
