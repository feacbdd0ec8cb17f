"""Running ``python -m analysis`` in a test."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from analysis.__main__ import main
from tests.conftest import ROOT


def run(*arguments, cwd, code=0, **environment):
    """What the command prints (on its error output where it is to fail), run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as here, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        here.chdir(cwd)
        for name, value in environment.items():
            here.setenv(name, value)
        ended = main([str(a) for a in arguments])
    assert ended == code, err.getvalue()
    return err.getvalue() if code else out.getvalue()


def run_as_module(*arguments, cwd, code=0):
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "analysis", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
