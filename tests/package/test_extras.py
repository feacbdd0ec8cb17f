"""Dependencies: what is imported is declared, and a command that lacks an extra names it."""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from common.extras import EXTRAS
from tests.conftest import ROOT, TINY
from tests.package.environment import PACKAGES, run
from tests.test_layers import imports

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOOLS = ("dev", "all", "lmeval")
"""Extras that no module imports: those of the tests, a sum of others, and another program."""


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def declared() -> set[str]:
    """The distributions that the packages may import."""
    extras = PROJECT["optional-dependencies"]
    return names(PROJECT["dependencies"]).union(*(names(lines) for name, lines in extras.items() if name not in TOOLS))


def imported() -> set[str]:
    """The distributions that the packages import, anywhere in a file."""
    files = [path for package in (*PACKAGES, "hydra_plugins") for path in (ROOT / package).rglob("*.py")]
    modules = {name.split(".")[0] for path in files for name in imports(path)}
    others = modules - {*PACKAGES, "hydra_plugins"} - sys.stdlib_module_names
    owners = metadata.packages_distributions()
    return {canonicalize_name(owners.get(module, [module])[0]) for module in others}


def test_what_is_imported_is_declared_and_nothing_else():
    assert imported() == declared()


def test_extras_are_those_of_the_project():
    owners = metadata.packages_distributions()
    known = {
        extra: {canonicalize_name(owners.get(module, [module])[0]) for module in modules}
        for extra, modules in EXTRAS.items()
    }
    assert known == {
        name: names(lines) for name, lines in PROJECT["optional-dependencies"].items() if name not in TOOLS
    }


SMALL = ("name=small", *TINY)
ON_SLURM = "hydra/launcher=submitit_slurm"
MODELS = "torch, transformers, jinja2, datasets, huggingface_hub"
WANDB = "wandb, wandb_workspaces"


def test_a_sweep_without_torch_says_what_to_install(core: Path, tmp_path: Path):
    ended = run("dosage", "sweep", *SMALL, site=core, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        f"error: this sweep needs {MODELS}, tokenizers, safetensors, langdetect, which are not installed: "
        "pip install 'dosage-llm[train,eval]'\n"
    )
    assert not (tmp_path / "store" / "sweeps").exists()


@pytest.mark.parametrize(
    ("word", "user", "library", "extra"),
    [
        ("engine=zero2", "this sweep", "deepspeed", "gpu"),
        ("tracker=wandb", "this sweep", WANDB, "wandb"),
        (ON_SLURM, ON_SLURM, "submitit", "slurm"),
    ],
)
def test_a_choice_without_its_extra_says_what_to_install(
    word: str, user: str, library: str, extra: str, models: Path, tmp_path: Path
):
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    ended = run("dosage", "sweep", *SMALL, word, site=models, folder=tmp_path, PATH=str(tmp_path))
    assert ended.returncode == 2
    absent = f"{library}, which {'are' if ',' in library else 'is'} not installed"
    assert ended.stderr == f"error: {user} needs {absent}: pip install 'dosage-llm[{extra}]'\n"
    assert not (tmp_path / "store" / "sweeps").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("eval", "model=a/b", "revision=main", "tasks=gsm8k"),
            f"answering needs {MODELS}, langdetect, which are not installed: ",
        ),
        (
            ("analysis", "import", "from=wandb:a/b"),
            f"from=wandb:ENTITY/PROJECT needs {WANDB}, which are not installed: ",
        ),
    ],
)
def test_other_commands_say_what_to_install(words: tuple[str, ...], sentence: str, core: Path, tmp_path: Path):
    (tmp_path / "map.yaml").write_text("columns: {value: loss}\nconstants: {ability: math, task: t, metric: loss}\n")
    more = ("mapping=map.yaml", "out=long.csv") if words[0] == "analysis" else ()
    ended = run("dosage", *words, *more, site=core, folder=tmp_path)
    extra = "wandb" if words[0] == "analysis" else "eval"
    assert ended.returncode == 2
    assert ended.stderr == f"error: {sentence}pip install 'dosage-llm[{extra}]'\n"


def test_programs_run_without_any_extra(core: Path, tmp_path: Path):
    (tmp_path / "programs.jsonl").write_text('{"id": "one", "program": "assert 1 + 1 == 2"}\n')
    ended = run("dosage", "eval", "run-code", "programs=programs.jsonl", "out=out.jsonl", site=core, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert '"passed"' in (tmp_path / "out.jsonl").read_text()
