"""The text of an answer, the thought before it, and what a chat template may do."""

from __future__ import annotations

import copy

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import MambaConfig, MambaForCausalLM, PreTrainedTokenizerFast

from eval.engines import models as engine_models
from eval.engines.local import load
from eval.engines.models import DAY, render, thought_marks
from eval.engines.texts import decoded
from eval.items.thoughts import MARKS, split
from eval.spec.answers import AnswerSpec, Decoding


@pytest.fixture(scope="module")
def llama():
    """A tokenizer of Llama's kind: pieces begin with a mark for a space, and the first space is stripped."""
    pieces = [
        "<unk>",
        "<s>",
        "</s>",
        "\u2581",
        "\u2581\u2581",
        "\u2581\u2581\u2581\u2581",
        ":",
        "\n",
        *"abdeflnotru=0()",
    ]
    made = Tokenizer(
        models.BPE(
            {piece: number for number, piece in enumerate(pieces)},
            [("\u2581", "\u2581"), ("\u2581\u2581", "\u2581\u2581")],
        )
    )
    made.normalizer = normalizers.Replace(" ", "\u2581")
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def test_an_answer_keeps_its_first_space(llama):
    prompt, answer = llama("def f():\n")["input_ids"], llama("    total = 0\n    return total")["input_ids"]
    assert llama.decode(answer).startswith("   total")  # on its own it loses one
    assert decoded(llama, answer, [1, *prompt]) == "    total = 0\n    return total"
    assert decoded(llama, [], prompt) == "" and decoded(llama, answer).lstrip() == "total = 0\n    return total"


def test_an_end_that_a_model_spells_ends_its_answer(llama):
    spelled = copy.copy(llama)
    spelled.eos_token = "(old)"
    assert decoded(spelled, llama("a(b)(old)a")["input_ids"]) == "a(b)"


SAID = "She sold **72** clips."


@pytest.mark.parametrize(("opening", "closing"), MARKS)
def test_a_thought_is_no_part_of_an_answer(opening, closing):
    for text, prompt in (
        (f"{opening}Perhaps the answer is 10?\nNo.{closing}\n{SAID}", ""),
        (f"\n{opening}\nPerhaps the answer is 10?\nNo.\n{closing}\n\n{SAID}", ""),
        (f"Perhaps the answer is 10?\nNo.{closing}\n{SAID}", f"assistant:{opening}\n"),
        (f"Perhaps the answer is 10?\nNo.{closing}{SAID}", ""),
    ):
        assert split(text, prompt=prompt) == ("Perhaps the answer is 10?\nNo.", SAID, True)
    assert split(f"{opening}One.{closing}\n{opening}Two.{closing}{SAID}") == ("One.\nTwo.", SAID, True)
    assert split(f"{opening}Perhaps the answer is 10? No, 48 and") == (
        "Perhaps the answer is 10? No, 48 and",
        "",
        False,
    )
    assert split("and so on", prompt=f"assistant:{opening}") == ("and so on", "", False)
    for text in (SAID, f"Write {opening} and {closing} around it.", ""):
        assert split(text) == ("", text, True)


def test_the_marks_are_those_that_a_template_names(tokenizer):
    assert thought_marks(tokenizer) == MARKS
    thinking = copy.copy(tokenizer)
    thinking.chat_template = "{{ messages[0].content.split('</think>') }}"
    assert thought_marks(thinking) == (("<think>", "</think>"),)


ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]


def test_a_template_that_refuses_a_system_turn_is_told_in_one_line(tokenizer):
    strict = copy.copy(tokenizer)
    strict.chat_template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}fine"
    with pytest.raises(
        ValueError, match=r"chat template of .* fails \(no system\); leave out the system turn \(system=\)$"
    ):
        render(strict, ASKED)
    assert render(strict, ASKED[1:]) == "fine"


def test_a_template_has_one_day_options_and_an_end(tokenizer, monkeypatch):
    dated = copy.copy(tokenizer)
    dated.chat_template = "{{ strftime_now('%Y-%m-%d') }} {{ enable_thinking }}"
    assert render(dated, ASKED, '{"enable_thinking": false}') == f"{DAY} False"
    monkeypatch.setattr(engine_models, "TEMPLATE_SECONDS", 0.2)
    dated.chat_template = "{% for a in range(99999) %}{% for b in range(99999) %}{{ '' }}{% endfor %}{% endfor %}"
    with pytest.raises(ValueError, match=r"fails \(not done after 0\.2 s\); leave out the system turn"):
        render(dated, ASKED)


def test_a_model_whose_layers_carry_a_state_is_refused(tokenizer, tmp_path):
    config = MambaConfig(vocab_size=len(tokenizer), hidden_size=16, state_size=4, num_hidden_layers=1)
    MambaForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    spec = AnswerSpec("gsm8k", "", None, None, None, Decoding(4, 0.0, 0), "fp32")
    with pytest.raises(ValueError, match=r"is of type mamba, whose layers carry a state .*set backend=vllm"):
        load(spec, {"model": tmp_path})
