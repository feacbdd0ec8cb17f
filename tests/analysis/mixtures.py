"""Mixtures: simulated ones, in which abilities help or hurt each other, and public ones.

The public ones are RegMix's (Liu et al. 2024, arXiv:2407.01492): 17 sources, and losses on 13 of them.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import spearmanr

from analysis.advice.advise import surrogates_of
from analysis.advice.distance import OTHER, OWN, amounts_of
from analysis.data.study import Study

ABILITIES = ("math", "code", "general")
KNEES = dict(zip(ABILITIES, (900.0, 700.0, 50.0), strict=True))
CROSS = {("code", "math"): 0.5, ("general", "math"): -0.4, ("math", "code"): 0.4, ("code", "general"): -0.3}
"""Logits that data of the first ability add to the second, per unit of ln(1 + samples / 300)."""

SAMPLES = 1000.0  # of a mixture, whose shares are known
NOISE = 0.002  # of a loss, relative; the files do not say


def read(folder: Path, part: str) -> pd.DataFrame:
    """The long table of ``part``, train or test: models of 1M parameters, each trained on one mixture.

    Raises FileNotFoundError where the folder lacks the files.
    """
    shares = pd.read_csv(folder / f"{part}_mixture_1m.csv", index_col="index")
    losses = pd.read_csv(folder / f"{part}_pile_loss_1m.csv", index_col="index")
    amounts = SAMPLES * shares.rename(columns=lambda name: name.replace("train_the_pile_", "samples_"))
    tables = []
    for column in losses:
        ability = column.removeprefix("metric/the_pile_").removesuffix("_val_loss")
        table = amounts.assign(ability=ability, value=losses[column], stderr=NOISE * losses[column])
        tables.append(table.assign(samples=amounts[f"samples_{ability}"], total_samples=amounts.sum(axis=1)))
    return pd.concat(tables, ignore_index=True).assign(task="pile", metric="loss")


def held_out(train: pd.DataFrame, test: pd.DataFrame, *, one_sum: bool = False) -> tuple[float, float, float]:
    """Rank correlation, root mean square log error, and share in 95 % intervals of mixtures that were not trained on;
    means over the abilities.
    """
    found = []
    for model in surrogates_of(Study(train), one_sum=one_sum):
        rows = test[test["ability"] == model.ability]
        mean, covariance = model.predict(model.inputs(amounts_of(rows), np.full(len(rows), "multitask")))
        gap = mean + np.log(rows["value"].to_numpy(float))
        error = np.sqrt(np.diag(covariance) + (model.scale * model.shape.scatter) ** 2)
        found.append((spearmanr(mean, -rows["value"])[0], (gap**2).mean() ** 0.5, (np.abs(gap) <= 1.96 * error).mean()))
    rank, error, inside = np.mean(found, axis=0)
    return float(rank), float(error), float(inside)


def truth(ability, mix, cross):
    """The logit of the chance of a right answer."""
    own = -2.0 + 1.6 * np.log1p(mix[ability] / KNEES[ability])
    return own + sum(cross.get((other, ability), 0) * np.log1p(mix[other] / 300) for other in ABILITIES)


def mixtures(rng, count):
    """Mixtures of 300 to 8,000 samples."""
    for _ in range(count):
        parts = np.exp(rng.uniform(np.log(300), np.log(8000))) * rng.dirichlet(np.full(3, 0.7))
        yield dict(zip(ABILITIES, parts.round(), strict=True))


def table(mixes, cross, rng=None, items=400):
    """Accuracy in every ability after multitask training on each mixture; without ``rng`` exactly the truth."""
    rows = []
    for mix in mixes:
        for ability in ABILITIES:
            chance = expit(truth(ability, mix, cross))
            value = chance if rng is None else rng.binomial(items, chance) / items
            amounts = {f"samples_{name}": n for name, n in mix.items()}
            row = {"ability": ability, "task": "t", "metric": "accuracy", "value": value, "n_items": items}
            rows.append({**row, "strategy": "multitask", "samples": mix[ability], "total_samples": sum(mix.values())})
            rows[-1] |= amounts
    return pd.DataFrame(rows)


def errors(models, mixes, cross):
    """Root mean square error of each ability's predictions, in logits."""
    amounts = {name: np.array([mix[name] for mix in mixes]) for name in ABILITIES}
    total = sum(amounts.values())
    found = {}
    for model in models:
        own = amounts[model.ability]
        cells = model.inputs({**amounts, OWN: own, OTHER: total - own}, np.full(len(mixes), "multitask"))
        gap = model.predict(cells)[0] - [truth(model.ability, mix, cross) for mix in mixes]
        found[model.ability] = float(np.sqrt((gap**2).mean()))
    return found
