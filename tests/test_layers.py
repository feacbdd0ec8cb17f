"""Who may import whom, and what must stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

OURS = ("sweep", "train", "eval", "analysis")
TORCH_FREE = (
    "sweep",
    "analysis",
    "train/spec.py",
    "train/sources.py",
    "train/world",
    "eval/spec.py",
    "eval/tasks",
    "eval/sandbox",
    "eval/judge",
)
HEAVY = ("torch", "transformers", "datasets", "deepspeed", "wandb")


def imports(path: Path) -> set[str]:
    """Full names of everything a file imports, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.suffix else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("package", OURS)
def test_packages_keep_their_distance(package: str):
    for path in files(package):
        for name in imports(path):
            top = name.split(".")[0]
            if top in OURS and top != package:
                allowed = package == "sweep" and name.startswith(("train.spec", "eval.spec", "eval.judge.spec"))
                warm = path.name == "server.py" and package == "sweep"  # it preloads by name what workers will need
                assert allowed or warm, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("place", TORCH_FREE)
def test_torch_stays_out(place: str):
    for path in files(place):
        if path.name == "server.py" and path.parent.name == "launch":
            continue
        heavy = {name for name in imports(path) if name.split(".")[0] in ("torch", "transformers", "deepspeed")}
        assert not heavy, f"{path.relative_to(ROOT)} imports {heavy}"


def test_hydra_stays_at_the_entry():
    allowed = {"sweep/__main__.py", "sweep/schema.py", "sweep/multirun.py"}
    users = {
        str(path.relative_to(ROOT))
        for package in OURS
        for path in files(package)
        if any(name.split(".")[0] == "hydra" for name in imports(path))
    }
    assert users <= allowed


def test_nobody_hides_the_builtin_eval():
    for package in OURS:
        for path in files(package):
            tree = ast.parse(path.read_text())
            plain = [
                a.name
                for n in ast.walk(tree)
                if isinstance(n, ast.Import)
                for a in n.names
                if a.name.split(".")[0] == "eval"
            ]
            assert not plain, f"{path.relative_to(ROOT)}: import names from eval, not eval"


def test_only_ranks_reads_the_variables_of_torch_distributed():
    words = {"RANK", "WORLD_SIZE", "LOCAL_RANK"}
    readers = set()
    for package in ("train", "eval", "analysis"):
        for path in files(package):
            constants = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
            if words & {c for c in constants if isinstance(c, str)}:
                readers.add(str(path.relative_to(ROOT)))
    assert readers <= {"train/ranks.py"}


LIGHT = {
    "the command's help": ["sweep", "--help"],
    "a dry run": ["sweep", "+grid=data_amount", "-m", "dry_run=true"],
    "ls": ["sweep", "ls"],
    "the analysis' help": ["analysis", "--help"],
}


@pytest.mark.parametrize("words", LIGHT.values(), ids=LIGHT.keys())
def test_light_commands_never_import_heavy_libraries(words: list[str], tmp_path: Path):
    code = (
        "import runpy, sys\n"
        f"sys.argv = {words!r}\n"
        "try:\n    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('LOADED', sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "DOSAGE_STORE": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.stdout.splitlines()[-1] == "LOADED []", ended.stdout[-500:] + ended.stderr[-2000:]
