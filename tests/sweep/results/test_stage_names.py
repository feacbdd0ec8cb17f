"""What stages are called while they run."""

from pathlib import Path

from sweep.results.saved_sweep import save
from sweep.results.stage_names import stage_names
from sweep.stages.store import Store
from tests.sweep.composing import cell, plan


def test_stages_are_called_by_their_cell_and_task_and_data_by_its_file(tmp_path: Path):
    one, two = (cell("ability=math", f"fraction={part}", f"store={tmp_path}") for part in ("1/4", "1"))
    both = cell("strategy=sequential", f"store={tmp_path}")
    names = stage_names(save(plan(one, two, both, store=tmp_path), Store(tmp_path)))
    called = set(names.values())
    labels = sorted(name.removeprefix("train ") for name in called if name.startswith("train "))
    assert len(called) == len(names) and "base" in labels, "two stages have one name"
    assert [label for label in labels if ", stage 2" in label] and len(labels) == 1 + 2 + 3
    first = next(label for label in labels if "," not in label and label != "base")
    assert {f"answer gsm8k, {first}", f"score gsm8k, {first}"} <= called
    assert {"world", "tokenizer", "tokens math.jsonl", "tokens math.jsonl held out"} <= called
