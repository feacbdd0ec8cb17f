"""The study's three sources, in small files of their real shape: from a hub, from its cache, and from local copies."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from transformers import AutoTokenizer

from sweep.config.cell import Source
from tests.conftest import PUBLIC_DATA, sweep
from tests.hub import Repository, serving
from tests.sweep.composing import cell
from tests.train.tiny import make_tokenizer, problems, write_lines
from train.model import build
from train.spec import Architecture

pytestmark = pytest.mark.slow

SHAREGPT = [
    ["human:Write a poem.", "gpt:Roses are red."],
    ["gpt:as I said before", "human:Go on.", "gpt:Violets are blue."],  # begins with the rest of an answer
    ["human:One", "human:two", "gpt:Three."],
    ["human:Say it.", "gpt:", "human:Please.", "gpt:It."],  # without the empty turn, two of the user in a row
    ["human:Say it.", "gpt:It.", "human:", "gpt:"],
    [],
    ["human:Who are you?", "bing:I am Bing."],
    ["human:Which token ends a text?", "gpt:It is <|end|> here."],
    ["human:Hello?"],
    ["human:Write a poem.", "gpt:Roses are red."],
]
"""Conversations as in the file of the hub; ``<|end|>`` ends a turn of the model here, as ``</s>`` does of Llama."""

SAID = """\
warning: 1 of 9 rows of code_alpaca gave no sample: left out by drop_empty_conversations
warning: 6 of 10 rows of sharegpt gave no sample: left out by drop_empty_conversations (2), left out by \
drop_special_tokens (1), left out by drop_unknown_speakers (1), left out by drop_unordered_conversations (2)
warning: 1 of 10 rows of sharegpt repeat an earlier row
note: drop_empty_turns changed 2 of 10 rows of sharegpt
note: drop_leading_assistant changed 1 of 10 rows of sharegpt
note: data.sources.code_alpaca.num_rows=20022, but the data has 9 rows; correct it
note: data.sources.sharegpt.num_rows=94145, but the data has 10 rows; correct it
""".splitlines()


def sharegpt() -> str:
    rows = []
    for number, talk in enumerate(SHAREGPT):
        turns = [dict(zip(("from", "value"), turn.split(":", 1), strict=True)) for turn in talk]
        rows.append({"id": f"a{number}_0", "conversations": turns})
    return json.dumps(rows)


def code_alpaca() -> str:
    rows = [{"instruction": f"Print {n}.", "input": "", "output": f"print({n})"} for n in range(8)]
    return json.dumps([*rows, {"instruction": "Print nothing.", "input": "", "output": ""}])


def sources() -> dict[str, Source]:
    return cell("data=paper", "model=llama_7b", "recipe=paper", "suite=paper").data.sources


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a model, and with ``data`` as under $DOSAGE_DATA."""
    tokenizer = AutoTokenizer.from_pretrained(str(make_tokenizer(tmp_path)))
    build(Architecture(32, 64, 1, 2, 1, 512, 1e4), vocabulary=len(tokenizer), seed=0).save_pretrained(
        tmp_path / "model"
    )
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "data" / "math").mkdir()
    rows = [{"query": row["question"], "response": row["answer"]} for row in problems(6)]
    write_lines(tmp_path / "data" / "math" / "u33b.jsonl", rows)
    test_file = (PUBLIC_DATA["cut"] / "math" / "gsm8k_test.jsonl").read_text(encoding="utf-8")
    (tmp_path / "data" / "math" / "gsm8k_test.jsonl").write_text(test_file, encoding="utf-8")
    return tmp_path


def run(place: Path, store: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A sweep of each source alone, measured by the loss on four items of GSM8K."""
    others = [f"~suite.tasks.{name}" for name in ("gsm8k", "humaneval", "humaneval_loss", "mtbench")]
    size = ["data.max_length=512", "data.sources.gsm8k_rft.num_rows=null", "recipe.epochs=1", "recipe.batch_samples=2"]
    suite = ["suite.precision=fp32", "suite.tasks.gsm8k_loss.max_items=4", "recipe.precision=fp32"]
    choices = ["data=paper", "recipe=paper", "suite=paper", f"model.path={place / 'model'}", "strategy=single"]
    return sweep(
        "-m", *choices, *others, *size, *suite, "ability=math,code,general", "name=s", *words, store=place / store,
        DOSAGE_DATA=str(place / "data"), HF_HOME=str(place / "home"), **environment,
    )  # fmt: skip


def counts(store: Path) -> dict[str, int]:
    table = pd.read_csv(store / "sweeps" / "s" / "table.csv").set_index("trained_on")
    return {str(ability): int(count) for ability, count in table["total_samples"].items()}


def test_the_sources_train_from_a_hub_and_from_its_cache(place: Path):
    refused = run(place, "none", HF_HUB_OFFLINE="1")
    assert refused.returncode == 2 and "HF_HUB_OFFLINE is set: fill the cache" in refused.stderr
    files = {"code_alpaca": code_alpaca(), "sharegpt": sharegpt()}
    hub = {}
    for name, text in files.items():
        source = sources()[name]
        assert source.hub and source.file and source.revision
        where = f"data set {source.hub}, revision {source.revision}, file {source.file}: not in the local hub cache"
        assert where in refused.stderr
        hub[source.hub] = Repository(source.revision, {source.file: text.encode(), "README.md": b"a card"})
    with serving(hub) as endpoint:
        ended = run(place, "store", HF_ENDPOINT=endpoint)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [line for line in SAID if line not in ended.stdout] == []
    assert counts(place / "store") == {"math": 6, "code": 8, "general": 4}
    (place / "home" / "hub" / "datasets--sahil2801--CodeAlpaca-20k" / "snapshots").rename(place / "gone")
    half = run(place, "none", HF_HUB_OFFLINE="1")
    assert "CodeAlpaca" in half.stderr and "ShareGPT" not in half.stderr
    (place / "gone").rename(place / "home" / "hub" / "datasets--sahil2801--CodeAlpaca-20k" / "snapshots")
    cached = run(place, "other", "ability=general", HF_HUB_OFFLINE="1")
    assert cached.returncode == 0, cached.stdout + cached.stderr
    assert counts(place / "other") == {"general": 4}


def test_a_cached_data_set_without_the_file_is_not_enough(place: Path):
    source = sources()["sharegpt"]
    assert source.hub and source.revision
    folder = place / "home" / "hub" / f"datasets--{source.hub.replace('/', '--')}" / "snapshots" / source.revision
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("a card")
    ended = run(place, "store", "ability=general", HF_HUB_OFFLINE="1")
    assert ended.returncode == 2
    assert f"file {source.file}: in the local hub cache, but with no such file" in ended.stderr


def test_a_local_copy_takes_the_place_of_the_hub(place: Path):
    (place / "talk.json").write_text(sharegpt())
    words = [f"data.sources.sharegpt.path={place / 'talk.json'}", "data.sources.sharegpt.num_rows=null"]
    ended = run(place, "store", *words, "ability=general", HF_HUB_OFFLINE="1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [line for line in SAID if "sharegpt" in line and line not in ended.stdout] == SAID[-1:]  # no number is given
    assert counts(place / "store") == {"general": 4}
