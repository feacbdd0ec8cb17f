"""Judging without a sweep: whose keys on the command line go before the suite's, and what is checked beforehand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.digest import digest_of
from common.extras import require
from common.options import option
from eval.judge.endpoint import Endpoint
from eval.judge.replies import Ledger
from eval.spec.judge import CostEstimate, Judge, JudgeRun, bill, lacking
from eval.spec.tasks import JUDGED, Suite, Task

WORDS = {
    "suite.judge.model": "judge=", "suite.judge_client.path": "judge_path=",
    "suite.judge_client.base_url": "judge_url=",
    "suite.judge_client.input_price and suite.judge_client.output_price": "prices=INPUT/OUTPUT",
    "suite.judge.repeats=1": "repeats=1", "suite.judge_client.dollars": "dollars",
}  # fmt: skip
"""The sweep's name of a value, and the key of this command that sets it."""


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """Judge options from the command line, overriding the suite's."""

    judge: str | None = option("the judge's model name at judge_url", None, default_text="as the suite says")
    judge_url: str | None = option("an OpenAI-compatible endpoint", None, default_text="as the suite says")
    judge_path: str | None = option("the folder of a local judge, instead of an endpoint", None)
    repeats: int | None = option("how often the judge is asked each question", None, default_text="as the suite says")
    prices: str | None = option(
        "dollars per million prompt and reply tokens, as in 30/60", None, default_text="as the suite says"
    )
    dollars: float | None = option("the most that judging may cost", None, default_text="as the suite says")


@dataclass(frozen=True)
class JudgeSetup:
    """The judge of one task: its identity, how it is asked, and the files it is shown (a local judge is one)."""

    judge: Judge
    execution: JudgeRun
    files: Mapping[str, Path]


def court(keys: JudgeOptions, suite: Suite, name: str, entry: Task, cache: Path) -> JudgeSetup | None:
    """Who judges a task; None for one that needs no judge. ValueError for a file that is not there."""
    if entry.task not in JUDGED:
        return None
    judge, execution = _asked(keys, suite, cache)
    places = {"references": entry.references, "prompts": execution.prompts, "judge": execution.path}
    files = {kind: Path(place) for kind, place in places.items() if place is not None}
    if missing := [str(path) for path in files.values() if not path.exists()]:
        raise ValueError(f"task {name}: {missing[0]} does not exist; get it, or give data=FOLDER")
    if lacks := lacking(judge, execution, os.environ):
        raise ValueError(f"task {name}: {_said(lacks)}")
    if "judge" in files:
        require("a local judge", ["eval"])
    return JudgeSetup(replace(judge, model=digest_of(files["judge"])) if "judge" in files else judge, execution, files)


def _asked(keys: JudgeOptions, suite: Suite, cache: Path) -> tuple[Judge, JudgeRun]:
    judge, execution = suite.judge or Judge(), suite.judge_client or JudgeRun()
    given: dict[str, Any] = {"model": keys.judge, "repeats": keys.repeats}
    judge = replace(judge, **{name: value for name, value in given.items() if value is not None})
    run: dict[str, Any] = {
        "base_url": keys.judge_url,
        "path": keys.judge_path,
        "dollars": keys.dollars,
        **_prices(keys.prices),
    }
    execution = replace(execution, **{name: value for name, value in run.items() if value is not None})
    return judge, replace(execution, cache=str(cache / execution.cache))


def _prices(text: str | None) -> dict[str, float]:
    if text is None:
        return {}
    try:
        asked, replied = (float(part) for part in text.split("/"))
    except ValueError:
        raise ValueError(f"prices={text}: write dollars a million tokens asked and replied, as in 30/60") from None
    return {"input_price": asked, "output_price": replied}


def affordable(found: JudgeSetup, conversations: Sequence[Sequence[str]], answer_tokens: int) -> CostEstimate:
    """What judging will take; ValueError when that is above the cap or the endpoint cannot be asked."""
    due, execution = bill(conversations, answer_tokens, found.judge, found.execution), found.execution
    spent = Ledger(Path(execution.cache), execution.ledger).spent()
    if due.dollars and spent + due.dollars > execution.dollars:
        raise ValueError(
            f"judge: {due.calls} calls would cost about ${due.dollars:.2f}, and ${spent:.2f} of "
            f"dollars={execution.dollars:g} are spent; raise it to go on"
        )
    if "judge" not in found.files:
        try:
            Endpoint(found.judge, execution).ready()
        except ValueError as problem:
            raise ValueError(_said(str(problem))) from None
    return due


def _said(text: str) -> str:
    """A sentence of the sweep's in the words of this command."""
    for theirs, ours in WORDS.items():
        text = text.replace(theirs, ours)
    return text
