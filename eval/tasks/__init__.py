"""The tasks by name: how each reads its items, asks them, and judges an answer. Pure and torch-free."""

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
    """One benchmark.

    ``items`` reads its file into rows with a unique ``id``. ``messages`` is the conversation that asks an item, or one
    message with the role ``text`` to go on with; ``examples`` reads the worked examples that may come before it as
    ``item["shots"]``. ``stops`` end an answer. ``score`` judges one answer text; without it a judge does. Where
    ``program`` is given, that program is run first and ``score`` receives the status it ended with as its third
    argument, otherwise ''. ``metrics`` sums up the per-item fields, the headline ``accuracy`` first.
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
    "gsm8k": replace(TASKS["gsm8k"], messages=gsm8k.continued, stops=gsm8k.STOPS),
    "humaneval": replace(
        TASKS["humaneval"],
        messages=humaneval.continued,
        stops=humaneval.MARGIN,
        program=humaneval.joined,
        score=humaneval.judged,
    ),
    "mbpp": replace(TASKS["mbpp"], messages=mbpp.continued, stops=mbpp.STOPS, program=mbpp.joined, score=mbpp.judged),
}

FORMS = {"chat": TASKS, "completion": COMPLETIONS}
