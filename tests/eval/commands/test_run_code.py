"""Many programs of a file through several sandboxes."""

from __future__ import annotations

import json

from eval.__main__ import main
from eval.items.jsonl import read
from eval.sandbox.pool import run_all
from eval.sandbox.programs import Limits
from tests.eval.sandbox.conftest import MEMORY


def test_timeouts_are_run_again_alone_and_order_is_kept():
    programs = ["pass", "while True: pass", "assert False", "pass", "raise MemoryError"]
    heard = []
    found, used = run_all(programs, Limits(1, MEMORY), workers=2, on_verdict=lambda *one: heard.append(one))
    statuses = ["passed", "timeout", "failed", "passed", "memory"]
    assert [verdict.status for verdict in found] == statuses and used.number >= 2
    assert sorted((place, verdict.status) for place, verdict in heard) == list(enumerate(statuses))
    assert heard[-1][0] == 1  # the timeout was told of last, after its second run


def test_run_code(tmp_path, capsys):
    rows = [
        {"id": "a", "program": "assert 1 + 1 == 2"},
        {"id": 7, "program": "def f(): return 1", "tests": "assert f()"},
    ]
    rows += [{"id": "b", "program": "import os; os._exit(0)"}, {"id": "c", "program": "x = bytearray(3 << 30)"}]
    rows += [{"id": "d", "program": "while True: pass"}, {"id": "e", "program": "#" * (1 << 21)}]
    rows += [{"id": "f", "program": "assert 1 + 1 == 3"}]
    source, out = tmp_path / "p.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["run-code", f"programs={source}", f"out={out}", "seconds=1", "workers=2"]) == 0
    assert "7 programs at level" in capsys.readouterr().out
    found = read(out)
    assert [(row["id"], row["status"]) for row in found] == [
        ("a", "passed"), (7, "passed"), ("b", "crashed"), ("c", "memory"), ("d", "timeout"), ("e", "refused"),
        ("f", "failed"),
    ]  # fmt: skip
    assert all(set(row) == {"id", "status", "seconds", "memory_bytes", "detail", "cpu_seconds"} for row in found)
    for words, said in (
        (["run-cod", "x=1"], "did you mean 'run-code'"),
        (["run-code", f"program={source}", f"out={out}"], "did you mean 'programs'"),
        (["run-code", f"programs={source}"], "out= missing"),
        (["run-code", f"programs={source}", f"out={out}", "seconds=x"], "seconds=x is not a number"),
        (["run-code", f"programs={source}", f"out={out}", "level=7"], "level=7 is unknown"),
        (["run-code", f"programs={tmp_path}/absent", f"out={out}"], "does not exist"),
        (["run-code", f"programs={tmp_path}", f"out={out}"], "is not a file"),
        (["run-code", f"programs={source}", f"out={tmp_path}"], "is a folder; name a file in it"),
        (["run-code", f"programs={source}", f"out={out}", "seconds=1e300"], "must be above 0 and at most 86400"),
        (["run-code", f"programs={source}", f"out={source}/x", "level=9"], "level=9 is unknown"),
        (["run-code", f"programs={source}", f"out={source}/x"], "p.jsonl: File exists; give another path"),
    ):
        assert main(words) == 2 and said in capsys.readouterr().err
