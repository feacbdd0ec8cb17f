"""What judging the scores of a plan will cost, and what is still missing for it, before any work starts."""

from __future__ import annotations

import gzip
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from eval.spec.judge import CostEstimate, Judge, JudgeRun, estimate_cost, missing_settings
from sweep.plan.plan import Plan
from sweep.stages.stage import File, Stage
from sweep.stages.store import Store

SECONDS = 10.0
"""How long to wait for an endpoint to answer."""

QUESTIONS, TURN = 80, "x" * 200
"""Guess for a task whose questions are not there yet: as many as MT-Bench has, with two turns of 200 characters."""


def estimates(plan: Plan, store: Store) -> dict[str, CostEstimate]:
    """The cost of each missing score that needs a judge, by its key."""
    judged = [stage for stage in plan.stages if stage.kind == "score" and stage.spec.judge is not None]
    return {stage.key: estimate_score(stage, plan) for stage in judged if not store.has(stage)}


def estimate_score(stage: Stage, plan: Plan) -> CostEstimate:
    """Calls, tokens and dollars of judging one score."""
    data, execution = stage.inputs["data"], plan.execution[stage.key]
    assert isinstance(execution, JudgeRun)
    questions = _turns(data.path) if isinstance(data, File) and data.path.exists() else ((TURN, TURN),) * QUESTIONS
    answers = stage.inputs["answers"]
    assert isinstance(answers, Stage)
    judged = questions[: stage.spec.items] * answers.spec.samples
    return _estimate(judged, answers.spec.decoding.max_new_tokens, stage.spec.judge, execution)


_estimate = lru_cache(estimate_cost)  # the cells of a sweep answer the same questions


@lru_cache
def _turns(path: Path) -> tuple[tuple[str, ...], ...]:
    """The user's turns of every question in a JSON-lines file. A line that is not a question counts as one turn."""
    questions = []
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for line in data.decode(errors="replace").splitlines():
        try:
            row = json.loads(line)
            questions.append(tuple(str(turn) for turn in row.get("turns", [str(row)])))
        except (ValueError, AttributeError, TypeError):
            questions.append((line,))
    return tuple(questions)


def lines(plan: Plan, store: Store) -> list[str]:
    """Sentences on calls and dollars for the plan, and on what is missing."""
    due = estimates(plan, store)
    if not due:
        return []
    calls, dollars = sum(one.calls for one in due.values()), sum(one.dollars for one in due.values())
    judge, execution = _first(plan, due)
    missing = missing_settings(judge, execution, os.environ)
    price = (
        f", about ${dollars:,.2f} of at most ${execution.dollars:,.2f} (suite.judge_client.dollars)" if dollars else ""
    )
    return [f"judge: {calls:,} calls{price}", *([f"judge: before it can run, {missing}"] if missing else [])]


def problems(plan: Plan, store: Store) -> list[str]:
    """Why the missing scores cannot be judged: no settings, no key, no answer from the endpoint, or too expensive."""
    due = estimates(plan, store)
    if not due:
        return []
    judge, execution = _first(plan, due)
    if missing := missing_settings(judge, execution, os.environ):
        return [f"judge: {missing}; or leave the task out: '~suite.tasks.NAME'"]
    dollars, spent = sum(one.dollars for one in due.values()), _spent(store.root / execution.cache, execution.ledger)
    if dollars and spent + dollars > execution.dollars:
        return [
            f"judge: the scores would cost about ${dollars:,.2f}, and ${spent:,.2f} are spent: raise "
            f"suite.judge_client.dollars={execution.dollars:g}"
        ]
    return [problem] if execution.path is None and (problem := _endpoint_problem(execution)) else []


def _first(plan: Plan, due: Mapping[str, CostEstimate]) -> tuple[Judge, JudgeRun]:
    """The judge of the first missing score; as a rule all cells of a sweep share one."""
    stage = next(stage for stage in plan.stages if stage.key in due)
    execution = plan.execution[stage.key]
    assert isinstance(execution, JudgeRun)
    return (replace(stage.spec.judge, model=None) if execution.path else stage.spec.judge), execution


def _spent(cache: Path, ledger: str) -> float:
    """Dollars that earlier runs of the sweep have spent."""
    files = (cache / "spent" / ledger).glob("*.jsonl")
    return sum(float(json.loads(entry)["dollars"]) for file in files for entry in file.read_text().split("\n")[:-1])


def _endpoint_problem(execution: JudgeRun) -> str:
    """Why the endpoint does not answer or refuses the key; empty when it answers."""
    key = os.environ.get(execution.key_variable, "").strip() if execution.key_variable else ""
    request = urllib.request.Request(
        execution.base_url.rstrip("/") + "/models", headers={"Authorization": f"Bearer {key}"} if key else {}
    )
    try:
        urllib.request.urlopen(request, timeout=SECONDS).close()
    except urllib.error.HTTPError as answer:
        if answer.code in (401, 403):
            variable = execution.key_variable or "suite.judge_client.key_variable"
            return f"judge: {execution.base_url} refuses the key in {variable}"
    except (OSError, ValueError) as problem:
        why = getattr(problem, "reason", problem)
        return f"judge: {execution.base_url} cannot be reached ({why}); start it, or set suite.judge_client.base_url"
    return ""
