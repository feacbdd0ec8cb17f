"""The option of commands that work on a store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from common.options import AsJson, option


@dataclass(frozen=True, kw_only=True)
class InStore(AsJson):
    """What commands take that read a store or write to it."""

    store: str | None = option("the folder of all results", None, default_text="$DOSAGE_STORE, else ./store")

    def __post_init__(self) -> None:
        if self.store == "":  # as from an unset variable of the shell; the default could be another store than meant
            raise ValueError("store= is empty; give a folder, or leave it out")
        if self.root.exists() and not self.root.is_dir():
            raise ValueError(f"store={self.root} is not a folder")

    @property
    def root(self) -> Path:
        """The folder of the store."""
        return Path(self.store or os.environ.get("DOSAGE_STORE") or "store")
