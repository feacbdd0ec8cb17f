"""Stages that many cells share, each built once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sweep.stages.stage import Stage


class SharedStages:
    """A cache of stages by what they are built from, so that cells share them as the same objects."""

    def __init__(self) -> None:
        self._stages: dict[tuple[Any, ...], Stage] = {}
        self._keepalive: list[Any] = []

    def once(self, cache_key: tuple[Any, ...], build: Callable[[], Stage], *owners: Any) -> Stage:
        """The stage of ``cache_key``, built at the first call.

        ``owners`` are the objects whose ids the key holds. They are kept alive, so that no other object gets their id.
        """
        if cache_key not in self._stages:
            self._keepalive.extend(owners)
            self._stages[cache_key] = build()
        return self._stages[cache_key]
