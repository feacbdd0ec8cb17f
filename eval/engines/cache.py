"""Keys and values with room to grow: a token is written in place instead of copying all that came before it."""

from __future__ import annotations

import torch
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

AHEAD = 64  # positions of spare room; the whole is copied once for so many tokens


class GrowingLayer(DynamicLayer):
    """One layer's keys and values, [rows, heads, positions, width], as the filled part of larger buffers."""

    def __init__(self) -> None:
        super().__init__()
        self._filled = 0
        self._buffers: list[torch.Tensor] = []

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append new positions and return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._buffers = [key_states[:, :, :0], value_states[:, :, :0]]
        start, end = self._filled, self._filled + key_states.shape[-2]
        for place, states in enumerate((key_states, value_states)):
            if self._buffers[place].shape[-2] < end:
                self._buffers[place] = _larger(self._buffers[place], states, start, end + AHEAD)
            self._buffers[place][:, :, start:end] = states
        self._filled = end
        return self._shown()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows, in this order."""
        self._buffers = [buffer[indices] for buffer in self._buffers]
        self._shown()

    def _shown(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys, self.values = (buffer[:, :, : self._filled] for buffer in self._buffers)
        return self.keys, self.values


def _larger(buffer: torch.Tensor, states: torch.Tensor, filled: int, room: int) -> torch.Tensor:
    """A buffer for ``room`` positions that begins with the ``filled`` ones of the old."""
    rows, heads, _, width = states.shape
    larger = states.new_empty(rows, heads, room, width)
    larger[:, :, :filled] = buffer[:, :, :filled]
    return larger


def growing_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for one batch of a model. Layers of another kind, such as sliding windows, stay what they are."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
