"""GPUs in a request for generic resources as SLURM writes it, such as ``gpu:h100:8,shard:2``."""

from __future__ import annotations

import re

GPUS = re.compile(r"(?P<name>(?:gres[:/])?gpu(?::(?!\d+$)[^:]+)?)(?::(?P<count>\d+))?")
"""One word of such a request that asks for GPUs: perhaps with their type, perhaps with how many."""


def gpus_in(gres: str | None) -> int | None:
    """How many GPUs a node the request asks for; None where it asks for other things alone."""
    found = [match for word in (gres or "").split(",") if (match := GPUS.fullmatch(word))]
    return sum(int(match["count"] or 1) for match in found) if found else None


def with_gpus(gres: str, count: int) -> str:
    """The request with so many GPUs of its first type instead, and all else as it is."""
    words, found = [], False
    for word in gres.split(","):
        match = GPUS.fullmatch(word)
        if match is None or not found:
            words.append(word if match is None else f"{match['name']}:{count}")
        found = found or match is not None
    return ",".join(words)
