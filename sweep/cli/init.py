"""Verb init: look at files of training rows, and write the config of a sweep over them."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

from common.options import Result
from common.start import OWN_CONFIG
from common.wording import plural
from sweep.cli.look import Found, is_hub_id, look, places
from sweep.cli.options import Init

FEWEST = 8
"""Samples below which a fraction is not worth a run."""
STEPS = ((256, 64, 16, 4), (8, 4, 2))
"""Parts of the data that are tried besides all of it."""
FOUR = 4
"""Amounts that a trend takes."""


def init(options: Init) -> Result:
    """Write ``data/NAME.yaml`` and ``suite/NAME.yaml`` into `OWN_CONFIG`; return what was found in the files."""
    for place in options.data:
        if not Path(place).exists() and not is_hub_id(place):
            raise ValueError(
                f"data={place} does not exist; give a file, a folder, or a data set of the hub as OWNER/NAME"
            )
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
        look(file, ability) for place, ability in zip(options.data, abilities, strict=True) for file in places(place)
    ]
    for group, text in (("data", data_file(options, found)), ("suite", suite_file(options.name, found))):
        targets[group].parent.mkdir(parents=True, exist_ok=True)
        targets[group].write_text(text, encoding="utf-8")
    command = f"python -m sweep {shlex.join(sweep_words(options.name, found))}"
    written = {group: str(path) for group, path in targets.items()}
    return Result(
        "\n".join([*map(shown, found), _next_steps(command, targets, found)]),
        {"written": written, "command": command, "sources": [{**one.source, "rows": one.rows} for one in found]},
    )


def shown(found: Found) -> str:
    """A file as a text: what it is, its first samples with what is trained on, and rows that cannot be used."""
    columns = ", ".join(f"{field} in column {column}" for field, column in found.columns.items())
    lines = [
        f"{found.place.name}: {plural(found.rows, 'row')}, ability {found.ability}, format {found.format}"
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
    names = [re.sub(r"\W+", "_", one.place.name.name.split(".")[0]) for one in found]
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


def sweep_words(name: str, found: Sequence[Found]) -> list[str]:
    """The words of the command that sweeps the amounts of each ability."""
    return ["+grid=data_amount", "-m", f"data={name}", f"suite={name}", f"fraction={','.join(amounts(found))}"]


def _next_steps(command: str, targets: dict[str, Path], found: Sequence[Found]) -> str:
    cells = 1 + len({one.ability for one in found}) * (len(amounts(found)) - 1)
    return (
        f"wrote {targets['data']} and {targets['suite']}; correct what was guessed wrong there\n"
        f"a sweep of {plural(cells, 'cell')}; with dry_run=true it only shows their samples, time and memory:\n"
        f"  {command}"
    )


def amounts(found: Sequence[Found]) -> list[str]:
    """The fractions of a sweep: those of the grid data_amount of which every ability has some samples; smaller steps
    where only these give the amounts that a trend takes.
    """
    rows: Counter[str] = Counter()
    for one in found:
        rows[one.ability] += one.rows - len(one.bad) - one.source["held_out_rows"]
    coarse, fine = ([part for part in parts if min(rows.values()) >= FEWEST * part] for parts in STEPS)
    few = fine if len(coarse) + 1 < FOUR <= len(fine) + 1 else coarse
    return ["0", *(f"1/{part}" for part in few), "1"]
