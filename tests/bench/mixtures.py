"""What `advise` says of mixtures that it has not seen: other abilities in one sum, and as it chooses."""

from __future__ import annotations

import numpy as np

from analysis.advice.advise import surrogates_of
from analysis.data.study import Study
from tests.analysis.mixtures import ABILITIES, CROSS, errors, held_out, read, table
from tests.analysis.mixtures import mixtures as drawn
from tests.conftest import PUBLIC_DATA

DRAWS = 8
ALIKE = {(one, other): 0.25 for one in ABILITIES for other in ABILITIES if one != other}
TRUTHS = {"no effect": {}, "every ability helps alike": ALIKE, "some help, some hurt": CROSS}


def mixtures() -> str:
    """Rank correlation, error and coverage on public mixtures; error on simulated ones."""
    folder = next(p for p in reversed(PUBLIC_DATA.values()) if (p / "mixtures").is_dir()) / "mixtures"
    train, test = read(folder, "train"), read(folder, "test")
    place = train.groupby("ability").cumcount()
    parts = []
    for count in (n for n in (16, 32, 64, 96, 512) if n <= place.max() + 1):
        for one_sum in (True, False):
            rank, error, inside = held_out(train[place < count], test, one_sum=one_sum)
            parts.append(
                f"{count} mixtures {'in one sum' if one_sum else 'chosen'}: rank correlation {rank:.3f}, root mean "
                f"square log error {error:.4f}, {100 * inside:.0f} % in their intervals"
            )
    return "; ".join([*parts, *(_simulated(name) for name in TRUTHS)])


def _simulated(name: str) -> str:
    """Errors of three abilities on 40 new mixtures, from 20 measured ones, mean over the draws."""
    found = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        study, new = Study(table([*drawn(rng, 20)], TRUTHS[name], rng)), [*drawn(rng, 40)]
        for one_sum in (True, False):
            found.append(np.mean([*errors(surrogates_of(study, one_sum=one_sum), new, TRUTHS[name]).values()]))
    together, chosen = np.mean(np.reshape(found, (-1, 2)), axis=0)
    return f"simulated, {name}: {together:.3f} in one sum, {chosen:.3f} chosen (logits)"
