"""Which composition and strategy to train under a budget of samples."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from analysis.advice.budget import Budget, read_budget
from analysis.advice.commands import overrides
from analysis.advice.distance import OTHER, OWN
from analysis.advice.surrogate import BASE, Labels, Surrogate, lacks, surrogate
from analysis.arrays import Array
from analysis.data.metric import Metric, common_metric, primary
from analysis.data.study import Measure, Study
from analysis.verdicts.arms import arm_means

STEPS = 16  # parts into which the budget is divided
MOST = 21_000  # compositions: five abilities in sixteenths have 20,349
DRAWS = 1000
KL = 0.1  # nats from a named mixture
DECAY = 15.4  # repeats after which a further one is worth 1/e of a fresh sample
KEPT = 120  # candidates whose values are drawn
BEYOND_FRACTION = {"amount", "ratio", "total_samples", "ratio_arm"}
"""Overrides besides ``fraction`` that decide how many samples a cell gets."""
EMPHASIS = 4.0  # factor on the weights of one or two abilities, in the search for the front


@dataclass(frozen=True, eq=False)
class Advice:
    """Candidates, best first: ``samples`` (candidates, abilities), strategies, and draws of their merits.

    ``draws`` have the shape (draws, candidates, abilities), ``weights`` one entry per ability, adding up to 1.
    ``beyond`` are the abilities of which the best candidate has more samples than any cell measured; ``budget`` is what
    all of them fit in. ``away`` (candidates,) are the doublings between a candidate and the nearest cell measured, by
    which the draws have been widened (`Surrogate.stretch`). ``exist`` (abilities,) are the samples that there are of
    each, infinite where unknown. ``worst`` is the candidate with the smallest weighted sum among those of the same
    strategy and, within half a step of the budget, the same cost as the best one; 0, the best one, without another.
    """

    abilities: tuple[str, ...]
    surrogates: tuple[Surrogate, ...]
    weights: Array
    samples: Array
    strategy: Labels
    draws: Array
    beyond: tuple[str, ...]
    budget: Budget
    away: Array
    exist: Array
    worst: int

    @property
    def metric(self) -> Metric:
        """The metric of the weighted sums."""
        return common_metric([model.metric for model in self.surrogates])

    @property
    def total(self) -> Array:
        """The weighted sums of the draws, (draws, candidates)."""
        return np.asarray(self.draws @ self.weights)

    def chance(self) -> Array:
        """For each candidate the chance that it is the best of all."""
        best = self.total.argmax(axis=1)
        return np.asarray(np.bincount(best, minlength=len(self.strategy)) / len(best))

    def shortfall(self) -> Array:
        """How far each candidate is expected to be below the truly best one: the price of choosing it."""
        return np.asarray((self.total.max(axis=1, keepdims=True) - self.total).mean(axis=0))


def headline_measures(study: Study) -> tuple[Measure, ...]:
    """The first share or rating of each ability (see `primary`); where none has one, the study's primary metric."""
    bounded = any(measure.metric.bounded for measure in study.measures)
    measures: list[Measure] = []
    for ability in study.abilities:
        own = [m for m in study.measures if m.ability == ability and (m.metric.bounded or not bounded)]
        headline = primary(m.metric for m in own) if bounded else study.primary
        measures += [m for m in own if m.metric == headline][:1]
    return tuple(measures)


def surrogates_of(study: Study, abilities: Collection[str] = (), *, one_sum: bool = False) -> tuple[Surrogate, ...]:
    """The surrogate of each of the `headline_measures`, of some ``abilities`` alone; ``one_sum`` as in `surrogate`.

    The study is of one model (see `one_kind`). Raises ValueError for an ability that cannot have one, which it names
    with the reason.
    """
    surrogates = []
    for measure in headline_measures(study):
        if abilities and measure.ability not in abilities:
            continue
        arms = arm_means(measure, measure.rows)
        if lacking := lacks(arms):
            raise ValueError(f"{arms.name}: the table does not allow predictions: {lacking}")
        surrogates.append(surrogate(arms, one_sum=one_sum))
    return tuple(surrogates)


def advise(
    study: Study,
    budget: float | str,
    weights: Mapping[str, float],
    seed: int = 0,
    near: Mapping[str, float] | None = None,
    kl: float = KL,
    *,
    repeats: float = 1.0,
    have: Mapping[str, float] | None = None,
) -> Advice:
    """The compositions within the budget (see `read_budget`) with the largest weighted sum of the abilities' merits.

    Abilities missing from ``weights`` count nothing; with an empty mapping all count alike. A cell shows each sample
    that exists at most ``repeats`` times an epoch; ``have`` says how many exist by ability, else the table as far as it
    tells; repeated ones count as in `worth`. With ``near``, a mixture by ability, amounts stay within a
    Kullback-Leibler distance of ``kl`` nats of it. Raises ValueError for an impossible budget, mixture, weights or
    number of repeats, and as `surrogates_of`.
    """
    if not repeats >= 1:
        raise ValueError(f"repeats={repeats:g} must be at least 1: every sample is shown once")
    models = surrogates_of(study)
    names = tuple(s.ability for s in models)
    chosen = weighting(names, weights)
    priced = read_budget(budget, study, names)
    exist = _existing(study, names, have or {})
    caps = np.minimum(priced.most, repeats * exist)
    samples, strategy = _candidates(caps, models, priced, None if not near else (weighting(names, near), kl))
    fresh = worth(samples, exist)
    amounts = [_amounts(names, fresh, i) for i in range(len(names))]
    mean = np.stack([_expected(s, a, strategy) for s, a in zip(models, amounts, strict=True)], axis=1)
    keep, worst = _kept(mean, chosen, strategy, priced.cost(samples), priced.total / STEPS / 2)
    rng = np.random.default_rng(seed)
    kept = [{name: n[keep] for name, n in by.items()} for by in amounts]
    away = np.stack([s.away(a, strategy[keep]) for s, a in zip(models, kept, strict=True)])
    draws = [_draw(s, a, strategy[keep], w, rng) for s, a, w in zip(models, kept, away, strict=True)]
    beyond = tuple(n for i, n in enumerate(names) if fresh[keep[0], i] > 1.01 * _largest(study, n))
    return Advice(
        names, models, chosen, samples[keep], strategy[keep], np.stack(draws, axis=2), beyond, priced, away.max(axis=0),
        exist, worst,
    )  # fmt: skip


def _kept(mean: Array, weights: Array, strategy: Labels, cost: Array, spare: float) -> tuple[NDArray[np.intp], int]:
    """The candidates whose values are drawn, best first, and the place of the worst mixture among them.

    ``mean`` (candidates, abilities) are predicted merits. The worst mixture costs at most ``spare`` less than the best
    one and has its strategy.
    """
    total = mean @ weights
    order = np.argsort(-total, kind="stable")
    each = [order[strategy[order] == s][:10] for s in np.unique(strategy)]
    ends = [(mean @ emphasis).argmax(keepdims=True) for emphasis in emphases(weights)]
    alike = (strategy == strategy[order[0]]) & (cost >= cost[order[0]] - spare)
    worst = order[alike[order]][-1:]
    keep = np.unique(np.concatenate([order[:KEPT], *each, *ends, worst]))
    keep = keep[np.argsort(-total[keep], kind="stable")]
    return keep, int(np.flatnonzero(keep == worst)[0])


def weighting(names: Sequence[str], weights: Mapping[str, float]) -> Array:
    """The weights of these abilities, adding up to 1; with an empty mapping all count alike.

    Raises ValueError for an unknown ability, a weight below 0, and weights of which none is above 0.
    """
    unknown = sorted(set(weights) - set(names))
    if unknown:
        raise ValueError(f"weights name ability {unknown[0]!r}; the table has {', '.join(names)}")
    chosen = np.array([float(weights.get(n, 0.0)) if weights else 1.0 for n in names])
    if (chosen < 0).any() or not chosen.any():
        raise ValueError(f"weights={dict(weights)} must be 0 or more, and at least one above 0")
    return np.asarray(chosen / chosen.sum())


def emphases(weights: Array) -> Array:
    """The weights, and variants in which one or two abilities count more; their best candidates form the front."""
    size = len(weights)
    more = [*np.eye(size), *(np.eye(size)[i] + np.eye(size)[j] for i, j in combinations(range(size), 2))]
    base = np.where(weights > 0, weights, weights[weights > 0].min())
    return np.stack([base, *(base * (1 + (EMPHASIS - 1) * m) for m in more)])


def _existing(study: Study, names: Sequence[str], have: Mapping[str, float]) -> Array:
    """How many samples exist of each ability, as said or as the table tells; infinite where neither does."""
    unknown = sorted(set(have) - set(names))
    if unknown:
        raise ValueError(f"have names ability {unknown[0]!r}; the table has {', '.join(names)}")
    if not all(number > 0 for number in have.values()):
        raise ValueError(f"have={dict(have)} must be numbers of samples above 0")
    return np.array([float(have[name]) if name in have else source_size(study, name) for name in names])


def worth(samples: Array, exist: Array) -> Array:
    """How many fresh samples repeated ones are worth, by Muennighoff et al. 2023 (arXiv:2305.16264, equation 5).

    Of ``exist`` samples shown R times more, all repeats are worth exist * R* (1 - exp(-R / R*)); R* is 15.4, as
    measured in pretraining.
    """
    more = np.maximum(samples / exist - 1, 0)
    return np.where(more > 0, exist * (1 + DECAY * -np.expm1(-more / DECAY)), samples)


def _candidates(
    caps: Array,
    models: Sequence[Surrogate],
    budget: Budget,
    near: tuple[Array, float] | None = None,
) -> tuple[Array, Labels]:
    """Compositions in sixteenths of the budget, spent or not, up to ``caps`` (abilities,); each with every strategy.

    With more than five abilities the parts are larger, so that there are no more compositions than with five.
    A composition of one ability is the same under every strategy, so it comes with multitask training only. ``near`` is
    a mixture and the largest distance from it; it is a candidate itself, with the whole budget.
    """
    count = next(n for n in range(STEPS, 0, -1) if comb(n + len(caps), n) <= MOST or n == 1)
    parts, paid, mixes = np.arange(count + 1) / count, budget.total * (1 + 1e-9), np.zeros((1, 0))
    for i, (most, cap) in enumerate(zip(budget.most, caps, strict=True), 1):
        steps = np.unique(np.minimum(most * parts, cap))
        mixes = np.column_stack([np.repeat(mixes, len(steps), axis=0), np.tile(steps, len(mixes))])
        mixes = mixes[budget.fixed + mixes @ budget.each[:i] <= paid]
    if near is not None:
        whole = near[0] * (budget.total - budget.fixed) / (near[0] @ budget.each)
        whole *= min(1.0, min(cap / w for cap, w in zip(caps, whole, strict=True) if w > 0))
        mixes = np.concatenate([mixes, whole[None]])
    mixes = mixes[(budget.cost(mixes) <= paid) & (mixes.sum(axis=1) > 0)]
    if near is not None:
        mixes = mixes[distance(mixes, near[0]) <= near[1] + 1e-12]
    strategies = sorted({str(s) for model in models for s in model.design.strategy} - {BASE})
    several = (mixes > 0).sum(axis=1) > 1
    each = [(mixes if s == "multitask" else mixes[several], s) for s in strategies]
    return np.concatenate([m for m, _ in each]), np.concatenate([np.full(len(m), s) for m, s in each])


def distance(mixes: Array, near: Array) -> Array:
    """The Kullback-Leibler distance (mixtures,) in nats of each mixture from one that adds up to 1."""
    return np.asarray(rel_entr(mixes / mixes.sum(axis=1, keepdims=True), near).sum(axis=1))


def source_size(study: Study, ability: str) -> float:
    """The number of samples in an ability's source, as far as ``fraction`` tells; infinite where it does not."""
    frame = study.table
    if "fraction" not in frame or "samples" not in frame:
        return float("inf")
    rows = frame[(frame["ability"] == ability) & (frame["samples"] > 0) & frame["fraction"].between(0, 1, "right")]
    rows = rows[np.array([not BEYOND_FRACTION & _keys(row) for row in rows.to_dict("records")], dtype=bool)]
    return float((rows["samples"] / rows["fraction"]).max()) if len(rows) else float("inf")


def _keys(row: Mapping[Hashable, object]) -> set[str]:
    """The first words of the keys that the cell of a row overrides."""
    return {key.lstrip("+").partition(".")[0] for key in overrides(row) or {}}


def _largest(study: Study, ability: str) -> float:
    return float(study.table.loc[study.table["ability"] == ability, "samples"].max())


def _amounts(names: Sequence[str], samples: Array, which: int) -> dict[str, Array]:
    """Candidates' samples by ability, and as the ability numbered ``which`` has them: its own and all others'."""
    own = samples[:, which]
    return {**dict(zip(names, samples.T, strict=True)), OWN: own, OTHER: samples.sum(axis=1) - own}


def _expected(model: Surrogate, amounts: Mapping[str, Array], strategy: Labels) -> Array:
    """The merit of each candidate's predicted mean, in blocks, as the covariance of all would not fit in memory."""
    cells = model.inputs(amounts, strategy)
    mean = np.concatenate([model.predict(cells.take(i))[0] for i in _blocks(len(strategy))])
    return model.merit(mean)


def _blocks(size: int, block: int = 500) -> list[slice]:
    return [slice(i, i + block) for i in range(0, size, block)]


def _draw(
    model: Surrogate, amounts: Mapping[str, Array], strategy: Labels, away: Array, rng: np.random.Generator
) -> Array:
    """Draws (draws, candidates) of merits from the joint posterior, widened as far as the distance asks for it."""
    mean, covariance = model.predict(model.inputs(amounts, strategy))
    size, direction = np.linalg.eigh(covariance)
    root = direction * np.sqrt(np.maximum(size, 0.0))
    wider = np.nan_to_num(model.stretch(away, strategy), nan=1.0)
    return model.merit(mean + wider * (rng.standard_normal((DRAWS, len(mean))) @ root.T))
