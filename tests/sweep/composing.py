"""Cells and plans for tests, composed by Hydra from the real conf/ without the command line."""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from sweep.config.cell import Cell
from sweep.config.compose import CellComposer, freeze
from sweep.config.schema import register
from sweep.plan.files import Files
from sweep.plan.plan import Plan, make
from sweep.stages.store import Store
from tests.conftest import ROOT


@contextmanager
def hydra() -> Iterator[None]:
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def config(*overrides: str, hydra_too: bool = False) -> DictConfig:
    """The config as Hydra itself composes it."""
    with hydra():
        return compose("config", list(overrides), return_hydra_config=hydra_too)


def cell(*overrides: str) -> Cell:
    """The cell of these overrides, composed once: Hydra takes half a second, and cells are frozen."""
    return _cell(overrides, tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith("DOSAGE_"))))


@cache
def _cell(overrides: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> Cell:
    return freeze(config(*overrides))


def composer(*overrides: str) -> tuple[CellComposer, DictConfig]:
    """The composer of a sweep; to be used within `hydra`."""
    made = master(*overrides) if overrides else copy.deepcopy(plain_master())
    return CellComposer(GlobalHydra.instance().config_loader(), made), made


def master(*overrides: str) -> DictConfig:
    """The config that Hydra composes for a sweep as a whole."""
    made = compose("config", list(overrides), return_hydra_config=True)
    with open_dict(made):
        made.hydra.job.config_name = "config"
    return made


plain_master = cache(master)
"""That of a sweep without overrides, composed once."""


def plan(*cells: Cell, store: Path = Path("nowhere")) -> Plan:
    return make("test", [(f"cell{n}", c, {}) for n, c in enumerate(cells)], Files(Store(store)))


def leaves(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted path and value of every leaf of a plain config; empty containers are leaves."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    pairs = list(items)
    if not pairs:
        yield prefix, value
    for name, item in pairs:
        yield from leaves(item, f"{prefix}.{name}" if prefix else str(name))


def plain(composed: DictConfig) -> dict:
    return OmegaConf.to_container(composed, resolve=True)
