"""The options of ``python -m sweep``'s verbs."""

from __future__ import annotations

from dataclasses import dataclass

from common.in_store import InStore
from common.options import AsJson, option
from common.start import OWN_CONFIG
from common.sweep_name import check_sweep_name
from sweep.config.strategy import GENERAL, WORDS
from sweep.results.saved_sweep import sweeps
from sweep.stages.store import Store


@dataclass(frozen=True)
class Init(AsJson):
    """Options of ``python -m sweep init``."""

    data: list[str] = option(
        "files of training rows (.jsonl, .json, .csv, .parquet, also .gz), folders of them, or data sets of the hub as "
        "OWNER/NAME or OWNER/NAME@REVISION"
    )
    ability: list[str] = option(
        "what each of them teaches, in the order of data=", [], default_text="guessed from names"
    )
    name: str = option(f"of the config files, {OWN_CONFIG}/data/NAME.yaml and {OWN_CONFIG}/suite/NAME.yaml", "mine")

    def __post_init__(self) -> None:
        check_sweep_name(self.name)
        for word in self.ability:
            if word in WORDS and word != GENERAL:
                raise ValueError(f"ability={word}: in strategies this word stands for {WORDS[word]}; choose another")


@dataclass(frozen=True)
class Stored(InStore):
    """A verb that reads the store or changes it."""

    @property
    def opened(self) -> Store:
        return Store(self.root)


@dataclass(frozen=True)
class Named(Stored):
    name: str | None = option("the sweep", None, default_text="the only sweep of the store")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is not None:
            check_sweep_name(self.name)


@dataclass(frozen=True)
class List(Named):
    name: str | None = option("list the cells of this sweep, with their states", None, default_text="all sweeps")


@dataclass(frozen=True)
class Logs(Named):
    cell: str = option("only the cells whose label contains this text", "", default_text="all cells")
    follow: bool = option("go on printing what is added, until nothing of the sweep runs or waits", False)


@dataclass(frozen=True)
class Retry(Named):
    workers: int | None = option("processes at a time", None, default_text="one a core, or one a GPU")


@dataclass(frozen=True)
class Garbage(Stored):
    name: str | None = option("also give up what this sweep has replaced, with its tables", None, default_text="none")
    damaged: bool = option("remove only folders whose content is not what was published", False)
    dry_run: bool = option("list what would be removed, and remove nothing", False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is not None and (check_sweep_name(self.name) not in sweeps(self.opened) or self.damaged):
            raise ValueError(f"name={self.name}: give a sweep of the store, without damaged=true")
