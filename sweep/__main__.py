"""``python -m sweep``: overrides run a sweep through Hydra; a verb looks at sweeps or cleans up."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # Python searches the current folder first: a common.py there would hide the package of that name.
    if (here := os.path.realpath("")) != os.path.realpath(f"{__file__}/../.."):
        sys.path[:] = [place for place in sys.path if place not in ("", here)]
    from common import interrupt

    interrupt.in_a_word()  # before anything is imported that takes time
    from common.start import look_for_garbage_seldom, own_packages

    own_packages()
    look_for_garbage_seldom()

import re
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.options import HELP, run
from common.renames import current_override
from common.start import OWN_CONFIG
from sweep.cli.verbs import VERBS, fail
from sweep.config.overrides import OF_THE_COMMAND
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
    if any(word in HELP[2:] for word in words):
        return run("python -m sweep", VERBS, ["help"], usage=USAGE)
    if verbs := [word for word in words if word in VERBS]:
        fail(f"{verbs[0]} is a verb; write it first: python -m sweep {verbs[0]} ...")
    current = [_as_text(current_override(word)) for word in words]
    if twice := _given_twice(words, current):
        fail(f"{twice}= is given twice; keep one")

    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from common.start import conf_folder
    from sweep.config import compose, mistakes, schema

    schema.register()
    current += own_groups(current)
    # Hydra reads sys.argv. Its parser takes no override after a flag; sorting lets -m stand anywhere.
    sys.argv[1:] = sorted(map(compose.as_merge, current), key=lambda word: word not in ("-m", "--multirun"))

    def task(config: DictConfig) -> None:
        from hydra_plugins.dosage import launcher
        from sweep.cli import multirun

        hydra_config = HydraConfig.get()
        multirun.single(config, hydra_config, launcher(OmegaConf.create({"hydra": hydra_config})))

    warnings.filterwarnings("ignore", message=".*version_base.*")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that its errors come here, to be said in one line
    entry: Any = hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")
    try:
        entry(task)()
    except (HydraException, OmegaConfBaseException, AssertionError) as problem:
        # OmegaConf asserts that a branch it merges into is not null; an assertion of ours keeps its traceback.
        if isinstance(problem, AssertionError) and not _raised_in(problem, "omegaconf"):
            raise
        fail(mistakes.explain(problem))
    return 0


def own_groups(words: Sequence[str]) -> list[str]:
    """The override that adds the user's own config groups, where the current folder has them and no word names some."""
    folder = Path.cwd() / OWN_CONFIG
    if not folder.is_dir() or any(word.lstrip("+").startswith("hydra.searchpath") for word in words):
        return []
    place = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    return [f"hydra.searchpath=['file://{place}']"]


def _raised_in(problem: BaseException, package: str) -> bool:
    """Whether the innermost frame of an exception lies in a package."""
    frames = list(traceback.walk_tb(problem.__traceback__))
    return bool(frames) and frames[-1][0].f_globals.get("__name__", "").split(".")[0] == package


def _as_text(word: str) -> str:
    """``name=1e3`` with its value in quotes, where Hydra would read a number and call the sweep ``1000.0``.

    So with every key whose value is text, and with each of several values. What Hydra's grammar means otherwise stays:
    null, quotes, interpolations and calls.
    """
    from sweep.config.compose import parse
    from sweep.config.config_files import TEXTS

    key, equals, value = word.partition("=")
    if not equals or key.lstrip("+").rpartition(".")[2] not in TEXTS or re.search(r"[\\'\"$(){}\[\]]", value):
        return word
    read = [(text, parse(f"x={text}").value()) for text in value.split(",")]
    changed = {text for text, one in read if isinstance(one, bool | int | float) and str(one) != text}
    return f"{key}=" + ",".join(f"'{text}'" if text in changed else text for text, _ in read)


def _given_twice(words: Sequence[str], current: Sequence[str]) -> str:
    """A key of the whole command that is given twice, or one given by its old and its new name; else "".

    For the other keys the last value counts, as Hydra's users expect.
    """
    spellings: dict[str, list[str]] = {}
    for word, renamed in zip(words, current, strict=True):
        if "=" in word:
            spellings.setdefault(renamed.partition("=")[0].lstrip("+"), []).append(word.partition("=")[0].lstrip("+"))
    return next(
        (key for key, old in spellings.items() if len(old) > 1 and (key in OF_THE_COMMAND or len(set(old)) > 1)), ""
    )


def _is_override(word: str) -> bool:
    """Whether a first word belongs to Hydra: an override such as ``seed=1``, ``+grid=mixture`` or ``~tracker``, or a
    flag such as ``-m``."""
    return "=" in word or word.startswith(("-", "+", "~"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
