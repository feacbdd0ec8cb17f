"""``python -m sweep``: overrides run a sweep through Hydra; a verb looks at sweeps or cleans up."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Python searches the current folder first: a common.py there would hide the package of that name.
    if (here := Path.cwd()) != Path(__file__).resolve().parents[1]:
        sys.path[:] = [place for place in sys.path if place not in ("", str(here))]
    from common.start import own_packages

    own_packages()

from common.options import HELP, run
from common.renames import current_override
from sweep.cli.verbs import VERBS, fail
from sweep.stages.store import Damaged

USAGE = """\
python -m sweep [+grid=NAME] [KEY=VALUE ...] -m      run a sweep: every combination of the values
python -m sweep KEY=VALUE ...                        run one cell
python -m sweep VERB [KEY=VALUE ...]                 look at sweeps or clean up

A sweep's keys are those of conf/config.yaml and its groups; --cfg job prints them, --hydra-help lists Hydra's flags.
  python -m sweep +grid=data_amount -m dry_run=true  show cells, stages, cost and time; run nothing
  python -m sweep -m ability=math fraction=1/16,1    two cells
"""


def main(words: Sequence[str]) -> int:
    """Run a verb or, for overrides, a sweep through Hydra; without a word show help and run nothing.

    Returns the exit status.
    """
    if not words or words[0] in HELP or not _is_override(words[0]):
        return run("python -m sweep", VERBS, words, usage=USAGE, errors=(ValueError, OSError, Damaged))
    # Hydra reads sys.argv. Its parser takes no override after a flag; sorting lets -m stand anywhere.
    sys.argv[1:] = sorted(map(current_override, words), key=lambda word: word not in ("-m", "--multirun"))

    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException

    from common.start import conf_folder
    from sweep.config import compose, schema

    schema.register()

    def task(config: DictConfig) -> None:
        from hydra_plugins.dosage import launcher
        from sweep.cli import multirun

        hydra_config = HydraConfig.get()
        multirun.single(config, hydra_config, launcher(hydra_config.launcher).execute)

    warnings.filterwarnings("ignore", message=".*version_base.*")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that its errors come here, to be said in one line
    entry: Any = hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")
    try:
        entry(task)()
    except (HydraException, OmegaConfBaseException) as problem:
        fail(compose.explain(problem))
    return 0


def _is_override(word: str) -> bool:
    """Whether a first word belongs to Hydra: an override such as ``seed=1``, ``+grid=mixture`` or ``~tracker``, or a
    flag such as ``-m``."""
    return "=" in word or word.startswith(("-", "+", "~"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
