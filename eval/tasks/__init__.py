"""The kinds of tasks, a module each: how each reads its items, asks them, and scores an answer."""

from __future__ import annotations

from importlib import import_module

from eval.spec import tasks
from eval.tasks.benchmark import Benchmark, Messages

MODULES: dict[str, dict[str, Benchmark]] = {
    name: import_module(f"eval.tasks.{name}").FORMS for name in tasks.TASKS if name != "loss"
}
"""The forms of each task, as its module gives them."""

FORMS = {form: {name: forms[form] for name, forms in MODULES.items() if form in forms} for form in tasks.FORMS}
"""By form and name of task."""

TASKS, COMPLETIONS = FORMS["chat"], FORMS["completion"]

__all__ = ["COMPLETIONS", "FORMS", "MODULES", "TASKS", "Benchmark", "Messages"]
