"""The judge of a task without a sweep: the suite's judge with the command's options, checked before it is used."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.digest import digest_of
from common.extras import require
from common.options import AsJson, option
from eval.judge.endpoint import Endpoint
from eval.judge.replies import Ledger
from eval.spec.judge import CostEstimate, Judge, JudgeRun, estimate_cost, missing_settings
from eval.spec.tasks import JUDGED, Suite, Task

OPTIONS = {
    "suite.judge.model": "judge=", "suite.judge_client.path": "judge_path=",
    "suite.judge_client.base_url": "judge_url=",
    "suite.judge_client.input_price and suite.judge_client.output_price": "prices=INPUT/OUTPUT",
    "suite.judge.repeats=1": "repeats=1", "suite.judge_client.dollars": "dollars", "base_url=": "judge_url=",
}  # fmt: skip
"""The name of a setting in a sweep's messages, and the option of this command that sets it."""


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(AsJson):
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
    """The judge of one task: its identity, how it is called, and its input files (a local judge is one of them)."""

    judge: Judge
    execution: JudgeRun
    files: Mapping[str, Path]


def judge_setup(options: JudgeOptions, suite: Suite, name: str, task: Task, cache: Path) -> JudgeSetup | None:
    """The judge of the task called ``name``; None if the task needs no judge.

    Replies are cached below ``cache``. Raises ValueError for a missing file or setting, in terms of the options.
    """
    if task.task not in JUDGED:
        return None
    try:
        judge, execution = _with_options(options, suite, cache)
    except ValueError as problem:
        raise ValueError(_in_terms_of_options(str(problem))) from None
    places = {"references": task.references, "prompts": execution.prompts, "judge": execution.path}
    files = {kind: Path(place) for kind, place in places.items() if place is not None}
    # A suite names files below DOSAGE_DATA, so the usual remedy is another data=.
    if absent := [str(path) for path in files.values() if not path.exists()]:
        raise ValueError(f"task {name}: {absent[0]} does not exist; get it, or give data=FOLDER")
    if missing := missing_settings(judge, execution, os.environ):
        raise ValueError(f"task {name}: {_in_terms_of_options(missing)}")
    if "judge" in files:
        require("a local judge", ["eval"])
        judge = replace(judge, model=digest_of(files["judge"]))
    return JudgeSetup(judge, execution, files)


def _with_options(options: JudgeOptions, suite: Suite, cache: Path) -> tuple[Judge, JudgeRun]:
    judge, execution = suite.judge or Judge(), suite.judge_client or JudgeRun()
    identity: dict[str, Any] = {"model": options.judge, "repeats": options.repeats}
    calling: dict[str, Any] = {
        "base_url": options.judge_url,
        "path": options.judge_path,
        "dollars": options.dollars,
        **prices_of(options.prices),
    }
    judge = replace(judge, **{name: value for name, value in identity.items() if value is not None})
    execution = replace(execution, **{name: value for name, value in calling.items() if value is not None})
    return judge, replace(execution, cache=str(cache / execution.cache))


def prices_of(text: str | None) -> dict[str, float]:
    """The prices that a text such as 30/60 gives; none without one. Raises ValueError for another text."""
    if text is None:
        return {}
    try:
        input_price, output_price = (float(part) for part in text.split("/"))
        if not (0 <= input_price < math.inf and 0 <= output_price < math.inf):
            raise ValueError(text)
    except ValueError:
        raise ValueError(f"prices={text}: write INPUT/OUTPUT in dollars per million tokens, such as 30/60") from None
    return {"input_price": input_price, "output_price": output_price}


def check_cost(setup: JudgeSetup, conversations: Sequence[Sequence[str]], answer_tokens: int) -> CostEstimate:
    """What judging will cost; arguments as in `estimate_cost`.

    Raises ValueError when that is more than is left of the budget, or the endpoint cannot be used.
    """
    execution = setup.execution
    estimate = estimate_cost(conversations, answer_tokens, setup.judge, execution)
    spent = Ledger(Path(execution.cache), execution.ledger).spent()
    if estimate.dollars and spent + estimate.dollars > execution.dollars:
        raise ValueError(
            f"judge: {estimate.calls} calls would cost about ${estimate.dollars:.2f}, and ${spent:.2f} of "
            f"dollars={execution.dollars:g} are spent; raise it to continue"
        )
    if "judge" not in setup.files:
        try:
            Endpoint(setup.judge, execution).check()
        except ValueError as problem:
            raise ValueError(_in_terms_of_options(str(problem))) from None
    return estimate


def _in_terms_of_options(text: str) -> str:
    """A sweep's message with this command's options in place of the suite's settings."""
    for setting, key in OPTIONS.items():
        text = text.replace(setting, key)
    return text
