"""Stage ``tokenizer``: a small byte-level BPE trained on the texts of its inputs, as a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from common.rows import read_rows
from train.render import template_text
from train.sources import conversation
from train.spec import TextFile, TokenizerSpec

PAD, BOS, END, USER, ASSISTANT = "<|pad|>", "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>"
BYTES = 256  # every byte is a token, so any text can be encoded
# A token never spans two of these pieces: a line break with the indentation after it; a word, one to three digits or a
# run of signs, each with the space before it; a single white-space character.
PIECES = r"\n *| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s"


def run(spec: TokenizerSpec, inputs: Mapping[str, Path], out: Path) -> None:
    """Train the tokenizer and write its folder to ``out``. Ids: special tokens first, then bytes, then merges.

    Raises a ValueError if the vocabulary has no room for special tokens and bytes.
    """
    special = [PAD, BOS, END, USER, ASSISTANT]
    if spec.vocabulary < BYTES + len(special):
        least = BYTES + len(special)
        raise ValueError(f"vocabulary={spec.vocabulary} is too small; bytes and special tokens need at least {least}")
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=spec.vocabulary, special_tokens=special, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    core.train_from_iterator(texts(spec.texts, inputs), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=PAD, bos_token=BOS, eos_token=END,
        additional_special_tokens=[USER, ASSISTANT], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = template_text(spec.template)
    tokenizer.save_pretrained(str(out))


def texts(files: tuple[TextFile, ...], inputs: Mapping[str, Path]) -> Iterator[str]:
    """Yield the text of every turn of every row of the files."""
    for file in files:
        path = inputs[file.input]
        for row in read_rows(path / file.file if path.is_dir() else path):
            for message in conversation(row, file.format, dict(file.fields)):
                yield message.content
