"""What lies behind a point of a figure: the cells' config and cost, their training, and answers of theirs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from analysis.advice.commands import in_store
from analysis.data.study import Study
from analysis.data.sweep_folder import SweepFolder
from analysis.format import number
from analysis.report.answers import VERDICTS, Answers
from analysis.report.cells import cell_facts, short_names

MOST = 40_000
"""Letters of sample answers that the page has room for."""
LONGEST = 280
"""Letters of each text of a sample."""


def behind(
    study: Study, folders: Sequence[SweepFolder], answers: Answers | None, names: Iterable[str]
) -> dict[str, object]:
    """For the page's script: ``facts`` of each of these cells, and ``samples``, a right and a wrong answer each task.

    Samples are left out from the cell on that the page has no room for; items.html has them all.
    """
    facts = cell_facts(study, names)
    for label, short in short_names(facts).items():
        facts[label]["name"] = short
    store = [f"{key}={value}" for key, value in in_store(study).items()]
    for folder in folders:
        for cell in folder.cells:
            label = str(cell["label"])
            if label in facts:
                command = facts[label].pop("command", "")
                facts[label] |= {"training, base first": _training(folder, label), "command": command}
                words = [f"name={folder.name}", f"cell={label}", *store]
                facts[label] |= {"log": f"python -m sweep logs {shlex.join(words)}"}
    return {"facts": facts, "samples": _samples(answers, facts) if answers else {}}


def _training(folder: SweepFolder, label: str) -> str:
    """How the loss went in each training stage of a cell: ``108 steps, loss 5.01 to 3.24``."""
    cell = next(cell for cell in folder.cells if cell["label"] == label)
    told = [
        f"{rows[-1]['step']:,} steps, loss {number(float(rows[0]['loss']))} to {number(float(rows[-1]['loss']))}"
        for rows in folder.trainings(cell)
        if rows and "loss" in rows[0] and "step" in rows[-1]
    ]
    return "; then ".join(told)


def _samples(answers: Answers, facts: dict[str, dict[str, str]]) -> dict[str, list[list[str]]]:
    """By cell: task, verdict, prompt, answer, what is right, and the reason, of the first right and first wrong one."""
    samples: dict[str, list[list[str]]] = {}
    seen, room = set[tuple[int, int, bool]](), MOST
    for cell, task, _, prompt, gold, answer, reason, verdict, _ in answers.rows:
        name, right = answers.cells[cell], VERDICTS[verdict] == "right"
        if name not in facts or VERDICTS[verdict] == "rated" or (cell, task, right) in seen:
            continue
        seen.add((cell, task, right))
        texts = [_short(answers.texts[one]) for one in (prompt, answer, gold, reason)]
        room -= sum(map(len, texts))
        if room < 0:
            break
        samples.setdefault(name, []).append([answers.tasks[task], VERDICTS[verdict], *texts])
    return samples


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"
