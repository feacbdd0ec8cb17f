"""`python -m eval [verb] key=value ...`: evaluate a model without a sweep, compare two, or run programs."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Python searches the current folder first: a common.py there would hide the package of that name.
    if (here := Path.cwd()) != Path(__file__).resolve().parents[1]:
        sys.path[:] = [place for place in sys.path if place not in ("", str(here))]
    from common.start import own_packages

    own_packages()

from eval.commands import compare, cross_check, evaluate, run_code

HELP = """\
python -m eval model=FOLDER [suite=NAME]            evaluate any Hugging Face folder without a sweep
  model=FOLDER       weights, tokenizer and chat template; or a hub id, with revision=
  suite=NAME         a suite of conf/suite (default open), or a YAML file like one
  tasks=NAME,NAME    some tasks of the suite only          items=NUMBER    the first items of each
  data=FOLDER        what DOSAGE_DATA is in the suite      world=FOLDER    the embedded world's (suite=micro)
  precision=NAME     fp32 or bf16                          batch_rows=NUMBER  rows in one forward pass
  train=PLACE        a file or folder of training data: how much of the items it holds, and scores without those
  engine=NAME        local or vllm                         workers=NUMBER  processes that answer (default: one a core,
                     up to eight, or one a GPU); the answers are the same whatever their number
  system=TEXT        the system turn of training           seed=NUMBER     of drawn answers
  out=FOLDER         where records go (default evaluations/MODEL): answers that are there already are scored anew, not
                     given anew, as long as weights, items and decoding are the same

  a task that needs a judge takes the suite's, and these keys before it:
  judge=NAME         the judge's name at judge_url=URL (OpenAI-compatible, its key in the suite's key_variable), or
  judge_path=FOLDER  a local judge                         repeats=NUMBER  of every question to the judge
  prices=IN/OUT      dollars a million tokens, as 30/60    dollars=NUMBER  what may be spent in all

python -m eval compare answers=FOLDER against=FOLDER out=FOLDER   let a judge compare two models, in both orders
  answers=, against= what python -m eval wrote for two models: OUT, or any folder with a responses.jsonl
  task=NAME          the suite's task (default mtbench)    suite=, data=, judge=, …   as above (default suite=paper)

python -m eval cross-check samples=FILE ours=FOLDER  our verdicts beside lm-eval's own, and every item where they differ
  samples=FILE       samples_TASK_*.jsonl, which lm-eval writes with --log_samples
  ours=FOLDER        OUT/TASK of python -m eval            out=FILE        the items that differ, as JSON lines

python -m eval run-code programs=FILE out=FILE      run programs in the sandbox; one verdict a line
  programs=FILE      JSON lines {"id", "program"}, optionally with "tests", which then judge the program from outside
  out=FILE           JSON lines {"id", "status", "seconds", "memory_bytes", "detail"} in the same order; status is
                     passed, failed, timeout, memory, refused or crashed
  seconds=NUMBER     CPU seconds of a program (default 3; three times as much by the clock)
  memory_mib=NUMBER  its address space (default 1024)
  workers=NUMBER     programs at a time (default 1)
  level=NUMBER       3 isolated, 2 confined, 1 no-open, 0 unsafe (default: the best that this machine offers, from 2 on;
                     below 2 only with DOSAGE_UNSAFE_CODE=1)
"""

VERBS: dict[str, tuple[type, Callable[[Any], str]]] = {
    "": (evaluate.Evaluate, evaluate.run),
    "compare": (compare.Compare, compare.run),
    "cross-check": (cross_check.CrossCheck, cross_check.run),
    "run-code": (run_code.RunCode, run_code.run),
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code. What a user can mend is printed as one line, without a traceback."""
    if any(word in ("-h", "--help", "help") for word in arguments) or not arguments:
        print(HELP, end="")
        return 0 if arguments else 2
    try:
        asked, act = parse(arguments)
        print(act(asked))
    except (ValueError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parse(arguments: Sequence[str]) -> tuple[Any, Callable[[Any], str]]:
    """What is asked for, and what does it. ValueError for an unknown or missing word, naming the nearest one."""
    verb, rest = ("", arguments) if "=" in arguments[0] else (arguments[0], arguments[1:])
    if verb not in VERBS:
        raise ValueError(f"{verb!r} is no verb of eval{_near(verb, list(VERBS))}; see --help")
    kind, act = VERBS[verb]
    types_of = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r}: write key=value")
        if key not in types_of:
            raise ValueError(f"{key!r} is unknown{_near(key, list(types_of))}; known: {', '.join(types_of)}")
        if key in given:
            raise ValueError(f"{key!r} is given twice")
        given[key] = _read(key, value, types_of[key])
    needed = [one.name for one in dataclasses.fields(kind) if one.default is dataclasses.MISSING]
    if missing := [name for name in needed if name not in given]:
        raise ValueError(f"{', '.join(f'{name}=' for name in missing)} is missing; see --help")
    return kind(**given), act


def _read(key: str, value: str, wanted: Any) -> Any:
    kinds = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    if value == "null" and type(None) in kinds:
        return None
    kind = next(one for one in kinds if one is not type(None))
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{key}={value} is no {'whole number' if kind is int else 'number'}") from None


def _near(word: str, known: Sequence[str]) -> str:
    meant = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {meant[0]!r}?" if meant else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
