"""``python -m eval [VERB] key=value ...``: evaluate a model without a sweep, compare two, or run programs."""

from __future__ import annotations

from collections.abc import Sequence

from common import options
from common.options import Command
from eval.commands import ask, compare, cross_check, evaluate, run_code, score_answers

USAGE = """\
python -m eval model=FOLDER [suite=NAME] [KEY=VALUE ...]   evaluate any Hugging Face folder
python -m eval VERB [KEY=VALUE ...]
"""


COMMANDS = {
    "": Command(evaluate.Evaluate, "Evaluate one model on the tasks of a suite.", evaluate.run),
    "ask": Command(ask.Ask, "Let a model behind an endpoint answer the tasks of a suite; score its answers.", ask.run),
    "score": Command(score_answers.ScoreAnswers, "Score answers that another engine gave.", score_answers.run),
    "compare": Command(
        compare.Compare, "Let a judge compare two models' answers, each pair in both orders.", compare.run
    ),
    "cross-check": Command(
        cross_check.CrossCheck,
        "Compare our verdicts with lm-eval's; list every item on which they differ.",
        cross_check.run,
    ),
    "run-code": Command(run_code.RunCode, "Run programs in the sandbox that scores generated code.", run_code.run),
}


def main(words: Sequence[str]) -> int:
    """Run one command; the exit status. What a user can correct is printed as one line, without a traceback."""
    return options.run("python -m eval", COMMANDS, words, usage=USAGE, errors=(ValueError, OSError, RuntimeError))
