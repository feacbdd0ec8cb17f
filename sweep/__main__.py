"""``python -m sweep``: the only Hydra task. ``python -m sweep VERB key=value …`` looks after what it left behind."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Python searches the current folder first: a common.py there would hide the package of that name.
    if (here := Path.cwd()) != Path(__file__).resolve().parents[1]:
        sys.path[:] = [place for place in sys.path if place not in ("", str(here))]
    from common.start import own_packages

    own_packages()

from sweep.cli.verbs import VERBS, fail


def main() -> None:
    """Dispatch to a verb, or to Hydra for a sweep."""
    if len(sys.argv) > 1 and sys.argv[1] in VERBS:
        sys.exit(VERBS[sys.argv[1]](sys.argv[2:]))
    _check_verb()
    _flags_first()

    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.plugins import Plugins
    from hydra.errors import HydraException
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException

    from common.conf_folder import conf_folder
    from hydra_plugins.dosage import PLUGINS
    from sweep.config import compose

    compose.register()
    for plugin in PLUGINS:  # Hydra 1.3 finds them by itself except in an editable install, whose folders it cannot list
        Plugins.instance().register(plugin)

    def task(config: DictConfig) -> None:
        from sweep.cli import multirun

        multirun.single(config, HydraConfig.get())

    warnings.filterwarnings("ignore", message=".*version_base.*")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that its errors come here, to be said in one line
    entry: Any = hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")
    try:
        entry(task)()
    except (HydraException, OmegaConfBaseException) as problem:
        fail(compose.explain(problem))


def _flags_first() -> None:
    """Hydra's parser takes no override after a flag; let ``-m`` stand anywhere."""
    words = sys.argv[1:]
    sys.argv[1:] = sorted(words, key=lambda word: word not in ("-m", "--multirun"))


def _check_verb() -> None:
    """A first word that is no override is a mistyped verb: say so before Hydra calls it a bad override."""
    words = [word for word in sys.argv[1:2] if "=" not in word and not word.startswith(("-", "+", "~"))]
    if words:
        fail(f"{words[0]!r} is neither a verb ({', '.join(VERBS)}) nor an override key=value")


if __name__ == "__main__":
    main()
