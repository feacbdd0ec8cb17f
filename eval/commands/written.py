"""A YAML file whose plain values stay the texts that were written: 007 is no 7, 1e3 no 1000.0 and yes no True."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")


class _Written(yaml.SafeLoader):
    """Reads every plain value as a text, but for null, and refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    "while reading a table", node.start_mark, f"found duplicate key {key.value}", key.start_mark
                )
            seen |= {key.value} if isinstance(key, yaml.ScalarNode) else set()
        return super().construct_mapping(node, deep)


_Written.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in resolvers if tag in KEPT]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> Any:
    """What a file holds. Raises yaml.YAMLError for one that is not YAML."""
    return yaml.load(path.read_text("utf-8"), _Written)


def meant(text: str) -> Any:
    """The value that a plain text is in YAML, where a number or a truth value is asked for."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
