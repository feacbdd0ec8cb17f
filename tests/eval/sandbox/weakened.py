"""Judges that are weak on purpose: a forgery that passes on none of them would be no test of the real one."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path

import eval.sandbox.run_program as run_program
import eval.sandbox.run_tests as run_tests
from eval.sandbox.messages import Channel
from eval.sandbox.programs import Program

SECONDS = 5


def in_one_process(program: Program) -> bool:
    """The program and its tests share an interpreter, and the tests lie everywhere; an exit of 0 is a pass too."""

    def judge(verdict: int) -> None:
        program_text, tests = program.code, program.tests or ""
        os.environ["TESTS"] = tests
        sys.argv.append(tests)
        Path("tests.txt").write_text(tests)
        os.dup2(os.open("tests.txt", os.O_RDONLY), 20)
        module = types.ModuleType("program")
        sys.modules["program"] = sys.modules["__main__"] = module
        module.__dict__.update(tests=tests)
        here = {"program": program, "tests": tests}
        exec(compile(program_text, "program", "exec", dont_inherit=True), module.__dict__)
        exec(
            compile((here["tests"] and tests and program.tests) or "", "tests", "exec", dont_inherit=True),
            module.__dict__,
        )
        os.write(verdict, b"passed\n")

    return _forked(judge)


def trusting(program: Program) -> bool:
    """Two processes, but whatever the program's answers hold is believed."""

    def judge(verdict: int) -> None:
        run_tests._asked = lambda names, found: dict(found)  # type: ignore[assignment]
        run_tests.MODULES = {}
        orders, order = os.pipe()
        answers, answer = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(orders, 13)
            os.dup2(answer, 14)
            run_program.serve(Channel(13, 14))
        os.close(answer)
        if run_tests.outcome(program, run_tests.remote_by(Channel(answers, order))) == "passed":
            os.write(verdict, b"passed\n")
        os.kill(child, signal.SIGKILL)

    return _forked(judge)


def _forked(judge: Callable[[int], None]) -> bool:
    """Whether a judge that is forked says, or the program forges, that it passed."""
    reader, verdict = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.chdir(folder)
                os.close(reader)
                resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
                null = os.open(os.devnull, os.O_RDWR)
                for descriptor in (0, 1, 2):
                    os.dup2(null, descriptor)
                os.dup2(verdict, 3)
                os.closerange(4, 64)
                judge(3)
            except SystemExit as error:
                status = error.code if isinstance(error.code, int) else 0
            finally:
                os._exit(status)
        os.close(verdict)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as written:
            return b"passed" in written.read() or status == 0
