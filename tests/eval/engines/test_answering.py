"""The local engine: the ids of `generate`, whatever the batch, the order, and the company."""

from __future__ import annotations

import copy
import random
import subprocess
import sys

import pytest
import torch

from eval.engines import local
from eval.engines.batches import plan
from eval.engines.losses import losses
from eval.engines.models import encode, end_tokens, render
from eval.spec.answers import Decoding

GREEDY = Decoding(24, 0.0, 0)
DRAWN = Decoding(24, 1.0, 5)


@pytest.fixture(scope="module")
def prompts(tokenizer):
    draw = random.Random(3)
    tokens = [tuple(draw.randrange(2, len(tokenizer)) for _ in range(draw.randint(1, 40))) for _ in range(32)]
    return [local.Prompt(str(number), ids) for number, ids in enumerate(tokens)]


@pytest.fixture(scope="module")
def ending(model, tokenizer, prompts):
    """A tokenizer whose end token is one that the model does produce, so that rows finish at different times."""
    copied = copy.deepcopy(tokenizer)
    copied.eos_token = tokenizer.convert_ids_to_tokens(reference(model, prompts[0], [1])[9])
    lengths = {len(reference(model, prompt, [1, copied.eos_token_id])) for prompt in prompts}
    assert len(lengths) > 1  # otherwise nothing is shown below
    return copied


def reference(model, prompt, ends):
    """What `generate` says to one prompt alone."""
    ids = torch.tensor([prompt.tokens])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False, eos_token_id=ends, pad_token_id=0
    )
    return tuple(out[0, ids.shape[1] :].tolist())


def batched(model, tokenizer, prompts, size, decoding, stops=()):
    found = {}
    for start in range(0, len(prompts), size):
        part = prompts[start : start + size]
        answers = local.answer(model, tokenizer, part, decoding=decoding, stops=stops)
        found |= {prompt.id: answer for prompt, answer in zip(part, answers, strict=True)}
    return found


def test_greedy_ids_are_those_of_generate(model, ending, prompts):
    ends = [1, ending.eos_token_id]  # 1 is the end in the model's own generation_config
    answers = batched(model, ending, prompts, 32, GREEDY)
    assert {prompt.id: reference(model, prompt, ends) for prompt in prompts} == {
        name: answer.tokens for name, answer in answers.items()
    }
    for answer in answers.values():
        assert answer.finish == ("stop" if answer.tokens[-1] in ends else "length")


@pytest.mark.parametrize("decoding", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_batch_and_order_do_not_matter(model, ending, prompts, decoding):
    alone = batched(model, ending, prompts, 1, decoding)
    shuffled = random.Random(0).sample(prompts, len(prompts))
    assert batched(model, ending, prompts, 8, decoding) == alone
    assert batched(model, ending, shuffled, 32, decoding) == alone


def test_draws_depend_on_seed_and_item(model, tokenizer, prompts):
    first = batched(model, tokenizer, prompts, 32, DRAWN)
    assert batched(model, tokenizer, prompts, 32, Decoding(24, 1.0, 6)) != first
    twins = [local.Prompt("a", prompts[0].tokens), local.Prompt("b", prompts[0].tokens)]
    a, b = batched(model, tokenizer, twins, 2, DRAWN).values()
    assert a != b


def test_cold_draws_are_greedy(model, tokenizer, prompts):
    cold = batched(model, tokenizer, prompts, 32, Decoding(24, 1e-4, 5))
    assert cold == batched(model, tokenizer, prompts, 32, GREEDY)


def test_draws_follow_the_model(tokenizer):
    """Each token is drawn as often as its probability says."""
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.7]])).repeat(4000, 1)
    rows = [local._LiveRow(1, local._draws(DRAWN, str(number))) for number in range(4000)]
    drawn = local._chosen(logits, rows, DRAWN)
    assert [drawn.count(token) / 4000 for token in range(3)] == pytest.approx([0.1, 0.2, 0.7], abs=0.03)


def test_only_special_tokens_end_an_answer(model, tokenizer):
    before = model.generation_config.eos_token_id
    for named, ends in ((None, {1}), (0, {0, 1}), ([0, 1], {0, 1}), ([7, 0], {0, 1})):  # 7 is an ordinary piece of text
        model.generation_config.eos_token_id = named
        assert end_tokens(model.generation_config, tokenizer) == ends
    model.generation_config.eos_token_id = before


def test_stop_strings_end_an_answer(model, tokenizer, prompts):
    free = batched(model, tokenizer, prompts, 32, GREEDY)
    stop = free["0"].text[5:8]
    for name, answer in batched(model, tokenizer, prompts, 32, GREEDY, (stop,)).items():
        assert answer.text == free[name].text.partition(stop)[0]
        assert len(answer.tokens) <= len(free[name].tokens)
    stopped = batched(model, tokenizer, prompts, 8, GREEDY, (stop,))["0"]
    assert stopped.finish == "stop" and len(stopped.tokens) < len(free["0"].tokens)


def test_a_full_context_ends_an_answer(model, tokenizer):
    context = model.config.max_position_embeddings
    sizes = (context + 5, context, context - 3, 10)
    prompts = [local.Prompt(str(size), tuple(range(2, 12)) * 26) for size in sizes]
    prompts = [local.Prompt(one.id, (one.tokens * 2)[: int(one.id)]) for one in prompts]
    answers = local.answer(model, tokenizer, prompts, decoding=GREEDY, stops=())
    assert [(len(answer.tokens), answer.text, answer.finish) for answer in answers[:2]] == [(0, "", "context")] * 2
    assert len(answers[2].tokens) == 3 or answers[2].finish == "stop"


@pytest.mark.parametrize("size", [1, 5])
def test_losses_are_those_of_the_model(model, tokenizer, size):
    draw = random.Random(7)
    ids = [torch.tensor([draw.randrange(len(tokenizer)) for _ in range(draw.randint(2, 50))]) for _ in range(10)]
    flags = [torch.rand(len(sample), generator=torch.manual_seed(len(sample))) < 0.5 for sample in ids]
    flags[3][:] = False
    found = []
    for start in range(0, 10, size):
        part = slice(start, start + size)
        found += losses(model, [one.numpy() for one in ids[part]], [one.numpy() for one in flags[part]])
    for sample, wanted, (loss, tokens) in zip(ids, flags, found, strict=True):
        labels = torch.where(wanted, sample, -100)
        assert tokens == int(wanted[1:].sum())
        if tokens:
            with torch.no_grad():
                mean = model(input_ids=sample[None], labels=labels[None]).loss.item()
            assert loss == pytest.approx(mean * tokens, rel=1e-5)
        else:
            assert loss == 0


def test_prompts_are_what_the_template_writes(tokenizer):
    text = render(tokenizer, [{"role": "user", "content": "how many apples <s> now?"}])
    assert text == "<s>user: how many apples <s> now?<end>assistant:\n"
    (ids,) = encode(tokenizer, [text])
    whole = tokenizer(text + "3<end>", add_special_tokens=False)["input_ids"]
    assert tuple(whole[: len(ids)]) == ids and ids[0] == tokenizer.bos_token_id != ids[1]
    with pytest.raises(ValueError, match="two BOS"):
        encode(tokenizer, ["<s><s>user"])


def test_batches_hold_every_row_once_within_bounds():
    lengths = [3, 50, 7, 7, 100, 1, 9]
    batches = plan(lengths, rows=3, tokens=60)
    assert sorted(row for batch in batches for row in batch) == list(range(7))
    for batch in batches:
        assert len(batch) <= 3
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= 60
    assert batches[0] == [4]
    assert plan([], rows=3, tokens=60) == []
    with pytest.raises(ValueError, match="batch_rows=0"):
        plan(lengths, rows=0, tokens=60)


def test_scores_and_tasks_are_free_of_torch():
    heavy = "{'torch', 'transformers', 'numpy'}"
    check = f"import sys, eval.stages.score, eval.tasks, eval.spec.tasks; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
