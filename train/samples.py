"""The tokenised samples of a training stage, all sources side by side, read from finished ``tokens`` folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from train.spec import Portion


@dataclass(frozen=True)
class TokenizedSamples:
    """Samples of all sources under one running number (sources in order, each in its own order).

    ``ids`` int32 and ``supervised`` bool are [tokens]; ``offsets`` int64 is [samples + 1]; ``source`` is the place in
    ``names`` of each sample's source, [samples].
    """

    names: tuple[str, ...]
    ids: np.ndarray
    supervised: np.ndarray
    offsets: np.ndarray
    source: np.ndarray

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each sample, [samples]."""
        return np.diff(self.offsets)

    @cached_property
    def targets(self) -> np.ndarray:
        """Supervised tokens of each sample, [samples]."""
        running = np.append(np.int64(0), np.cumsum(self.supervised, dtype=np.int64))
        return np.diff(running[self.offsets])

    def sizes(self) -> dict[str, int]:
        """Number of samples of each source."""
        counts = np.bincount(self.source, minlength=len(self.names))
        return {name: int(count) for name, count in zip(self.names, counts, strict=True)}


def source_names(portions: tuple[Portion, ...]) -> tuple[str, ...]:
    """The sources of all portions, each once, in order of appearance."""
    return tuple(dict.fromkeys(name for portion in portions for name in portion.sources))


def load(portions: tuple[Portion, ...], inputs: Mapping[str, Path]) -> TokenizedSamples:
    """Read the ``tokens`` folder of every source of the portions."""
    names = source_names(portions)
    if not names:
        raise ValueError("portions is empty: a training stage needs at least one ability with a source")
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
    """The tokenizer folder that all sources share; raise a ValueError if two sources were tokenised differently.

    The input ``tokenizer``, where there is one, must have the same vocabulary; its template may be another.
    """
    first = inputs[names[0]] / "tokenizer"
    for name in names[1:]:
        other = inputs[name] / "tokenizer"
        for file, what in (("tokenizer.json", "tokenizers"), ("chat_template.jinja", "chat templates")):
            if _bytes(first / file) != _bytes(other / file):
                raise ValueError(
                    f"the sources {names[0]!r} and {name!r} were made with different {what}; "
                    "give all sources of a stage the same tokenizer and template"
                )
    given = inputs.get("tokenizer")
    if given is not None and _bytes(given / "tokenizer.json") != _bytes(first / "tokenizer.json"):
        raise ValueError(
            f"the source {names[0]!r} was not made with the tokenizer of this model; tokenise it with that"
        )
    return first


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
