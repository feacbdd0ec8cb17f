"""The tokenised samples of a training stage, read from the ``tokens`` folders of its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from train.spec import Portion


@dataclass(frozen=True)
class TokenizedSamples:
    """The samples of all sources, numbered through: source after source, each in its own order.

    ``ids`` int32 and ``supervised`` bool are [tokens]; sample i has the tokens ``offsets[i]`` to ``offsets[i + 1]``,
    so ``offsets`` int64 is [samples + 1]. ``source`` int64 [samples] is the index in ``names`` of each sample's source.
    """

    names: tuple[str, ...]
    ids: np.ndarray
    supervised: np.ndarray
    offsets: np.ndarray
    source: np.ndarray

    @cached_property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each sample, [samples]."""
        return np.diff(self.offsets)

    @cached_property
    def targets(self) -> np.ndarray:
        """Number of supervised tokens of each sample, [samples]."""
        running = np.append(np.int64(0), np.cumsum(self.supervised, dtype=np.int64))
        return np.diff(running[self.offsets])

    def sizes(self) -> dict[str, int]:
        """Number of samples of each source."""
        counts = np.bincount(self.source, minlength=len(self.names))
        return {name: int(count) for name, count in zip(self.names, counts, strict=True)}


def source_names(portions: tuple[Portion, ...]) -> tuple[str, ...]:
    """The source names of all portions, without repeats, in order of first appearance."""
    return tuple(dict.fromkeys(name for portion in portions for name in portion.sources))


def load(portions: tuple[Portion, ...], inputs: Mapping[str, Path]) -> TokenizedSamples:
    """Read the ``tokens`` folder of every source of the portions; ``inputs`` maps source names to folders.

    Raises a ValueError if the portions name no source.
    """
    names = source_names(portions)
    if not names:
        raise ValueError("portions is empty; a training stage needs at least one ability with a source")
    ids, supervised, lengths, source = [], [], [], []
    for number, name in enumerate(names):
        folder = inputs[name]
        ids.append(np.load(folder / "ids.npy"))
        supervised.append(np.load(folder / "supervised.npy"))
        lengths.append(np.diff(np.load(folder / "offsets.npy")))
        source.append(np.full(len(lengths[-1]), number, dtype=np.int64))
    return TokenizedSamples(
        names, np.concatenate(ids), np.concatenate(supervised),
        np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64), np.concatenate(source),
    )  # fmt: skip


def tokenizer_folder(names: tuple[str, ...], inputs: Mapping[str, Path]) -> Path:
    """The tokenizer folder of the first source, after checking that all sources share its tokenizer and template.

    Raises a ValueError if they do not, or if the input ``tokenizer`` (the model's, where given) has another vocabulary;
    its template may differ.
    """
    # Bytes are compared, since tokenizers with the same vocabulary may still split texts differently.
    folder = inputs[names[0]] / "tokenizer"
    for name in names[1:]:
        other = inputs[name] / "tokenizer"
        for file, content in (("tokenizer.json", "tokenizers"), ("chat_template.jinja", "chat templates")):
            if _bytes(folder / file) != _bytes(other / file):
                raise ValueError(
                    f"the sources {names[0]!r} and {name!r} were tokenised with different {content}; "
                    "give all sources of a stage the same tokenizer and template"
                )
    of_model = inputs.get("tokenizer")
    if of_model is not None and _bytes(of_model / "tokenizer.json") != _bytes(folder / "tokenizer.json"):
        raise ValueError(
            f"the source {names[0]!r} was not tokenised with this model's tokenizer; tokenise it with that one"
        )
    return folder


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
