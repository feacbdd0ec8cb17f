"""A cache of keys and values with spare room, so that a new token is written without copying the earlier ones."""

from __future__ import annotations

import torch
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

SPARE = 64  # positions of spare room; a buffer is copied once per that many tokens


class GrowingLayer(DynamicLayer):
    """Keys and values of one layer, each [rows, heads, positions, width]: the filled part of larger buffers."""

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
            # Empty, so that the first update allocates them with spare room.
            self._buffers = [key_states[:, :, :0], value_states[:, :, :0]]
        start, end = self._filled, self._filled + key_states.shape[-2]
        for number, states in enumerate((key_states, value_states)):
            if self._buffers[number].shape[-2] < end:
                self._buffers[number] = _enlarged(self._buffers[number], states, start, end + SPARE)
            self._buffers[number][:, :, start:end] = states
        self._filled = end
        return self._views()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows, in this order."""
        self._buffers = [buffer[indices] for buffer in self._buffers]
        self._views()

    def _views(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys, self.values = (buffer[:, :, : self._filled] for buffer in self._buffers)
        return self.keys, self.values


def _enlarged(buffer: torch.Tensor, states: torch.Tensor, filled: int, positions: int) -> torch.Tensor:
    """A buffer for that many positions that begins with the ``filled`` ones of the old buffer."""
    rows, heads, _, width = states.shape
    enlarged = states.new_empty(rows, heads, positions, width)
    enlarged[:, :, :filled] = buffer[:, :, :filled]
    return enlarged


def growing_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for one batch. Layers of other kinds, such as sliding windows, remain those of transformers."""
    cache = DynamicCache(config=config)
    # Exactly that type: subclasses hold fewer positions, or none.
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
