"""Answers and losses where memory holds few rows: the same as with many, and one line says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from eval.engines import local
from eval.engines.models import load_model
from eval.engines.rows import is_out_of_memory
from eval.spec.answers import AnswerSpec, Decoding, EvalRun
from eval.stages import answer, likelihood

SPEC = AnswerSpec("gsm8k", "math.jsonl", None, None, None, Decoding(30, 0.0, 0), "fp32")
DRAWN = replace(SPEC, decoding=Decoding(30, 1.0, 5))
LOSS = replace(SPEC, task="loss", file="", decoding=None)


def on_the_host() -> None:
    torch.empty(1 << 60)  # more than any machine has


def on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def holds(monkeypatch, most: int, runs_out: Callable[[], None] = on_the_host, since: int = 0) -> list[int]:
    """Let models run out of memory above ``most`` rows once they hold ``since`` positions; the rows of each pass."""
    seen: list[int] = []

    def loaded(spec, inputs):
        model = load_model(spec, inputs)
        forward = model.forward

        def limited(*args, **kwargs):
            rows, positions = kwargs["input_ids"].shape
            seen.append(rows)
            if rows > most and kwargs.get("attention_mask", torch.empty(1, positions)).shape[1] >= since:
                runs_out()
            return forward(*args, **kwargs)

        model.forward = limited
        return model

    monkeypatch.setattr(local, "load_model", loaded)
    monkeypatch.setattr(likelihood, "load_model", loaded)
    return seen


def ran(out, spec, inputs, rows):
    out.mkdir()
    answer.run(spec, inputs, out, EvalRun("key", rows))
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize("spec", [SPEC, DRAWN], ids=["greedy", "drawn"])
@pytest.mark.parametrize("runs_out", [on_the_host, on_a_gpu])
@pytest.mark.parametrize("since", [0, 50], ids=["at once", "while it writes"])
def test_fewer_rows_give_the_same_answers(model_folder, problems, tmp_path, monkeypatch, capsys, spec, runs_out, since):
    inputs = {"model": model_folder, "data": problems}
    whole = ran(tmp_path / "whole", spec, inputs, 32)
    assert capsys.readouterr().out == ""
    seen = holds(monkeypatch, 10, runs_out, since)
    assert ran(tmp_path / "few", spec, inputs, 32) == whole
    # 32 and 16 rows are tried once each; then no pass has more than 8.
    tried = [rows for rows in seen if rows > 10]
    assert tried == sorted(tried, reverse=True) and set(tried) >= {32, 16} and max(seen[seen.index(8) :]) == 8
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        f"model {model_folder}, task gsm8k: out of memory at 32 rows; it goes on with 8 at a time"
    )  # fmt: skip


def test_fewer_rows_give_the_same_losses(model_folder, tokens_folder, tmp_path, monkeypatch, capsys):
    inputs = {"model": model_folder, "data": tokens_folder}
    whole = ran(tmp_path / "whole", LOSS, inputs, 12)
    holds(monkeypatch, 3)
    few = ran(tmp_path / "few", LOSS, inputs, 12)
    for one, other in zip(*(found["responses.jsonl"].splitlines() for found in (whole, few)), strict=True):
        a, b = json.loads(one), json.loads(other)
        assert (a["id"], a["tokens"]) == (b["id"], b["tokens"]) and a["loss"] == pytest.approx(b["loss"], rel=1e-5)
    assert "task loss: out of memory at 12 rows; it goes on with 3 at a time" in capsys.readouterr().out


@pytest.mark.parametrize("spec", [SPEC, LOSS], ids=["answers", "losses"])
def test_one_row_too_many_is_named(model_folder, problems, tokens_folder, tmp_path, monkeypatch, spec):
    holds(monkeypatch, 0)
    inputs = {"model": model_folder, "data": tokens_folder if spec is LOSS else problems}
    with pytest.raises(
        ValueError, match=rf"model {model_folder}, task {spec.task}: out of memory on the host"
    ) as found:
        ran(tmp_path / "out", spec, inputs, 4)
    assert "with one row of up to" in str(found.value) and "(4 were asked for); give it more memory" in str(found.value)
    assert "\n" not in str(found.value)


def test_other_errors_pass():
    assert not is_out_of_memory(RuntimeError("size mismatch")) and not is_out_of_memory(
        ValueError("can't allocate memory")
    )
    assert is_out_of_memory(MemoryError())
