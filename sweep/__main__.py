"""``python -m sweep``: the only Hydra task. ``python -m sweep VERB key=value …`` looks after what it left behind."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from sweep.verbs import VERBS


def main() -> None:
    """Dispatch to a verb, or to Hydra for a sweep."""
    if len(sys.argv) > 1 and sys.argv[1] in VERBS:
        sys.exit(VERBS[sys.argv[1]](sys.argv[2:]))
    _check_verb()
    _flags_first()

    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    from sweep import multirun, schema

    schema.register()
    multirun.register()

    def task(config: DictConfig) -> None:
        multirun.single(config, HydraConfig.get().sweeper.params)

    warnings.filterwarnings("ignore", message=".*version_base.*")
    entry: Any = hydra.main(config_path="../conf", config_name="config", version_base="1.3")
    entry(task)()


def _flags_first() -> None:
    """Hydra's parser takes no override after a flag; let ``-m`` stand anywhere."""
    words = sys.argv[1:]
    sys.argv[1:] = sorted(words, key=lambda word: word not in ("-m", "--multirun"))


def _check_verb() -> None:
    """A first word that is no override is a mistyped verb: say so before Hydra calls it a bad override."""
    words = [word for word in sys.argv[1:2] if "=" not in word and not word.startswith(("-", "+", "~"))]
    if words:
        sys.exit(f"error: {words[0]!r} is neither a verb ({', '.join(VERBS)}) nor an override key=value")


if __name__ == "__main__":
    main()
