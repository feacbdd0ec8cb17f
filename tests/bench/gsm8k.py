"""GSM8K end to end: `python -m eval` beside the command of lm-eval, with one model of a million parameters."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.generation import answered, end_tokens, million
from tests.conftest import ROOT

ITEMS = ROOT.parent / "shared" / "data" / "math" / "gsm8k_test.jsonl"
NEW_TOKENS, MEAN_TOKENS, BATCH_ROWS = 128, 50, 64
SUITE = """
name: bench
precision: fp32
batch_rows: {rows}
tasks:
  gsm8k: {{ability: math, task: gsm8k, path: {items}, form: completion, max_new_tokens: {new}}}
"""
# The same questions, stops and answer length as a task of lm-eval, defined by a file so that no hub is needed.
LM_EVAL_TASK = """
task: gsm8k_by_file
dataset_path: json
dataset_kwargs: {{data_files: {{test: {items}}}}}
test_split: test
output_type: generate_until
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{answer}}}}"
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    regexes_to_ignore: [",", "\\\\$", "(?s).*#### ", "\\\\.$"]
generation_kwargs: {{until: ["Question:", "</s>", "<|im_end|>"], do_sample: false, max_gen_toks: {new}}}
num_fewshot: 0
filter_list:
  - name: strict-match
    filter: [{{function: regex, regex_pattern: "#### (\\\\-?[0-9\\\\.\\\\,]+)"}}, {{function: take_first}}]
  - name: flexible-extract
    filter:
      - {{function: regex, group_select: -1, regex_pattern: "(-?[$0-9.,]{{2,}})|(-?[0-9]+)"}}
      - {{function: take_first}}
"""


def gsm8k() -> str:
    """Wall and CPU seconds for the 1,319 test questions at up to 128 new tokens, with a model that ends its answers and
    one that never does: each command in one process of one thread, and `python -m eval` also with its default of a
    process for each core.
    """
    if not ITEMS.exists():
        return f"left out: {ITEMS} is absent"
    return "\n".join([_measured("answers that end", MEAN_TOKENS), _measured("answers of 128 tokens each", None)])


def _measured(what: str, mean: int | None) -> str:
    """A line of both commands with a model whose answers have ``mean`` tokens in the mean; None: all have the most."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _model(folder / "model", mean)
        (wall, cpu), (wall_all_cores, _) = _eval(folder, ["workers=1"]), _eval(folder, [])
        text = f"{what}: python -m eval {wall:.0f} s ({cpu:.0f} s CPU), with a process a core {wall_all_cores:.0f} s"
        if importlib.util.find_spec("lm_eval") is None:
            return f"{text}; nothing to compare with: lm-eval is not installed (pip install 'dosage-llm[lmeval]')"
        (other_wall, other_cpu), rows = min((_lm_eval(folder, rows), rows) for rows in (32, 64))
    return (
        f"{text}, lm-eval {other_wall:.0f} s ({other_cpu:.0f} s CPU) at batch {rows}: "
        f"{other_wall / wall:.1f} times, {other_cpu / cpu:.1f} by CPU; "
        f"with a process a core {other_wall / wall_all_cores:.1f} times"
    )


def _model(folder: Path, mean: int | None) -> None:
    """Write the model of the measure `generation` with a byte-level tokenizer trained on the questions.

    Some of its tokens end an answer, so that answers have at most ``mean`` tokens in the mean; none does without it.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [json.loads(line)["question"] for line in ITEMS.read_text().splitlines()]
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer, pieces.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1024, special_tokens=["<s>", "<end>"], initial_alphabet=alphabet)
    pieces.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, bos_token="<s>", eos_token="<end>", pad_token="<end>", model_max_length=1024
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    model = million()
    for config in (model.config, model.generation_config):
        config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    if mean is not None:
        prompts = [tuple(tokenizer(f"Question: {text}\nAnswer:").input_ids) for text in texts[:: len(texts) // 64]]
        model.generation_config.eos_token_id = None
        ends = end_tokens(answered(model, prompts, NEW_TOKENS, []), mean)
        model.config.eos_token_id = model.generation_config.eos_token_id = ends
        # Only special tokens end an answer of the local engine.
        tokenizer.add_special_tokens({"additional_special_tokens": tokenizer.convert_ids_to_tokens(ends)})
        tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _eval(folder: Path, more: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of `python -m eval`."""
    (folder / "suite.yaml").write_text(SUITE.format(rows=BATCH_ROWS, items=ITEMS, new=NEW_TOKENS))
    words = [f"model={folder}/model", f"suite={folder}/suite.yaml", f"out={folder}/eval{len(more)}"]
    return _timed(["-m", "eval", *words, *more])


def _lm_eval(folder: Path, rows: int) -> tuple[float, float]:
    """Wall and CPU seconds of lm-eval's command in batches of ``rows``."""
    (folder / "tasks").mkdir(exist_ok=True)
    (folder / "tasks" / "gsm8k_by_file.yaml").write_text(LM_EVAL_TASK.format(items=ITEMS, new=NEW_TOKENS))
    words = ["--model", "hf", "--model_args", f"pretrained={folder}/model,dtype=float32", "--tasks", "gsm8k_by_file"]
    words += ["--include_path", f"{folder}/tasks", "--batch_size", str(rows), "--device", "cpu", "--log_samples"]
    return _timed(["-m", "lm_eval", *words, "--output_path", f"{folder}/lm_eval{rows}"])


def _timed(words: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command, with its child processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    began, before = time.monotonic(), os.times()
    ended = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, cpu
