"""Config files that still use old names (`common.renames`), read by Hydra as if they used the new ones."""

from __future__ import annotations

import builtins
from typing import Any

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf

from common.renames import current_defaults, current_key, current_tree, old_group


class CurrentSpelling(FileConfigSource):
    """Hydra's source of config files, with every key and group under its current name.

    A choice of a renamed group is also found in the folder of the group's old name.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        existing = next(
            (path for path in _paths(config_path) if super(CurrentSpelling, self).is_config(path)), config_path
        )
        current_key(existing.partition("/")[0], noted=True)
        result = super().load_config(existing)
        plain: Any = OmegaConf.to_container(result.config)
        if isinstance(plain, dict):
            try:
                result.config = OmegaConf.create(_current(plain, _package(result.header["package"], config_path)))
            except ValueError as problem:
                raise ConfigCompositionException(f"{self.path}/{existing}: {problem}") from None
        return result

    def is_config(self, config_path: str) -> bool:
        return any(super(CurrentSpelling, self).is_config(path) for path in _paths(config_path))

    def is_group(self, config_path: str) -> bool:
        return any(super(CurrentSpelling, self).is_group(path) for path in _paths(config_path))

    def list(self, config_path: str, results_filter: ObjectType | None) -> builtins.list[str]:
        folders = [path for path in _paths(config_path) if super(CurrentSpelling, self).is_group(path)]
        return sorted({name for path in folders for name in super(CurrentSpelling, self).list(path, results_filter)})


def register() -> None:
    """Let this process read config files through `CurrentSpelling`."""
    Plugins.instance()  # Hydra registers its own source of files first
    SourcesRegistry.instance().types["file"] = CurrentSpelling


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


def _current(plain: dict[Any, Any], path: tuple[str, ...]) -> dict[Any, Any]:
    defaults = plain.pop("defaults", None)
    current: dict[Any, Any] = current_tree(plain, path)
    return current if defaults is None else {"defaults": current_defaults(defaults), **current}
