"""Stage rows: one split of a hub data set as JSON lines, which every later stage reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from eval.items.jsonl import Row, write
from eval.spec.answers import ROWS, HubRows


def run(spec: HubRows, inputs: Mapping[str, Path], out: Path) -> None:
    """Write rows.jsonl into ``out``, from the cache or the network. ValueError for whatever cannot be read."""
    try:
        table = _table(spec)
    except Exception as error:  # the hub's libraries raise many unrelated classes
        reason = (str(error) or "no message").splitlines()[0]
        raise ValueError(
            f"the data set {spec.repo!r} at revision {spec.revision!r}, config {spec.config!r}, split {spec.split!r} "
            f"could not be read ({type(error).__name__}: {reason}); check these names and the network, log in with "
            "`hf auth login` if it is gated, or give the path of a local file instead"
        ) from error
    write(out / ROWS, table)


def _table(spec: HubRows) -> Iterable[Row]:
    """The rows; where the hub cannot be asked, those of a snapshot that lies in its cache."""
    import datasets  # slow to import, and only needed here
    from huggingface_hub import snapshot_download

    try:
        return datasets.load_dataset(spec.repo, spec.config, split=spec.split, revision=spec.revision)
    except Exception as error:
        try:
            kept = snapshot_download(spec.repo, repo_type="dataset", revision=spec.revision, local_files_only=True)
        except Exception:
            raise error from None
        return datasets.load_dataset(kept, spec.config, split=spec.split)
