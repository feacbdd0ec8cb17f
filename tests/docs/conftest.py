"""Data for the commands of the pages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from common.rows import write_jsonl
from tests.conftest import PUBLIC_DATA


@pytest.fixture(scope="session")
def local_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of ``data=local``: parts of the public ones, and numbered rows instead of those that are trained on."""
    folder = tmp_path_factory.mktemp("local") / "data"
    shutil.copytree(PUBLIC_DATA["cut"], folder)
    numbers = range(8000)
    pairs = [{"instruction": f"Say {n}.", "input": "", "response": f"{n}"} for n in numbers]
    turns = [[{"from": "human", "value": f"Say {n}."}, {"from": "gpt", "value": f"{n}"}] for n in numbers]
    files = {"code/codegen_instruct": pairs, "general/roleplay_instruct": pairs}
    files["general/dummy_conversation"] = [{"conversations": talk} for talk in turns]
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    lines = {"general/self_instruct_seed_tasks": pairs}
    lines["math/gsm8k_train"] = [{"question": f"What is {n} + 1?", "answer": f"#### {n + 1}"} for n in numbers]
    for name, rows in lines.items():
        write_jsonl(folder / f"{name}.jsonl", rows)
    return folder
