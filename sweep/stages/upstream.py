"""The stores that a store reads besides its own stages, such as a colleague's, and the bases that come with Dosage.

STORE/upstream.json lists them, so that all processes that open the store find them. Nothing is ever written, claimed or
removed there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from common.json_file import write_json
from common.start import packaged_store

FILE = "upstream.json"

PACKAGED = "packaged"
"""Stands for the store that comes with Dosage, wherever it is installed."""


def listed(root: Path) -> list[str]:
    """What the store at ``root`` lists: absolute paths and `PACKAGED`.

    Raises a ValueError for a file that is not a list of texts.
    """
    try:
        names = json.loads((root / FILE).read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f'{root / FILE} cannot be read; write a list of stores into it, such as ["{PACKAGED}"]')
    return names


def joined(root: Path, names: Iterable[str]) -> list[str]:
    """``names``, as of the config's ``upstream``, and after them whatever else the store at ``root`` lists."""
    absolute = [name if name == PACKAGED else str(Path(name).absolute()) for name in names]
    return [name for name in dict.fromkeys([*absolute, *listed(root)]) if name != str(root)]


def remember(root: Path, names: Iterable[str]) -> None:
    """List the stores ``names`` in the store at ``root``, from now on."""
    wanted = joined(root, names)
    if wanted != listed(root):
        root.mkdir(parents=True, exist_ok=True)
        write_json(root / FILE, wanted)


def folders(root: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """The folders of these stores. Raises a ValueError for one that is not there."""
    places = []
    for name in names:
        place = packaged_store() if name == PACKAGED else Path(name)
        if not place.is_dir():
            raise ValueError(
                f"the upstream store {place} is not there; mount it, or leave it out of upstream= and {root / FILE}"
            )
        places.append(place)
    return tuple(places)
