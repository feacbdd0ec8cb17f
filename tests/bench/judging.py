"""A judge that fails now and then, and graders that are killed: does the result change, and what is asked in vain?"""

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

QUESTIONS, REPEATS, KILLS, EVERY = 80, 3, 8, 50
SPEC = ScoreSpec("mtbench", "", None, 1.0, 1, judge=Judge(model="grader", repeats=REPEATS))


def judging() -> str:
    """480 calls at a server of which one in six fails: undisturbed, and with a kill -9 every 50 requests."""
    draw = random.Random(0)
    server = JudgeServer(lambda number, request: _flaky(draw, request))
    url = server.start()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        inputs = _inputs(place)
        found = []
        for name, kills in (("whole", 0), ("killed", KILLS)):
            execution = JudgeRun(
                url, "", backoff=0.02, input_price=1.0, output_price=1.0, cache=str(place / name), seconds=5.0
            )
            before, began = len(server.requests), time.perf_counter()
            _graded(server, inputs, place / name / "out", execution, kills)
            record = b"".join((place / name / "out" / f"{file}.jsonl").read_bytes() for file in ("scores", "judgments"))
            found.append((len(server.requests) - before, time.perf_counter() - began, record))
    server.stop()
    (calls, seconds, whole), (more, _, killed) = found
    return (
        f"{QUESTIONS * 2 * REPEATS} judgments by {calls} requests in {seconds:.1f} s; killed {KILLS} times: {more} "
        f"requests, {'the same' if whole == killed else 'OTHER'} records"
    )


def _graded(server: JudgeServer, inputs: dict[str, Path], out: Path, execution: JudgeRun, kills: int) -> None:
    out.mkdir(parents=True)
    fork = multiprocessing.get_context("fork")
    for _ in range(kills):
        process = fork.Process(target=score.run, args=(SPEC, inputs, out, execution))
        process.start()
        until = len(server.requests) + EVERY
        while process.is_alive() and len(server.requests) < until:
            time.sleep(0.002)
        process.kill()
        process.join()
    process = fork.Process(target=score.run, args=(SPEC, inputs, out, execution))
    process.start()
    process.join()
    assert process.exitcode == 0


def _flaky(draw: random.Random, request: dict[str, Any]) -> Act:
    """A rating that the prompt determines, after a while; now and then trouble, and nothing that can be read."""
    time.sleep(0.01)
    chance = draw.random()
    if chance < 0.12:
        return (429, {"Retry-After": "0.05"}, b"") if chance < 0.06 else (500, {}, b"")
    if chance < 0.17:
        return (200, {}, b"garbage") if chance < 0.15 else "RESET"
    text = " ".join(message["content"] for message in request["messages"])
    number = int(hashlib.sha256(text.encode()).hexdigest(), 16)
    return "none" if number % 19 == 0 and len(request["messages"]) < 4 else f"Rating: [[{1 + number % 10}]]"


def _inputs(place: Path) -> dict[str, Path]:
    """Questions of two turns and answers to them, all made up."""
    rows = [{"question_id": n, "category": "own", "turns": [f"Question {n}?", "And then?"]} for n in range(QUESTIONS)]
    (place / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = [
        {"id": f"{n}/{turn}", "item": str(n), "turn": turn, "text": f"Answer {n} {turn}.", "finish": "stop"}
        for n in range(QUESTIONS)
        for turn in (1, 2)
    ]
    (place / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    return {"answers": place, "data": place / "questions.jsonl"}
