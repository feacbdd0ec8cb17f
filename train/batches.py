"""Which samples each optimiser step sees: a pure function of the spec, the sample lengths and the step."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from train.spec import Portion, Recipe, TrainSpec


class BatchPlan:
    """The batches of a stage. ``members`` [samples of an epoch] are running sample numbers, repeats included.

    Knows nothing of ranks, micro-batches or packing, so none of them can change what a step learns from. Every epoch
    has an order of its own and ends with a batch of what is left.
    """

    def __init__(self, members: np.ndarray, cuts: np.ndarray, *, seed: int) -> None:
        self.members, self._cuts, self._seed = members, cuts, seed
        self._epoch, self._order = -1, members

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return len(self._cuts)

    def batch(self, step: int) -> np.ndarray:
        """Sample numbers of one step (from 0), in the order of the epoch."""
        epoch, start, stop = (int(value) for value in self._cuts[step])
        if epoch != self._epoch:
            self._epoch, self._order = epoch, epoch_order(self.members, seed=self._seed, epoch=epoch)
        return self._order[start:stop]


def plan(spec: TrainSpec, *, sizes: Mapping[str, int], lengths: np.ndarray) -> BatchPlan:
    """The plan of a stage whose sources hold ``sizes`` samples; ``lengths`` are the tokens of each, [samples]."""
    starts = dict(zip(sizes, np.concatenate([[0], np.cumsum(list(sizes.values()))])[:-1], strict=True))
    chosen = []
    for portion in spec.portions:
        pool = np.concatenate([np.arange(sizes[name]) + starts[name] for name in portion.sources])
        chosen.append(portion_samples(pool, portion, seed=spec.seed))
    members = np.concatenate(chosen)
    if not len(members):
        raise ValueError("all portions have samples=0: nothing to train on")
    return BatchPlan(members, _cuts(spec.recipe, members, lengths, seed=spec.seed), seed=spec.seed)


def portion_samples(pool: np.ndarray, portion: Portion, *, seed: int) -> np.ndarray:
    """The first ``samples`` of the pool in an order fixed by seed and ability, so portions nest."""
    if not len(pool) and portion.samples:
        raise ValueError(f"ability {portion.ability!r}: its sources {', '.join(portion.sources)} hold no sample")
    order = _generator("subset", portion.ability, seed).permutation(pool)
    return np.resize(order, portion.samples) if portion.samples else pool[:0]


def epoch_order(members: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """The samples of one epoch (from 0) in the order in which they are seen."""
    return _generator("epoch", str(epoch), seed).permutation(members)


def _generator(purpose: str, name: str, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{purpose}\0{name}\0{seed}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _cuts(recipe: Recipe, members: np.ndarray, lengths: np.ndarray, *, seed: int) -> np.ndarray:
    """(epoch, start, stop) of every step, [steps, 3]."""
    cuts: list[np.ndarray] = []
    total = 0
    limit = math.inf if recipe.steps is None else recipe.steps
    for epoch, shown in enumerate(_epochs(recipe, len(members))):
        edges = _edges(recipe, members, lengths, shown, seed=seed, epoch=epoch)
        cuts.append(np.stack([np.full(len(edges) - 1, epoch), edges[:-1], edges[1:]], axis=1))
        total += len(edges) - 1
        if total >= limit:
            break
    return np.concatenate(cuts)[: recipe.steps]


def _epochs(recipe: Recipe, members: int) -> Iterator[int]:
    """Samples shown in each epoch: all of them, but for a last, fractional one (at least one sample)."""
    if recipe.epochs is None:
        yield from itertools.repeat(members)
        return
    whole = int(recipe.epochs)
    yield from itertools.repeat(members, whole)
    rest = round((recipe.epochs - whole) * members)
    if rest or not whole:
        yield max(rest, 1)


def _edges(
    recipe: Recipe, members: np.ndarray, lengths: np.ndarray, shown: int, *, seed: int, epoch: int
) -> np.ndarray:
    """Where the batches of one epoch begin and end."""
    if recipe.batch_samples is not None:
        return np.append(np.arange(0, shown, recipe.batch_samples), shown)
    assert recipe.batch_tokens is not None
    running = np.cumsum(lengths[epoch_order(members, seed=seed, epoch=epoch)[:shown]])
    edges, before = [0], 0
    while edges[-1] < shown:
        fitting = int(np.searchsorted(running, np.int64(before + recipe.batch_tokens), side="right"))
        edges.append(max(fitting, edges[-1] + 1))  # a sample longer than batch_tokens makes a batch of its own
        before = int(running[edges[-1] - 1])
    return np.array(edges)
