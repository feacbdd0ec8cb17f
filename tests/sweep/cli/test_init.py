"""`python -m sweep init` looks at files and writes a config that sweeps."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from common.options import parse
from sweep.cli.init import amounts, init
from sweep.cli.look import Place, look
from sweep.cli.options import Init
from tests.conftest import HANG_SECONDS, ROOT, sweep
from tests.hub import Repository, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def looked(path: Path, ability: str = ""):
    return look(Place(path, path), ability)


def jsonl(path: Path, *records: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


TALK = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    ("record", "row_format", "columns"),
    [
        ({"question": "1 + 1?", "answer": "It is 2.\n#### 2"}, "gsm8k", {}),
        ({"query": "Capital?", "answer": "Paris"}, "completion", {"prompt": "query", "completion": "answer"}),
        ({"instruction": "Add.", "input": "1 1", "response": "2"}, "alpaca", {"output": "response"}),
        ({"Prompt": "Add 1 and 1.", "Completion": "2"}, "completion", {"prompt": "Prompt", "completion": "Completion"}),
        ({"conversations": TALK}, "sharegpt", {}),
        ({"conversations": TURNS}, "messages", {"messages": "conversations"}),
        ({"text": "Once upon a time"}, "text", {}),
    ],
)  # fmt: skip
def test_format_and_columns_are_guessed(record, row_format, columns, here: Path):
    found = looked(jsonl(here / "own.jsonl", *[record] * 12), "x")
    assert (found.format, found.columns, found.rows, len(found.samples), found.bad) == (row_format, columns, 12, 3, [])


@pytest.mark.parametrize(
    ("name", "answer", "ability"),
    [
        ("gsm8k_train", "so 2", "math"),
        ("code_alpaca", "so 2", "code"),
        ("sharegpt", "so 2", "general"),
        ("my rows", "2\n#### 2", "math"),
        ("my rows", "def f():\n    return 2", "code"),
        ("My Rows-v2", "so 2", "my_rows_v2"),
        ("all", "so 2", "all_data"),
        ("gsm8k/train", "so 2", "math"),
        ("rivers/data/train-00001-of-00002", "so 2", "rivers"),
        ("rivers/part_0", "so 2", "rivers"),
        ("part-00003-0a1b2c3d-4e5f", "so 2", "part_00003_0a1b2c3d_4e5f"),
    ],
)
def test_ability_is_guessed_from_the_names_then_from_the_answers(name, answer, ability, here: Path):
    path = jsonl(Path(f"{name}.jsonl"), {"prompt": "What?", "completion": answer})
    assert looked(path).ability == ability


def test_columns_are_known_by_a_word_of_their_names_that_hold_text(here: Path):
    row = {"question_id": "7", "customer question": "Where is it?", "agent reply": "It left on day 3.", "rating": "5"}
    found = looked(jsonl(here / "tickets.jsonl", row))
    assert found.columns == {"prompt": "customer question", "completion": "agent reply"}


def test_rows_that_cannot_be_used_are_counted_and_named(here: Path):
    path = jsonl(here / "own.jsonl", {"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": ""}, [1])
    found = looked(path, "x")
    assert found.rows == 3 and found.bad[0] == "line 2, completion: is empty" and len(found.bad) == 2
    assert found.source["on_bad_row"] == "skip" and found.source["held_out_rows"] == 1


def test_a_sweep_of_four_abilities_is_planned_from_three_files_and_a_folder(here: Path):
    with (here / "capitals.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([["question", "answer"], *([f"Capital of country {n}?", f"City {n}"] for n in range(60))])
    jsonl(here / "sums.jsonl", *[{"question": f"{n} + 1?", "answer": f"#### {n + 1}"} for n in range(80)])
    jsonl(here / "chat.json").write_text(json.dumps([{"conversations": TALK}] * 90))
    (here / "hub like" / "data").mkdir(parents=True)
    rows = pd.DataFrame({"prompt": ["river?"] * 70, "completion": ["Rhine"] * 70})
    rows.to_parquet(here / "hub like" / "data" / "train-00000-of-00001.parquet")
    rows.to_parquet(here / "hub like" / "data" / "test-00000-of-00001.parquet")
    text = init(parse(Init, ["data=capitals.csv,sums.jsonl,chat.json,hub like", "ability=facts,math,general,geo"])).text
    assert "capitals.csv: 60 rows, ability facts, format completion (prompt in column question" in text
    assert "  1 trained on assistant  City 0" in text and "70 rows, ability geo" in text and "test-" not in text
    written = (here / "dosage_conf/data/mine.yaml").read_text().splitlines()[0]
    assert written.endswith("data=capitals.csv,sums.jsonl,chat.json,hub like ability=facts,math,general,geo name=mine")
    command = text.splitlines()[-1].split()[3:]
    ended = sweep(*command, "dry_run=true", store=here / "s", folder=here)
    assert ended.returncode == 0, ended.stderr
    assert "12 cells: 9 distinct, 3 duplicates" in ended.stdout
    for words in (["+grid=strategy"], ["+grid=mixture", "fraction=1/4,1"], ["+grid=dmt_replay", "replay=1/4"]):
        planned = sweep(*words, "-m", "data=mine", "suite=mine", "dry_run=true", store=here / "s", folder=here)
        assert planned.returncode == 0, planned.stderr


def test_fractions_leave_every_ability_some_samples(here: Path):
    few = looked(jsonl(here / "a.jsonl", *[{"prompt": "a", "completion": "b"}] * 50), "few")
    many = looked(jsonl(here / "b.jsonl", *[{"prompt": "a", "completion": "b"}] * 5000), "many")
    assert amounts([few, many]) == ["0", "1/4", "1"]
    some = looked(jsonl(here / "c.jsonl", *[{"prompt": "a", "completion": "b"}] * 200), "some")
    assert amounts([some]) == ["0", "1/8", "1/4", "1/2", "1"], "1/16, 1/4 and 1 show no trend"
    assert amounts([many]) == ["0", "1/256", "1/64", "1/16", "1/4", "1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=none.csv"], "data=none.csv does not exist"),
        (["data=empty"], "no training rows in this folder; it holds test.csv"),
        (
            ["data=odd.jsonl"],
            "no known format in the columns left, right; call two of them prompt and completion, or write the",
        ),
        (["data=latin.csv"], "is not UTF-8 text"),
        (["data=broken.parquet"], "broken.parquet: not a Parquet file"),
        (["data=good.jsonl", "ability=all"], "ability=all: in strategies this word stands for every ability"),
        (["data=good.jsonl,good.jsonl", "ability=a"], "ability=a: 1 for 2 places in data="),
        (["data=good.jsonl", "name=a/b"], "a/b"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error_and_writes_nothing(words, message, here: Path):
    jsonl(here / "good.jsonl", {"prompt": "a", "completion": "b"})
    jsonl(here / "odd.jsonl", {"left": "a", "right": "b"})
    jsonl(here / "empty" / "test.csv")
    (here / "latin.csv").write_bytes("question,answer\ncafé,1\n".encode("latin-1"))
    (here / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        init(parse(Init, words))
    assert not (here / "dosage_conf").exists()


def test_what_is_there_is_not_written_over(here: Path):
    jsonl(here / "good.jsonl", {"prompt": "a", "completion": "b"})
    init(parse(Init, ["data=good.jsonl"]))
    written = (here / "dosage_conf" / "data" / "mine.yaml").read_text()
    with pytest.raises(ValueError, match="is there already; give another name="):
        init(parse(Init, ["data=good.jsonl", "ability=other"]))
    assert (here / "dosage_conf" / "data" / "mine.yaml").read_text() == written


def test_all_mistakes_of_a_config_come_at_once(here: Path):
    jsonl(here / "dosage_conf" / "data" / "bad.yaml").write_text(
        "name: bad\nsources:\n  a: {path: a.jsonl, format: gsm9k, ability: math}\n  b: {path: a.jsonl}\n"
    )
    ended = sweep("data=bad", "dry_run=true", store=here / "s", folder=here)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: 3 problems\n  data: Data needs corpus, max_length, system, template,")
    assert (
        "data.sources.a.format='gsm9k' is unknown" in ended.stderr
        and "data.sources.b: Source needs ability" in ended.stderr
    )


def test_a_file_that_is_not_yaml_is_one_line(here: Path):
    jsonl(here / "dosage_conf" / "data" / "bad.yaml").write_text("name: [x\nsources: {\n")
    ended = sweep("data=bad", "dry_run=true", store=here / "s", folder=here)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "bad.yaml" in ended.stderr, ended.stderr


def test_a_data_set_of_the_hub_is_a_source_by_its_commit_and_file(here: Path):
    rows = "".join(json.dumps({"question": f"{n} + 1?", "answer": f"#### {n + 1}"}) + "\n" for n in range(30)).encode()
    files = {"main/train.jsonl": rows, "main/test.jsonl": rows[:40], "dataset_infos.json": b"{}", "README.md": b"card"}
    with serving({"owner/sums": Repository(COMMIT, files)}) as hub:
        environment = {"HF_ENDPOINT": hub, "HF_HOME": str(here / "home"), "PYTHONPATH": str(ROOT)}
        ended = sweep_init(here, f"data=owner/sums@{COMMIT}", "json=true", **environment)
        assert ended.returncode == 0, ended.stderr
        (source,) = json.loads(ended.stdout)["sources"]
        gone = sweep_init(here, "data=owner/none", "name=other", **environment)
    assert (source["hub"], source["revision"], source["file"]) == ("owner/sums", COMMIT, "main/train.jsonl")
    assert (source["num_rows"], source["format"], source["ability"]) == (30, "gsm8k", "math")
    assert "hub: owner/sums" in (here / "dosage_conf/data/mine.yaml").read_text()
    assert gone.returncode == 2 and gone.stderr.startswith("error: the dataset 'owner/none' at revision 'main'")
    assert gone.stderr.count("\n") == 1 and not (here / "dosage_conf/data/other.yaml").exists()


def sweep_init(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m sweep init`` in a process: the hub's library reads its settings when it is imported."""
    return subprocess.run(
        [sys.executable, "-m", "sweep", "init", *words], cwd=folder, capture_output=True, text=True,
        timeout=HANG_SECONDS, env={**os.environ, **environment},
    )  # fmt: skip
