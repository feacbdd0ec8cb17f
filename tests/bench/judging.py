"""A judge that fails now and then, and graders that are killed: the results and the number of requests."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from eval.spec.judge import Judge, JudgeRun
from eval.spec.scores import ScoreSpec
from eval.stages import score
from tests.judge_server import Act, JudgeServer

QUESTIONS, REPEATS = 80, 3
KILLS, REQUESTS_PER_KILL = 8, 50
SPEC = ScoreSpec("mtbench", "", None, 1.0, 1, judge=Judge(model="grader", repeats=REPEATS))


def judging() -> str:
    """480 judgments from a server where one request in six fails: undisturbed, and with a kill -9 every 50 requests."""
    draw = random.Random(0)
    server = JudgeServer(lambda number, request: _flaky(draw, request))
    url = server.start()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        inputs = _inputs(root)
        runs = []
        for name, kills in (("whole", 0), ("killed", KILLS)):
            execution = JudgeRun(
                url, "", backoff=0.02, input_price=1.0, output_price=1.0, cache=str(root / name), seconds=5.0
            )
            before, began = len(server.requests), time.perf_counter()
            _grade(server, inputs, root / name / "out", execution, kills)
            record = b"".join((root / name / "out" / f"{file}.jsonl").read_bytes() for file in ("scores", "judgments"))
            runs.append((len(server.requests) - before, time.perf_counter() - began, record))
    server.stop()
    (requests, seconds, whole), (requests_killed, _, killed) = runs
    return (
        f"{QUESTIONS * 2 * REPEATS} judgments by {requests} requests in {seconds:.1f} s; killed {KILLS} times: "
        f"{requests_killed} requests, {'the same' if whole == killed else 'OTHER'} records"
    )


def _grade(server: JudgeServer, inputs: dict[str, Path], out: Path, execution: JudgeRun, kills: int) -> None:
    """Run the stage, killed ``kills`` times before it may end."""
    out.mkdir(parents=True)
    fork = multiprocessing.get_context("fork")
    for _ in range(kills):
        process = fork.Process(target=score.run, args=(SPEC, inputs, out, execution))
        process.start()
        until = len(server.requests) + REQUESTS_PER_KILL
        while process.is_alive() and len(server.requests) < until:
            time.sleep(0.002)
        process.kill()
        process.join()
    process = fork.Process(target=score.run, args=(SPEC, inputs, out, execution))
    process.start()
    process.join()
    assert process.exitcode == 0


def _flaky(draw: random.Random, request: dict[str, Any]) -> Act:
    """A rating that the prompt determines; now and then an error, or a reply that cannot be read."""
    time.sleep(0.01)
    chance = draw.random()
    if chance < 0.12:
        return (429, {"Retry-After": "0.05"}, b"") if chance < 0.06 else (500, {}, b"")
    if chance < 0.17:
        return (200, {}, b"garbage") if chance < 0.15 else "RESET"
    text = " ".join(message["content"] for message in request["messages"])
    number = int(hashlib.sha256(text.encode()).hexdigest(), 16)
    return "none" if number % 19 == 0 and len(request["messages"]) < 4 else f"Rating: [[{1 + number % 10}]]"


def _inputs(folder: Path) -> dict[str, Path]:
    """Invented questions of two turns and answers to them."""
    rows = [{"question_id": n, "category": "own", "turns": [f"Question {n}?", "And then?"]} for n in range(QUESTIONS)]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = [
        {"id": f"{n}/{turn}", "item": str(n), "turn": turn, "text": f"Answer {n} {turn}.", "finish": "stop"}
        for n in range(QUESTIONS)
        for turn in (1, 2)
    ]
    (folder / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    return {"answers": folder, "data": folder / "questions.jsonl"}
