"""Models, tokenizers and data sets of a hub, as local folders."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download

from train.spec import Hub

TOKENIZER_FILES = ["*.json", "*.jinja", "*.model", "*.txt"]
MODEL_FILES = ["*.safetensors", *TOKENIZER_FILES]


def download(hub: Hub, files: list[str], *, kind: str = "model") -> Path:
    """The folder of a hub ``model`` or ``dataset`` with the files of these patterns, from the cache or the network."""
    try:
        return Path(snapshot_download(hub.repo, repo_type=kind, revision=hub.revision, allow_patterns=files))
    except Exception as error:  # the hub library raises many unrelated classes when a host cannot be reached
        raise unreachable(hub, kind, error) from error


def unreachable(hub: Hub, kind: str, error: Exception) -> ValueError:
    """The one error of everything that can go wrong with a hub."""
    reason = (str(error) or "no message").splitlines()[0]
    return ValueError(
        f"the {kind} {hub.repo!r} at revision {hub.revision!r} could not be read ({type(error).__name__}: {reason}); "
        "check repo, revision and network, log in with `hf auth login` if it is gated, or download it once and give "
        "its local path instead"
    )
