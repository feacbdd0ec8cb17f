"""Items of the user's own, and what a task says of answers to them."""

import json

from eval.spec.answers import Reading
from eval.tasks import TASKS


def made(tmp_path, task, rows, reading=None):
    """The items that a task reads from a file of these rows."""
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TASKS[task].items(path, reading or Reading())


def correct(task, item, *texts):
    """Which of these answers are right."""
    return [TASKS[task].score(item, text, "")["correct"] for text in texts]
