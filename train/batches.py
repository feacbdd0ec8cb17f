"""The samples of each optimiser step, as a pure function of the spec, the sample lengths and the step."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from train.spec import Portion, Recipe, TrainSpec


class BatchPlan:
    """The batches of a stage. ``members`` [samples of an epoch] are sample numbers, repeats included.

    The plan does not depend on ranks, micro-batches or packing, so none of them changes what a step learns from. Every
    epoch has its own order, and its last batch holds the samples that remain.
    """

    def __init__(self, members: np.ndarray, cuts: np.ndarray, *, seed: int) -> None:
        self.members, self._cuts, self._seed = members, cuts, seed
        # The order of one epoch is kept, since steps ask for batches in order and a permutation costs a whole epoch.
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
    """The batch plan of a stage.

    ``sizes`` is the number of samples of each source, ``lengths`` [samples] the tokens of each sample, sources in the
    same order. Raises a ValueError if a portion has only empty sources, if it asks for more samples than they hold
    without ``repeats``, or if no portion asks for a sample.
    """
    starts = dict(zip(sizes, np.concatenate([[0], np.cumsum(list(sizes.values()))])[:-1], strict=True))
    portions = []
    for portion in spec.portions:
        pool = np.concatenate([np.arange(sizes[name]) + starts[name] for name in portion.sources])
        portions.append(portion_samples(pool, portion, seed=spec.seed))
    members = np.concatenate(portions)
    if not len(members):
        raise ValueError("all portions have samples=0, so there is nothing to train on; raise one above 0")
    return BatchPlan(members, _cuts(spec.recipe, members, lengths, seed=spec.seed), seed=spec.seed)


def portion_samples(pool: np.ndarray, portion: Portion, *, seed: int) -> np.ndarray:
    """The first ``portion.samples`` of ``pool`` [sample numbers] in an order fixed by seed and ability.

    A smaller portion is therefore the beginning of a larger one. Raises a ValueError if the pool is empty, and if it
    holds fewer samples than the portion asks for without ``portion.repeats``.
    """
    if not len(pool) and portion.samples:
        raise ValueError(
            f"ability {portion.ability!r}: its sources {', '.join(portion.sources)} have no samples; "
            "add rows to one of them or set its amount to 0"
        )
    if portion.samples > len(pool) and not portion.repeats:
        raise ValueError(
            f"ability {portion.ability!r}: {portion.samples} samples were planned, but its sources "
            f"{', '.join(portion.sources)} hold {len(pool)}; run the sweep's command again, which counts them"
        )
    order = _generator("subset", portion.ability, seed).permutation(pool)
    # np.resize repeats the order from its start where more samples are asked for.
    return np.resize(order, portion.samples) if portion.samples else pool[:0]


def epoch_order(members: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """The sample numbers of one epoch (from 0) in the order of training."""
    return _generator("epoch", str(epoch), seed).permutation(members)


def _generator(purpose: str, name: str, seed: int) -> np.random.Generator:
    # Hashing gives every purpose and seed an unrelated stream; seed + epoch would reuse the streams of other seeds.
    digest = hashlib.sha256(f"{purpose}\0{name}\0{seed}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _cuts(recipe: Recipe, members: np.ndarray, lengths: np.ndarray, *, seed: int) -> np.ndarray:
    """(epoch, start, stop) of every step, [steps, 3]."""
    cuts: list[np.ndarray] = []
    steps = 0
    most_steps = math.inf if recipe.steps is None else recipe.steps
    for epoch, count in enumerate(_samples_per_epoch(recipe, len(members))):
        edges = _edges(recipe, members, lengths, count, seed=seed, epoch=epoch)
        cuts.append(np.stack([np.full(len(edges) - 1, epoch), edges[:-1], edges[1:]], axis=1))
        steps += len(edges) - 1
        if steps >= most_steps:
            break
    return np.concatenate(cuts)[: recipe.steps]


def _samples_per_epoch(recipe: Recipe, members: int) -> Iterator[int]:
    """Number of samples in each epoch: all members, except in a fractional last epoch; never fewer than one in all."""
    if recipe.epochs is None:
        yield from itertools.repeat(members)
        return
    full_epochs = int(recipe.epochs)
    yield from itertools.repeat(members, full_epochs)
    remainder = round((recipe.epochs - full_epochs) * members)
    if remainder or not full_epochs:
        yield max(remainder, 1)


def _edges(
    recipe: Recipe, members: np.ndarray, lengths: np.ndarray, count: int, *, seed: int, epoch: int
) -> np.ndarray:
    """Where the batches of the first ``count`` samples of an epoch begin and end, [batches + 1]."""
    if recipe.batch_samples is not None:
        return np.append(np.arange(0, count, recipe.batch_samples), count)
    assert recipe.batch_tokens is not None
    running = np.cumsum(lengths[epoch_order(members, seed=seed, epoch=epoch)[:count]])
    edges, tokens_before = [0], 0
    while edges[-1] < count:
        end = int(np.searchsorted(running, np.int64(tokens_before + recipe.batch_tokens), side="right"))
        edges.append(max(end, edges[-1] + 1))  # a sample longer than batch_tokens is a batch of its own
        tokens_before = int(running[edges[-1] - 1])
    return np.array(edges)
