"""Long-tailed draws: a few skills are common and many are rare, so that ability grows smoothly with data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE = 2000  # draws in a row without anything new


def zipf_weights(count: int, *, exponent: float, offset: float) -> list[float]:
    """Weights 1 / (rank + offset) ** exponent of ranks 1 to ``count``, normalised to add up to 1."""
    weights = [(rank + offset) ** -exponent for rank in range(1, count + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


class Tail(Generic[T]):
    """Items in order of their rank, drawn with Zipf-Mandelbrot weights: the first is the most common."""

    def __init__(self, items: Sequence[T], *, exponent: float = 1.0, offset: float = 1.0) -> None:
        self.items = list(items)
        self.weights = zipf_weights(len(self.items), exponent=exponent, offset=offset)
        self._cumulative = list(accumulate(self.weights))

    def draw(self, rng: Random) -> T:
        """One item."""
        return rng.choices(self.items, cum_weights=self._cumulative)[0]


def distinct(draw: Callable[[], T], key: Callable[[T], Hashable], count: int, *, seen: set[Hashable]) -> Iterator[T]:
    """Yield ``count`` draws whose keys are new, adding each to ``seen``.

    Raises ValueError when the space of draws is nearly used up, so that no size makes the generator hang.
    """
    misses = 0
    found = 0
    while found < count:
        item = draw()
        if key(item) in seen:
            misses += 1
            if misses == PATIENCE:
                raise ValueError(
                    f"the world holds only about {found} of the {count} different rows asked for: ask for fewer"
                )
            continue
        misses = 0
        found += 1
        seen.add(key(item))
        yield item
