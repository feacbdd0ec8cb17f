"""Config files as Hydra reads them here: old names (`common.renames`) count as the new ones, and names are text."""

from __future__ import annotations

import builtins
import copy
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf

from common.renames import current_defaults, current_key, current_tree, old_group
from sweep.stages.disk import stamp

TEXTS = ("name", "hub", "revision", "config", "split", "file", "path", "store", "project", "entity")
"""Keys whose values are text as it is written, where YAML would read a number: ``name: 2024_10_05``."""

READ: dict[tuple[str, ...], ConfigResult] = {}
"""What was read, by source, file, name of the config and the file's stamp: reading the YAML of some twenty files takes
Hydra a quarter of the time of each composition.
"""

TextLoader: Any = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
"""Reads every scalar as the text that is written."""


class ConfigFiles(FileConfigSource):
    """Hydra's source of config files, with keys and groups under their current names and the values of `TEXTS` as text.

    A choice of a renamed group is also found in the folder of the group's old name.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        existing = next((path for path in _paths(config_path) if super(ConfigFiles, self).is_config(path)), config_path)
        current_key(existing.partition("/")[0], noted=True)
        file = Path(self.path, self._normalize_file_name(existing))
        read_key = (self.provider, str(file), config_path, stamp(file) if file.is_file() else "")
        if read_key not in READ:
            READ[read_key] = self._read(config_path, existing, file)
        return copy.deepcopy(READ[read_key])

    def _read(self, config_path: str, existing: str, file: Path) -> ConfigResult:
        try:
            result = super().load_config(existing)
        except yaml.YAMLError as problem:
            raise ConfigCompositionException(f"not YAML: {yaml_problem(problem)}") from None
        plain: Any = OmegaConf.to_container(result.config)
        if isinstance(plain, dict):
            plain = _with_texts(plain, yaml.load(file.read_bytes(), Loader=TextLoader))
            try:
                result.config = OmegaConf.create(_current(plain, _package(result.header["package"], config_path)))
            except ValueError as problem:
                raise ConfigCompositionException(f"{self.path}/{existing}: {problem}") from None
        return result

    def is_config(self, config_path: str) -> bool:
        return any(super(ConfigFiles, self).is_config(path) for path in _paths(config_path))

    def is_group(self, config_path: str) -> bool:
        return any(super(ConfigFiles, self).is_group(path) for path in _paths(config_path))

    def list(self, config_path: str, results_filter: ObjectType | None) -> builtins.list[str]:
        folders = [path for path in _paths(config_path) if super(ConfigFiles, self).is_group(path)]
        return sorted({name for path in folders for name in super(ConfigFiles, self).list(path, results_filter)})


def yaml_problem(problem: yaml.YAMLError) -> str:
    """A YAML error in one line, with file, line and column."""
    return " ".join(str(problem).split())


def register() -> None:
    """Let this process read config files through `ConfigFiles`."""
    Plugins.instance()  # Hydra registers its own source of files first
    SourcesRegistry.instance().types["file"] = ConfigFiles


def _paths(config_path: str) -> builtins.list[str]:
    """Where a config or group may lie: under its group's current name, or the old one."""
    group, slash, rest = config_path.partition("/")
    old = old_group(group)
    return [config_path, f"{old}{slash}{rest}"] if old is not None else [config_path]


def _package(header: str | None, config_path: str) -> tuple[str, ...]:
    """The path below which Hydra puts what a file sets: as the file's header says, else that of its group."""
    group, _, name = config_path.rpartition("/")
    package = (header or "_group_").replace("_group_", group.replace("/", ".")).replace("_name_", name)
    return () if package in ("", "_global_") else tuple(package.split("."))


def _with_texts(plain: Any, written: Any) -> Any:
    """``plain`` with the values of `TEXTS` as they stand in the file, whose scalars ``written`` holds as text."""
    if isinstance(plain, list) and isinstance(written, list):
        return [_with_texts(*pair) for pair in zip(plain, written, strict=True)]
    if not isinstance(plain, dict) or not isinstance(written, dict):
        return plain
    pairs = {key: (value, written.get(key, value)) for key, value in plain.items()}  # a key that is merged in has none
    return {
        key: text if key in TEXTS and isinstance(value, bool | int | float) else _with_texts(value, text)
        for key, (value, text) in pairs.items()
    }


def _current(plain: dict[Any, Any], path: tuple[str, ...]) -> dict[Any, Any]:
    defaults = plain.pop("defaults", None)
    current: dict[Any, Any] = current_tree(plain, path)
    return current if defaults is None else {"defaults": current_defaults(defaults), **current}
