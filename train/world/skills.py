"""Long-tailed draws: a few skills are common and many are rare, so that ability grows smoothly with data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_REPEATS = 2000  # consecutive draws without anything new before `distinct` gives up


def zipf_weights(count: int, *, exponent: float, offset: float) -> list[float]:
    """Zipf-Mandelbrot weights of ranks 1 to ``count``: proportional to 1 / (rank + offset) ** exponent, sum 1."""
    weights = [(rank + offset) ** -exponent for rank in range(1, count + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


class LongTail(Generic[T]):
    """Items with Zipf-Mandelbrot weights, the first item being the most common."""

    def __init__(self, items: Sequence[T], *, exponent: float = 1.0, offset: float = 1.0) -> None:
        self.items = list(items)
        self.weights = zipf_weights(len(self.items), exponent=exponent, offset=offset)
        self._cumulative = list(accumulate(self.weights))

    def draw(self, rng: Random) -> T:
        """One item, drawn by the weights."""
        return rng.choices(self.items, cum_weights=self._cumulative)[0]


def distinct(draw: Callable[[], T], key: Callable[[T], Hashable], count: int, *, seen: set[Hashable]) -> Iterator[T]:
    """Yield ``count`` draws with different keys, none of them in ``seen``, and add their keys to ``seen``.

    Raises a ValueError after `MOST_REPEATS` draws in a row without a new key.
    """
    repeats = 0
    drawn = 0
    while drawn < count:
        item = draw()
        if key(item) in seen:
            repeats += 1
            if repeats == MOST_REPEATS:
                raise ValueError(
                    f"the world has only about {drawn} of the {count} different rows asked for; ask for fewer"
                )
            continue
        repeats = 0
        drawn += 1
        seen.add(key(item))
        yield item
