"""Models, tokenizers and data sets of the Hugging Face hub, from the local cache or the network."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TOKENIZER_FILES = ["*.json", "*.jinja", "*.model", "*.txt"]
MODEL_FILES = ["*.safetensors", *TOKENIZER_FILES]
"""Which files of a repository a tokenizer, and a model with it, need."""


def download(repo: str, revision: str, patterns: list[str] | None, *, kind: str = "model") -> Path:
    """The local folder of a hub ``model`` or ``dataset`` with the files that match ``patterns`` (None: all).

    A local folder named ``repo`` is taken as it is. Raises ValueError that names repository, revision and what can be
    done, whatever went wrong.
    """
    if Path(repo).is_dir():
        return Path(repo)
    from huggingface_hub import snapshot_download  # slow to import

    try:
        return Path(snapshot_download(repo, repo_type=kind, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub library raises many unrelated classes when a host cannot be reached
        raise unreadable(kind, repo, revision, error) from error


def cached(repo: str, revision: str, *, kind: str = "model") -> Path | None:
    """The folder of a hub ``model`` or ``dataset`` in the cache of this machine, or a local folder named ``repo``."""
    if Path(repo).is_dir():
        return Path(repo)
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    root = Path(os.environ.get("HF_HUB_CACHE", home / "hub")) / f"{kind}s--{repo.replace('/', '--')}"
    commit = root / "refs" / revision
    folder = root / "snapshots" / (commit.read_text().strip() if commit.is_file() else revision)
    return folder if folder.is_dir() else None


def split_rows(repo: str, revision: str, config: str | None, split: str) -> Iterable[dict[str, Any]]:
    """The rows of one split of a hub data set. Without a network, those of a snapshot in the cache.

    Raises ValueError as `download` does.
    """
    import datasets  # slow to import

    rows: Iterable[dict[str, Any]]
    where = f"config {config!r}, split {split!r}"
    try:
        rows = datasets.load_dataset(repo, config, split=split, revision=revision)
        return rows
    except Exception as error:  # as above
        folder = cached(repo, revision, kind="dataset")
        if folder is None:
            raise unreadable("dataset", repo, revision, error, where) from error
    try:
        rows = datasets.load_dataset(str(folder), config, split=split)
        return rows
    except Exception as error:  # as above
        raise unreadable("dataset", repo, revision, error, where) from error


def unreadable(kind: str, repo: str, revision: str, error: Exception, where: str = "") -> ValueError:
    """The one error for everything that can go wrong with a hub; ``where`` says which part was asked for."""
    reason = (str(error) or "no message").splitlines()[0]
    part = f", {where}," if where else ""
    return ValueError(
        f"the {kind} {repo!r} at revision {revision!r}{part} could not be read ({type(error).__name__}: {reason}); "
        "check these names and the network, log in with `hf auth login` if it is gated, or download it once and give "
        "the path of a local copy instead"
    )
