"""The benchmarks by the name of their task: how each reads its items, asks them, and scores an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.items.jsonl import Row
from eval.items.metrics import Metric
from eval.sandbox.programs import Program
from eval.spec.answers import Reading
from eval.tasks import code, custom_qa, gsm8k, humaneval, ifeval, mbpp, mtbench

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Benchmark:
    """One benchmark in one form.

    ``items`` reads a file into rows with a unique ``id``. ``messages`` gives the conversation that asks an item, or a
    single message with the role ``text`` that the model continues. ``examples`` reads worked examples, which
    ``messages`` finds in ``item["shots"]``. ``stops`` are strings that end an answer. ``score`` gives the verdict on an
    answer text; a benchmark without it is graded by a judge. Where there is a ``program``, it is built from item and
    answer and run first, and ``score`` gets its status as third argument, otherwise ''. ``metrics`` aggregates scores,
    the headline metric ``accuracy`` first.
    """

    items: Callable[[Path, Reading], list[Row]]
    messages: Callable[[Row], Messages]
    stops: tuple[str, ...]
    program: Callable[[Row, str], Program] | None
    score: Callable[[Row, str, str], Row] | None
    metrics: Callable[[Sequence[Row]], list[Metric]]
    examples: Callable[[Path, Reading], list[Row]] | None = None


TASKS = {
    "gsm8k": Benchmark(gsm8k.items, gsm8k.messages, (), None, gsm8k.score, gsm8k.metrics, gsm8k.items),
    "humaneval": Benchmark(
        humaneval.items, humaneval.messages, humaneval.STOPS, humaneval.program, humaneval.score, code.metrics
    ),
    "mbpp": Benchmark(mbpp.items, mbpp.messages, (), mbpp.program, mbpp.score, code.metrics, mbpp.examples),
    "ifeval": Benchmark(ifeval.items, ifeval.messages, (), None, ifeval.score, ifeval.metrics),
    "exact_match": Benchmark(custom_qa.items, custom_qa.messages, (), None, custom_qa.match, custom_qa.metrics),
    "regex": Benchmark(custom_qa.patterned, custom_qa.messages, (), None, custom_qa.find, custom_qa.metrics),
    "choice": Benchmark(custom_qa.choosing, custom_qa.messages, (), None, custom_qa.choose, custom_qa.metrics),
    "mtbench": Benchmark(mtbench.benchmark, mtbench.messages, (), None, None, mtbench.metrics),
    "judge": Benchmark(mtbench.items, mtbench.messages, (), None, None, mtbench.metrics),
}

COMPLETIONS = {
    "gsm8k": replace(TASKS["gsm8k"], messages=gsm8k.completion, stops=gsm8k.STOPS),
    "humaneval": replace(
        TASKS["humaneval"],
        messages=humaneval.completion,
        stops=humaneval.MARGIN,
        program=humaneval.completion_program,
        score=humaneval.score_completion,
    ),
    "mbpp": replace(
        TASKS["mbpp"],
        messages=mbpp.completion,
        stops=mbpp.STOPS,
        program=mbpp.completion_program,
        score=mbpp.score_completion,
    ),
}

FORMS = {"chat": TASKS, "completion": COMPLETIONS}
