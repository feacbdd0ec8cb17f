"""Cells from lists of overrides: for any list, the cell that Hydra composes from it.

Hydra composes one config in tens of milliseconds. Most cells of a sweep differ in single values, so Hydra composes one
config for all lists of overrides that agree but for those, and a `Template` makes the cells from it.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from common.options import near
from common.restore import restore
from sweep.config.cell import Cell
from sweep.config.mistakes import explain, meant
from sweep.config.template import Template, Unfit, is_literal, references, related


class CellComposer:
    """Composes the cells of one sweep. ``master`` is the config that Hydra composed for the sweep as a whole."""

    def __init__(self, config_loader: ConfigLoader, master: DictConfig) -> None:
        self.config_loader, self.master = config_loader, master
        own: Any = OmegaConf.to_container(master.hydra.overrides.hydra, resolve=False)
        self.of_hydra: list[str] = own  # its interpolations may need the config of a cell
        self.is_group = cache(self._is_group)
        self.single_value = cache(self._single_value)
        self.template = lru_cache(maxsize=256)(self._template)  # a quarter of a MiB each
        self.plain_config = lru_cache(maxsize=16)(self._plain_config)
        self.shared: dict[str, Any] = {}

    def cell(self, overrides: Sequence[str]) -> Cell:
        """The cell of one list of overrides. Raises a ValueError that says what is wrong with which of them."""
        return self._from_template(overrides) or self._freeze(self._config(overrides))

    def cell_outside(self, overrides: Sequence[str]) -> Cell:
        """The cell of these overrides in a run of its own, outside the sweep and its grid. Errors as in `cell`."""
        words = [*self.of_hydra, *overrides]
        load = partial(self.config_loader.load_configuration, self.master.hydra.job.config_name, words, RunMode.RUN)
        return freeze(_without_hydra(load))

    def _from_template(self, overrides: Sequence[str]) -> Cell | None:
        """The cell made by a template; None where Hydra has to compose the cell itself, or to say what is wrong."""
        values: list[tuple[str, Any]] = []
        rest: list[str] = []
        for text in overrides:
            single = self.single_value(text)
            if single is None:
                rest.append(text)
            else:
                values.append(single)
        template = self.template(tuple(rest), tuple(key for key, _ in values))
        try:
            return template.cell(values) if template is not None else None
        except (Unfit, ValueError, OmegaConfBaseException):
            return None

    def _template(self, rest: tuple[str, ...], keys: tuple[str, ...]) -> Template | None:
        """A template for ``keys`` in the config composed from all other overrides, where their order cannot matter."""
        try:
            return Template(self._config(rest), keys, self._freeze) if self._independent(rest, keys) else None
        except (Unfit, ValueError):
            return None

    def _independent(self, rest: tuple[str, ...], keys: tuple[str, ...]) -> bool:
        """Whether the overrides ``rest`` commute with setting the values at ``keys``.

        Group choices do: Hydra applies them first. Additions, deletions, dictionaries and lists do if they lie on other
        branches and read nothing: neither in their value, nor on the way to their key, nor in what they merge with.
        """
        parsed = {text: parse(text) for text in rest}
        choices = tuple(
            t for t, o in parsed.items() if self.is_group(o.key_or_group) and not isinstance(o.value(), dict)
        )
        others = [(text, override) for text, override in parsed.items() if text not in choices]
        if any("$" in text or (other.is_delete() and other.value() is not None) for text, other in others):
            return False
        if any(related(other.key_or_group, key) for _, other in others for key in keys):
            return False
        if any(_beside(other.key_or_group, key) for _, other in others if not other.is_delete() for key in keys):
            return False  # both may be new, and the order of a table's keys is that of the overrides
        plain = self.plain_config(choices) if others else {}
        return all(is_literal(plain, other.key_or_group, below=not other.is_delete()) for _, other in others)

    def _single_value(self, text: str) -> tuple[str, Any] | None:
        """Key and value of an override that is a plain ``key=value`` whose value is no dictionary or list, else None.

        Not so are keys in Hydra's node, and `PLACES`.
        """
        override = parse(text)
        value, key = override.value(), override.key_or_group
        if override.type != OverrideType.CHANGE or override.package is not None:
            return None
        literal = value is None or (isinstance(value, bool | int | float | str) and "$" not in str(value))
        single = literal and value != "???" and _is_plain(key) and key not in PLACES and not self.is_group(key)
        return (key, value) if single else None

    def _is_group(self, key: str) -> bool:
        """Whether a group of that name lies in Hydra's search path.

        Names of groups have no dot. A folder with one that is chosen like a group fits no template, so Hydra composes.
        """
        if "." in key:
            return False
        config_name = self.master.hydra.job.config_name
        return bool(self.config_loader.get_group_options(key, None, config_name, list(self.of_hydra)))

    def _plain_config(self, overrides: tuple[str, ...]) -> Any:
        return OmegaConf.to_container(self._config(overrides))

    def _config(self, overrides: Sequence[str]) -> DictConfig:
        """What Hydra composes, without its own node, which interpolations such as ``${hydra:job.name}`` then read."""
        return _without_hydra(partial(self.config_loader.load_sweep_config, self.master, list(overrides)))

    def _freeze(self, config: DictConfig) -> Cell:
        """The frozen cell, whose parts are the same objects as the equal parts of other cells."""
        cell = freeze(config)
        parts = {part.name: getattr(cell, part.name) for part in dataclasses.fields(cell)}
        return dataclasses.replace(
            cell,
            **{n: self.shared.setdefault(repr(p), p) for n, p in parts.items() if dataclasses.is_dataclass(p)},
        )


def as_merge(word: str) -> str:
    """``+data.sources.mine={…}`` as ``++data.sources={mine: {…}}``, and the same for the corpus and the suite's tasks.

    OmegaConf refuses a dictionary for a new source or task, whose type is a class, but merges one into their table. All
    other overrides stay as they are, also those with several values to sweep.
    """
    key, _, value = word.partition("=")
    if not (entry := NEW_ENTRY.fullmatch(key)) or not value or _is_sweep(word):
        return word
    for name in reversed(entry[2].split(".")):
        value = f"{{{name}: {value}}}"
    return f"++{entry[1]}={value}"


def _is_sweep(word: str) -> bool:
    """Whether an override has several values, or is none."""
    try:
        return parse(word).is_sweep_override()
    except ValueError:
        return True


NEW_ENTRY = re.compile(r"\+{1,2}(data\.sources|data\.corpus|suite\.tasks)\.(\w[\w.-]*)")
"""The key of an override that adds a source or a task, or a part of one."""


def _without_hydra(load: Callable[[], DictConfig]) -> DictConfig:
    """A config as ``load`` composes it, without Hydra's own node. Raises a ValueError for overrides that do not fit."""
    try:
        config = load()
    except Exception as problem:  # Hydra and OmegaConf raise many unrelated classes for what does not fit
        raise ValueError(explain(problem)) from None
    HydraConfig.instance().set_config(config)
    config = copy.deepcopy(config)  # what `HydraConfig` holds still refers to the whole
    with open_dict(config):
        del config["hydra"]
    return config


def freeze(config: DictConfig) -> Cell:
    """The frozen, checked cell of a composed config. Raises a ValueError that names the key and the remedy."""
    try:
        _check_keys(config)
        _check_recipe(config)
        value: Any = _given(OmegaConf.to_container(config, resolve=True))
    except OmegaConfBaseException as problem:
        raise ValueError(explain(problem)) from None
    assert isinstance(value, dict)
    for key in DERIVED:
        found: Any = value
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found:
            raise ValueError(f"{key} is not in the config{meant(key)}")
    if isinstance(value.get("strategy"), dict):
        value["strategy"]["interpolated"] = references(OmegaConf.to_container(config.strategy)["stages"])  # type: ignore[index,call-overload]
    return restore(Cell, value)  # type: ignore[arg-type]


def _given(value: Any) -> Any:
    """A plain config without the keys that have no value, which `restore` names all at once."""
    if isinstance(value, list):
        return [_given(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _given(item) for key, item in value.items() if item != "???"}


def _check_keys(config: DictConfig) -> None:
    """Raise a ValueError for a key that is none of a cell, such as one added with ``+``, that says where to put it."""
    known = [part.name for part in dataclasses.fields(Cell)]
    for key in map(str, config):
        if key not in known:
            own = f"ratio={{{key}: VALUE}}, and is read as ${{ratio.{key}}}"
            hint = near(key, known) or f"; a value of your own, for others to read, goes into ratio: {own}"
            raise ValueError(f"{key} is not in the config{hint}")


def _check_recipe(config: DictConfig) -> None:
    """Raise a ValueError for a recipe that reads the learning rate of a model that another takes the place of."""
    read = references(OmegaConf.to_container(config.recipe))
    for key in PLACES:
        place = OmegaConf.select(config, key)
        if place is not None and any(related(reference, own) for own in OWN for reference in read):
            raise ValueError(
                f"{key}={place}: the recipe takes its learning rate from a model that is pretrained here, which this "
                "one is not; give recipe=paper, or a learning rate such as recipe.learning_rate=2e-5"
            )


DERIVED = ("model.pretrain.checkpoints", "strategy.interpolated")
"""Fields that no config sets, where a + would add them."""

PLACES = ("model.path", "model.hub")
"""Keys that say where a model comes from, and so how the config of model and recipe is read."""

OWN = ("model.pretrain", "model.learning_rate")
"""Keys that hold only for a model that is pretrained here."""


@lru_cache(maxsize=65536)
def parse(text: str) -> Override:
    """One override, as Hydra reads it. Raises a ValueError for what is none."""
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as problem:
        raise ValueError(explain(problem)) from None


def _beside(one: str, other: str) -> bool:
    """Whether two keys lie in the same table below the top."""
    table = one.rpartition(".")[0]
    return bool(table) and table == other.rpartition(".")[0]


def _is_plain(key: str) -> bool:
    """Whether the key is made of names and dots alone and lies outside Hydra's own node."""
    return re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", key) is not None and key.split(".")[0] != "hydra"
