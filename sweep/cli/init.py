"""Verb init: look at files of training rows, and write the config of a sweep over them."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from common.options import option
from common.rows import Row, data_files, read_rows
from common.sweep_name import check_sweep_name
from common.wording import plural
from sweep.config.strategy import GENERAL, WORDS
from train.sources import BadRow, Message, conversation

OWN_CONFIG = "dosage_conf"
"""The folder for config groups of one's own; where the current folder has it, every sweep reads it."""

NOT_FOR_TRAINING = re.compile(r"(^|[^a-z])(test|valid|validation|dev|eval)([^a-z]|$)", re.IGNORECASE)

PROMPTS = ("prompt", "question", "query", "instruction", "input", "problem")
ANSWERS = ("completion", "response", "answer", "output", "solution", "target")
"""Usual names of the columns of a request and its answer, the likeliest first."""

ABILITIES = {
    "math": r"math|gsm|arith|algebra|sums",
    "code": r"code|python|program|mbpp|humaneval|sql",
    GENERAL: r"general|chat|sharegpt|conversation|instruct|alpaca|dolly",
}
"""What the name of a file says about its ability; the first that fits counts."""

NUMBERED = re.compile(
    r"(train|part|data|shard|chunk)?[-_]?\d*([-_]of[-_]\d+)?([-_][0-9a-f]{8}[0-9a-f-]*)?", re.IGNORECASE
)
"""Names that say nothing of what a file teaches, such as ``train-00000-of-00003``; its folder's name does."""

LOOKED_AT = 200
"""Rows by which a format is guessed."""

SAMPLES = 3
"""Samples that are shown of a file."""

FEWEST = 8
"""Samples below which a fraction is not worth a run."""


@dataclass(frozen=True)
class Init:
    """Options of ``python -m sweep init``."""

    data: list[str] = option("files of training rows (.jsonl, .json, .csv, .parquet, also .gz), or folders of them")
    ability: list[str] = option("what each file teaches, in the order of data=", [], default_text="guessed from names")
    name: str = option(f"of the config files, {OWN_CONFIG}/data/NAME.yaml and {OWN_CONFIG}/suite/NAME.yaml", "mine")

    def __post_init__(self) -> None:
        check_sweep_name(self.name)
        for word in self.ability:
            if word in WORDS and word != GENERAL:
                raise ValueError(f"ability={word}: in strategies this word stands for {WORDS[word]}; choose another")


@dataclass(frozen=True)
class Found:
    """A file of training rows: its format, the columns of the format's fields, and what its rows hold.

    ``samples`` are the conversations of its first rows, ``bad`` the problems of rows that cannot be used.
    """

    path: Path
    ability: str
    format: str
    columns: dict[str, str]
    rows: int
    samples: list[tuple[Message, ...]]
    bad: list[str]

    @property
    def source(self) -> dict[str, Any]:
        """The source as the config says it."""
        columns = {"columns": self.columns} if self.columns else {}
        skip = {"on_bad_row": "skip"} if self.bad else {}
        held_out = min(256, max(1, (self.rows - len(self.bad)) // 10))
        return {
            "ability": self.ability, "format": self.format, "path": str(self.path), **columns,
            "held_out_rows": held_out, **skip,
        }  # fmt: skip


def init(options: Init) -> str:
    """Write ``data/NAME.yaml`` and ``suite/NAME.yaml`` into `OWN_CONFIG`; return what was found in the files."""
    targets = {group: Path(OWN_CONFIG, group, f"{options.name}.yaml") for group in ("data", "suite")}
    for path in targets.values():
        if path.exists():
            raise ValueError(f"{path} is there already; give another name=, or remove it")
    if options.ability and len(options.ability) != len(options.data):
        raise ValueError(
            f"ability={','.join(options.ability)}: {len(options.ability)} for {plural(len(options.data), 'place')} in "
            "data=; give one for each, or none"
        )
    abilities = options.ability or [""] * len(options.data)
    found = [
        look(file, ability)
        for place, ability in zip(options.data, abilities, strict=True)
        for file in _files(Path(place))
    ]
    for group, text in (("data", data_file(options, found)), ("suite", suite_file(options.name, found))):
        targets[group].parent.mkdir(parents=True, exist_ok=True)
        targets[group].write_text(text, encoding="utf-8")
    return "\n".join([*map(shown, found), _next_steps(options.name, targets, found)])


def _files(place: Path) -> list[Path]:
    """The file, or the files of a folder that hold rows to train on. Raises a ValueError where there are none."""
    if not place.is_dir():
        return [place]
    rows = data_files(place)
    training = [file for file in rows if not NOT_FOR_TRAINING.search(file.stem)]
    if not training:
        listed = ", ".join(file.name for file in rows) or "no file of rows"
        raise ValueError(f"data={place}: no training rows in this folder; it holds {listed}; name the files")
    return training


def look(path: Path, ability: str = "") -> Found:
    """What a file holds. Raises a ValueError for a file that cannot be read or whose format is not known."""
    if not path.exists():
        raise ValueError(f"data={path} does not exist")
    first = list(islice(read_rows(path), LOOKED_AT))
    records = [row.record for row in first if isinstance(row.record, dict)]
    if not records:
        why = next((f"{row.unit} {row.line} {row.problem}" for row in first if row.problem), "a row must be an object")
        raise ValueError(f"data={path}: no row with named fields among the first {LOOKED_AT}; {why}")
    row_format, columns = guessed_format(path, records)
    count = 0
    samples: list[tuple[Message, ...]] = []
    bad: list[str] = []
    for row in read_rows(path):
        count += 1
        try:
            turns = conversation(row, row_format, columns)
        except BadRow as problem:
            bad.append(_place(row, problem))
            continue
        if len(samples) < SAMPLES:
            samples.append(turns)
    if not samples:
        raise ValueError(f"data={path}: read as {row_format}, no row can be used; the first problem: {bad[0]}")
    return Found(path, ability or guessed_ability(path, samples), row_format, columns, count, samples, bad)


def _place(row: Row, problem: BadRow) -> str:
    field = f", {problem.field}" if problem.field else ""
    return f"{row.unit} {row.line}{field}: {problem.problem}"


def guessed_format(path: Path, records: Sequence[dict[str, Any]]) -> tuple[str, dict[str, str]]:
    """The format of most rows, and the columns of its fields where they have other names."""
    counts = Counter(column for record in records for column, value in record.items() if value not in (None, ""))
    usual = [column for column, count in counts.most_common() if 2 * count >= len(records)]
    for column in usual:
        turns = next((r[column] for r in records if isinstance(r.get(column), list) and r[column]), None)
        if turns and isinstance(turns[0], dict):
            if {"from", "value"} <= turns[0].keys():
                return "sharegpt", _renamed({"conversations": column})
            if {"role", "content"} <= turns[0].keys():
                return "messages", _renamed({"messages": column})
    texts = {column.lower(): column for column in usual}
    answer = next((texts[name] for name in ANSWERS if name in texts), None)
    if "instruction" in texts and answer is not None:
        return "alpaca", _renamed({"instruction": texts["instruction"], "output": answer})
    prompt = next((texts[name] for name in PROMPTS if name in texts and texts[name] != answer), None)
    if prompt is not None and answer is not None:
        if (prompt, answer) == ("question", "answer") and all("####" in str(r.get("answer")) for r in records):
            return "gsm8k", {}
        return "completion", _renamed({"prompt": prompt, "completion": answer})
    if "text" in texts:
        return "text", _renamed({"text": texts["text"]})
    raise ValueError(
        f"data={path}: no known format in the columns {', '.join(map(str, counts))}; write the source by hand: choose "
        "format: completion, and name the file's columns in columns: {prompt: ..., completion: ...} (docs/sources.md)"
    )


def _renamed(columns: dict[str, str]) -> dict[str, str]:
    return {field: column for field, column in columns.items() if field != column}


def guessed_ability(path: Path, samples: Sequence[tuple[Message, ...]]) -> str:
    """An ability by the name of the file or its folder, else by what its answers look like, else that name itself."""
    names = [
        re.sub(r"(\.(jsonl|json|csv|parquet|gz))+$", "", path.name),
        *(folder.name for folder in path.parents if folder.name),
    ]
    name = next((name for name in names if not NUMBERED.fullmatch(name)), names[0]).lower()
    for ability, pattern in ABILITIES.items():
        if re.search(pattern, name):
            return ability
    answers = [turns[-1].content for turns in samples]
    if all("####" in answer for answer in answers):
        return "math"
    if all(re.search(r"```|^\s*(def|import|class) ", answer, re.MULTILINE) for answer in answers):
        return "code"
    word = re.sub(r"\W+|_+", "_", name).strip("_") or "own"
    return f"{word}_data" if word in WORDS or word[0].isdigit() else word


def shown(found: Found) -> str:
    """A file as a text: what it is, its first samples with what is trained on, and rows that cannot be used."""
    columns = ", ".join(f"{field} in column {column}" for field, column in found.columns.items())
    lines = [
        f"{found.path}: {plural(found.rows, 'row')}, ability {found.ability}, format {found.format}"
        + (f" ({columns})" if columns else "")
    ]
    for number, turns in enumerate(found.samples, 1):
        for turn in turns:
            trained = turn.role == "text" or (turn.role == "assistant" and turn.trained)
            text = textwrap.shorten(turn.content, 84, placeholder=" ...")
            lines.append(f"{number:>3} {'trained on ' if trained else '           '}{turn.role:<10} {text}")
    if found.bad:
        lines.append(f"    {plural(len(found.bad), 'row')} left out, such as {found.bad[0]}")
    return "\n".join(lines)


def data_file(options: Init, found: Sequence[Found]) -> str:
    """The text of ``data/NAME.yaml``."""
    ability = f" ability={','.join(options.ability)}" if options.ability else ""
    names = [re.sub(r"\W+", "_", one.path.name.split(".")[0]) for one in found]
    sources = {
        f"{word}_{names[: place + 1].count(word)}" if names.count(word) > 1 else word: one.source
        for place, (word, one) in enumerate(zip(names, found, strict=True))
    }
    few = amounts(found)[1]
    replay = f"replay: {few if few != '1' else '1/2'}   # of the specialised data in the second stage of strategy=dmt\n"
    body = yaml.safe_dump({"sources": sources}, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return (
        f"# Written by: python -m sweep init data={','.join(options.data)}{ability} name={options.name}\n"
        "# base has the template, tokenizer and pretraining corpus of the small models that come with Dosage.\n"
        "# For a model from elsewhere also set template: chatml, vicuna, alpaca, or tokenizer for its own.\n"
        f"defaults: [base, _self_]\nname: {options.name}\n"
        "# max_length: 384   # tokens of a sample; longer ones are cut, and counted\n"
        "# general: ABILITY   # which ability is the general one; all others are specialised\n"
        f"{replay}{body}"
    )


def suite_file(name: str, found: Sequence[Found]) -> str:
    """The text of ``suite/NAME.yaml``: the loss of every ability on its held-out rows."""
    tasks = {
        f"{ability}_loss": {"ability": ability, "task": "loss"} for ability in {one.ability: None for one in found}
    }
    body = yaml.safe_dump({"tasks": tasks}, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return (
        "# The loss on held-out rows. Questions of your own and public benchmarks: docs/tasks.md.\n"
        f"name: {name}\nprecision: fp32\neval_batch_size: 32\n{body}"
    )


def _next_steps(name: str, targets: dict[str, Path], found: Sequence[Found]) -> str:
    sweep = f"python -m sweep +grid=data_amount -m data={name} suite={name} fraction={','.join(amounts(found))}"
    return (
        f"wrote {targets['data']} and {targets['suite']}; correct what was guessed wrong there, then\n"
        f"  {sweep} dry_run=true\n  {sweep}"
    )


def amounts(found: Sequence[Found]) -> list[str]:
    """The fractions of a sweep: those of the grid data_amount of which every ability has some samples."""
    rows: Counter[str] = Counter()
    for one in found:
        rows[one.ability] += one.rows - len(one.bad) - one.source["held_out_rows"]
    few = [part for part in (256, 64, 16, 4) if min(rows.values()) >= FEWEST * part]
    return ["0", *(f"1/{part}" for part in few), "1"]
