"""Which composition and strategy to train under a budget of samples."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.advice.commands import overrides
from analysis.advice.surrogate import BASE, Labels, Surrogate, surrogate
from analysis.arrays import Array
from analysis.data.study import Measure, Study
from analysis.verdicts.arms import arm_means

STEPS = 16  # parts that the budget is divided into
DRAWS = 1000
KEPT = 120  # candidates whose ranking is drawn
OTHERWISE = {
    "total_samples",
    "amount",
    "ratio_arm",
    "ratio",
}  # overrides with which more than the fraction decides on the samples
EMPHASIS = 4.0  # times the weight, for the front


@dataclass(frozen=True, eq=False)
class Advice:
    """Candidates best first: samples by ability (candidates, abilities), strategies, and draws of their values.

    ``draws`` are (draws, candidates, abilities) on the scale of `Surrogate.utility`; ``total`` their weighted sums.
    ``checks`` say how well each surrogate predicts an arm from the others.
    """

    abilities: tuple[str, ...]
    surrogates: tuple[Surrogate, ...]
    weights: Array
    samples: Array
    strategy: Labels
    draws: Array
    beyond: tuple[str, ...]

    @property
    def total(self) -> Array:
        return np.asarray(self.draws @ self.weights)

    def chance(self) -> Array:
        """The chance of each candidate to be the best of those drawn."""
        best = self.total.argmax(axis=1)
        return np.asarray(np.bincount(best, minlength=len(self.strategy)) / len(best))

    def shortfall(self) -> Array:
        """How far each candidate is expected to fall short of the truly best one: what a wrong choice costs."""
        return np.asarray((self.total.max(axis=1, keepdims=True) - self.total).mean(axis=0))


def surrogates_of(study: Study) -> tuple[Surrogate, ...]:
    """One surrogate an ability, of its accuracy, or of its loss where the table has no accuracies.

    Raises ValueError naming the ability for which the table holds too little, and tables of several models.
    """
    sizes = study.table["params"].nunique() if "params" in study.table else 1
    if sizes > 1:
        raise ValueError(f"the table holds {sizes} sizes of model; advice is for one: keep the rows of one size")
    measures: dict[str, Measure] = {}
    for measure in study.measures:
        if measure.metric == study.primary:
            measures.setdefault(measure.ability, measure)
    found = []
    for ability, measure in measures.items():
        fitted = surrogate(arm_means(measure, measure.rows))
        if fitted is None:
            raise ValueError(
                f"ability {ability!r} has too few designs with known noise for a surrogate: it takes four with the "
                "columns samples, total_samples and n_items (or stderr, or several seeds)"
            )
        found.append(fitted)
    if not found:
        raise ValueError("the table holds neither accuracies nor losses; advise needs one of them for each ability")
    return tuple(found)


def advise(study: Study, budget: float, weights: Mapping[str, float], seed: int = 0) -> Advice:
    """The advice for at most ``budget`` samples in all, maximising the sum of ``weights`` times abilities.

    Abilities that ``weights`` leaves out count nothing; an empty mapping weighs all alike. Amounts stay within each
    source where ``fraction`` tells its size. Raises ValueError for a budget or weights that mean nothing, and as
    `surrogates_of`.
    """
    if not budget >= STEPS:
        raise ValueError(f"budget={budget:g} must be at least {STEPS} samples")
    models = surrogates_of(study)
    names = tuple(s.ability for s in models)
    chosen = weighting(names, weights)
    samples, strategy = _candidates(study, names, models, budget)
    mean = np.stack([_expected(s, samples, i, strategy) for i, s in enumerate(models)], axis=1)
    order = np.argsort(-(mean @ chosen), kind="stable")
    each = [order[strategy[order] == s][:10] for s in np.unique(strategy)]
    ends = [(mean @ weights_).argmax(keepdims=True) for weights_ in emphases(chosen)]
    keep = np.unique(np.concatenate([order[:KEPT], *each, *ends]))
    keep = keep[np.argsort(-(mean[keep] @ chosen), kind="stable")]
    rng = np.random.default_rng(seed)
    draws = np.stack([_draw(s, samples[keep], i, strategy[keep], rng) for i, s in enumerate(models)], axis=2)
    beyond = tuple(n for i, n in enumerate(names) if samples[keep[0], i] > 1.01 * _largest(study, n))
    return Advice(names, models, chosen, samples[keep], strategy[keep], draws, beyond)


def weighting(names: Sequence[str], weights: Mapping[str, float]) -> Array:
    """The weights of these abilities, adding up to 1; an empty mapping weighs all alike.

    Raises ValueError for an ability that is not among them, and for weights below 0 or without one above.
    """
    unknown = sorted(set(weights) - set(names))
    if unknown:
        raise ValueError(f"weights name ability {unknown[0]!r}; the table has {', '.join(names)}")
    chosen = np.array([float(weights.get(n, 0.0)) if weights else 1.0 for n in names])
    if (chosen < 0).any() or not chosen.any():
        raise ValueError(f"weights={dict(weights)} must be 0 or more, and one above 0")
    return np.asarray(chosen / chosen.sum())


def emphases(weights: Array) -> Array:
    """The weights, and those with one or two abilities counted more: where they have their best lies on the front."""
    size = len(weights)
    more = [*np.eye(size), *(np.eye(size)[i] + np.eye(size)[j] for i, j in combinations(range(size), 2))]
    base = np.where(weights > 0, weights, weights[weights > 0].min())
    return np.stack([base, *(base * (1 + (EMPHASIS - 1) * m) for m in more)])


def _candidates(study: Study, names: Sequence[str], models: Sequence[Surrogate], budget: float) -> tuple[Array, Labels]:
    """Compositions in sixteenths of the budget, spent or not, within the sources; each with every strategy."""
    caps = [min(budget, source_size(study, name)) for name in names]
    steps = [np.unique(np.minimum(budget * np.arange(STEPS + 1) / STEPS, cap)) for cap in caps]
    mixes = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, len(names))
    mixes = mixes[(mixes.sum(axis=1) <= budget * (1 + 1e-9)) & (mixes.sum(axis=1) > 0)]
    known = sorted({str(s) for model in models for s in model.design.strategy} - {BASE})
    several = (mixes > 0).sum(axis=1) > 1
    parts = [(mixes if s == "multitask" else mixes[several], s) for s in known]
    return np.concatenate([m for m, _ in parts]), np.concatenate([np.full(len(m), s) for m, s in parts])


def source_size(study: Study, ability: str) -> float:
    """The samples that an ability's source holds, as far as ``fraction`` tells; infinite where it does not."""
    frame = study.table
    if "fraction" not in frame or "samples" not in frame:
        return float("inf")
    rows = frame[(frame["ability"] == ability) & (frame["samples"] > 0) & frame["fraction"].between(0, 1, "right")]
    rows = rows[np.array([not OTHERWISE & _keys(row) for row in rows.to_dict("records")], dtype=bool)]
    return float((rows["samples"] / rows["fraction"]).max()) if len(rows) else float("inf")


def _keys(row: Mapping[Hashable, object]) -> set[str]:
    """The first words of the keys that the cell of a row overrides."""
    return {key.lstrip("+").partition(".")[0] for key in overrides(row) or {}}


def _largest(study: Study, ability: str) -> float:
    return float(study.table.loc[study.table["ability"] == ability, "samples"].max())


def _expected(model: Surrogate, samples: Array, which: int, strategy: Labels) -> Array:
    """The utility of each candidate's predicted mean, in blocks that keep the covariances small."""
    own = samples[:, which]
    cells = model.inputs(own, samples.sum(axis=1) - own, strategy)
    mean = np.concatenate([model.predict(cells.take(i))[0] for i in _blocks(len(own))])
    return model.utility(mean)


def _blocks(size: int, block: int = 500) -> list[slice]:
    return [slice(i, i + block) for i in range(0, size, block)]


def _draw(model: Surrogate, samples: Array, which: int, strategy: Labels, rng: np.random.Generator) -> Array:
    """(draws, candidates) on the scale of the utility, from the joint posterior."""
    own = samples[:, which]
    mean, covariance = model.predict(model.inputs(own, samples.sum(axis=1) - own, strategy))
    size, direction = np.linalg.eigh(covariance)
    root = direction * np.sqrt(np.maximum(size, 0.0))
    return model.utility(mean + rng.standard_normal((DRAWS, len(mean))) @ root.T)
