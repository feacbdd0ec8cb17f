"""Training and evaluation put a conversation into the same ids: what a model is asked is how its samples began."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from eval.engines.models import encode, render
from train.render import TEMPLATES, Renderer, set_template
from train.sources import Message

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|open|>", "<|shut|>", "<|eot|>", "<turn>", "<end_of_turn>", "[Q]", "[/Q]"]
LOOP = "{% for m in messages %}"
END = "{% endfor %}"
# Our own, and the shapes that published models come with: name, how a turn ends, the text.
SHAPES = {
    "headers": (
        "<|eot|>",
        "<s>" + LOOP + "<|open|>{{ m.role }}<|shut|>\n\n{{ m.content | trim }}<|eot|>" + END
        + "{% if add_generation_prompt %}<|open|>assistant<|shut|>\n\n{% endif %}",
    ),
    "bos with the first turn": (
        "<|eot|>",
        LOOP + "{{ (bos_token if loop.first else '') + '<|open|>' + m.role }}<|shut|>{{ m.content }}<|eot|>" + END
        + "{% if add_generation_prompt %}{{ '<|open|>assistant<|shut|>' }}{% endif %}",
    ),
    "brackets, the system turn inside the first question": (
        "</s>",
        "{{ bos_token }}{% set ns = namespace(system='') %}" + LOOP + "{% if m.role == 'system' %}"
        "{% set ns.system = m.content + '\n\n' %}{% elif m.role == 'user' %}[Q] {{ ns.system + m.content }} [/Q]"
        "{% set ns.system = '' %}{% else %} {{ m.content }}</s>{% endif %}" + END,
    ),
    "turns by another name": (
        "<end_of_turn>",
        "{{ bos_token }}" + LOOP + "<turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}"
        "<end_of_turn>\n" + END + "{% if add_generation_prompt %}<turn>model\n{% endif %}",
    ),
    "a system turn of its own, without bos": (
        "<|im_end|>",
        "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}" + LOOP
        + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n" + END
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    ),
}  # fmt: skip
TURNS = (
    Message("user", "How many apples?\n"), Message("assistant", "Three. #### 3"), Message("user", "And <b>pears</b>?"),
    Message("assistant", " Vier – 4 🍐"),
)  # fmt: skip


def dressed(template):
    """A byte-level tokenizer with the special tokens of every shape, and that template."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    pieces.pre_tokenizer, pieces.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, bos_token="<s>", eos_token="</s>")
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    if template in SHAPES:
        tokenizer.eos_token, tokenizer.chat_template = SHAPES[template]
    else:
        set_template(tokenizer, template)
    return tokenizer


@pytest.mark.parametrize("system", ["", "Be brief."], ids=["plain", "system"])
@pytest.mark.parametrize("template", [*sorted(path.stem for path in TEMPLATES.glob("*.jinja")), *SHAPES])
def test_a_prompt_is_how_the_sample_began(template, system):
    tokenizer = dressed(template)
    (sample,) = (one.result() for one in Renderer(tokenizer, system=system, supervise="assistant").samples([TURNS]))
    before = [{"role": "system", "content": system}] if system else []
    messages = [*before, *({"role": turn.role, "content": turn.content} for turn in TURNS)]
    for turn in (1, 3):
        (prompt,) = encode(tokenizer, [render(tokenizer, messages[: len(before) + turn])])
        assert tuple(sample.ids[: len(prompt)]) == prompt
        assert not sample.supervised[len(prompt) - 1] and sample.supervised[len(prompt)]
    bos = sample.ids.count(tokenizer.bos_token_id)
    assert bos == (0 if "bos" not in tokenizer.chat_template and "<s>" not in tokenizer.chat_template else 1)
    assert sample.ids[0] == tokenizer.bos_token_id or not bos
    assert sample.ids[max(place for place, flag in enumerate(sample.supervised) if flag)] == tokenizer.eos_token_id
