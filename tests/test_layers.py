"""Who may import whom, and what must stay light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import HANG_SECONDS, ROOT

OURS = ("common", "hydra_plugins", "sweep", "train", "eval", "analysis")

ROOMS = {
    "common": "",
    "analysis.arrays": "",
    "analysis.format": "",
    "analysis.records": "",
    "analysis.text_table": "",
    "analysis.data": "analysis.arrays analysis.format",
    "analysis.imports": "analysis.data analysis.format",
    "analysis.laws": "analysis.arrays",
    "analysis.fitting": "analysis.arrays analysis.data analysis.laws analysis.records analysis.text_table",
    "analysis.verdicts": "analysis.arrays analysis.data analysis.fitting analysis.format",
    "analysis.advice": "analysis.arrays analysis.data analysis.fitting analysis.format analysis.records "
    "analysis.text_table analysis.verdicts",
    "analysis.figures": "analysis.arrays analysis.data analysis.fitting analysis.format analysis.verdicts",
    "analysis.report": "analysis.advice analysis.arrays analysis.data analysis.figures analysis.fitting "
    "analysis.format analysis.records analysis.text_table analysis.verdicts",
    "analysis.publish": "analysis.data analysis.figures analysis.records analysis.report analysis.verdicts",
    "analysis.live": "analysis.data analysis.figures analysis.report",
    "analysis": "analysis.fitting analysis.laws",
    "analysis.options": "",
    "analysis.commands": "analysis.advice analysis.data analysis.fitting analysis.imports analysis.live "
    "analysis.options analysis.publish analysis.records analysis.report",
    "analysis.__main__": "analysis.commands",
    "train.spec": "",
    "train.cleaning": "",
    "train.sources": "train.cleaning",
    "train": "train.cleaning train.sources train.spec",
    "eval": "",
    "sweep": "",
    "eval.spec": "",
    "eval.items": "",
    "eval.sandbox": "",
    "eval.engines": "eval.items eval.spec",
    "eval.tasks": "eval.items eval.sandbox eval.spec",
    "eval.judge": "eval.engines eval.items eval.spec eval.tasks",
    "eval.stages": "eval.engines eval.items eval.judge eval.sandbox eval.spec eval.tasks",
    "eval.commands": "eval.engines eval.items eval.judge eval.sandbox eval.spec eval.stages eval.tasks",
    "eval.__main__": "eval.commands",
    "sweep.stages": "eval.spec train.spec",
    "sweep.config": "sweep.stages eval.spec train.spec",
    "sweep.plan": "sweep.stages sweep.config eval.spec train.spec",
    "sweep.results": "sweep.stages sweep.config sweep.plan eval.spec",
    "sweep.track": "sweep.stages sweep.config sweep.results",
    "sweep.launch": "sweep.stages sweep.plan sweep.results sweep.track",
    "sweep.cli": "sweep.stages sweep.config sweep.plan sweep.results sweep.launch train.sources",
    "hydra_plugins.dosage": "sweep.stages sweep.plan sweep.launch sweep.cli",
    "sweep.__main__": "hydra_plugins.dosage sweep.config sweep.stages sweep.cli",
}
"""Each room, bottom first within its package, and the rooms that it may import besides itself and `common`."""

TORCH_FREE = (
    "common",
    "sweep",
    "analysis",
    "train/spec.py",
    "train/sources.py",
    "train/world",
    "eval/spec",
    "eval/items",
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


def module(path: Path) -> str:
    """The dotted name of one of our files."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(name: str) -> str:
    """The longest entry of `ROOMS` that holds the module; a package's own ``__init__`` belongs to the package."""
    parts = name.split(".")
    return next((r for n in range(len(parts), 0, -1) if (r := ".".join(parts[:n])) in ROOMS), name)


def is_module(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


def test_every_file_lies_in_a_known_room():
    strangers = {module(path) for package in OURS for path in files(package) if room(module(path)) not in ROOMS}
    assert not strangers
    flat = {module(p) for package in ("sweep", "eval", "analysis") for p in (ROOT / package).glob("*.py")}
    assert flat <= {*ROOMS, *OURS}, "a file at the top of a package needs an entry in ROOMS, or a room"


@pytest.mark.parametrize("name", ROOMS)
def test_rooms_import_only_what_lies_below_them(name: str):
    allowed = {name, *ROOMS[name].split()} | ({"common"} if name != "common" else set())
    for path in (path for package in OURS for path in files(package)):
        if room(module(path)) != name:
            continue
        for imported in filter(is_module, imports(path)):
            if imported.split(".")[0] in OURS and imported not in OURS:
                assert room(imported) in allowed, f"{path.relative_to(ROOT)} imports {imported}"


def test_what_lies_below_is_listed_first():
    """So the arrows between rooms only point down, and there can be no circle."""
    seen: set[str] = set()
    for name, allowed in ROOMS.items():
        below = {entry for entry in allowed.split() if entry.split(".")[0] == name.split(".")[0]}
        assert below <= seen, f"{name} may import {below - seen}, which are listed after it"
        seen.add(name)


def test_contributing_lists_every_room_and_the_lowest_first():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.findall(r"^((?:common|sweep|train|eval|analysis)(?:/[a-z_]+)?)/ {2,}\S", text, re.MULTILINE)
    folders = {str(path.parent.relative_to(ROOT)) for package in OURS for path in files(package)}
    starts = {"sweep", "eval", "analysis", "hydra_plugins/dosage"}  # their files only start the commands
    assert set(listed) == folders - starts
    order = [name.replace(".", "/") for name in ROOMS]
    for package in OURS:
        own = [path for path in listed if path.startswith(f"{package}/") and path in order]
        assert own == sorted(own, key=order.index)


@pytest.mark.parametrize("place", TORCH_FREE)
def test_torch_stays_out(place: str):
    for path in files(place):
        if path.name == "server.py" and path.parent.name == "launch":
            continue
        heavy = {name for name in imports(path) if name.split(".")[0] in ("torch", "transformers", "deepspeed")}
        assert not heavy, f"{path.relative_to(ROOT)} imports {heavy}"


def test_hydra_stays_at_the_entry():
    allowed = {
        "hydra_plugins/dosage/__init__.py", "sweep/__main__.py", "sweep/cli/multirun.py", "sweep/config/compose.py",
        "sweep/config/config_files.py", "sweep/config/schema.py",
    }  # fmt: skip
    users = {
        str(path.relative_to(ROOT))
        for package in OURS
        for path in files(package)
        if any(name.split(".")[0] == "hydra" for name in imports(path))
    }
    assert users <= allowed


def test_stages_know_nothing_of_the_tracker():
    """What builds stages never imports W&B: only the process that mirrors a sweep does."""
    users = {
        str(path.relative_to(ROOT))
        for package in ("common", "train", "eval", "sweep")
        for path in files(package)
        if any(name.split(".")[0] == "wandb" for name in imports(path))
    }
    assert users == {"sweep/track/client.py"}
    workers = ("sweep.stages", "train", "train.spec", "eval.stages", "eval.engines")
    assert not any("sweep.track" in ROOMS[name].split() for name in workers)


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


def looked_up(path: Path) -> set[str]:
    """Names that a file reads from a mapping: ``x["NAME"]``, ``x.get("NAME")``, ``os.getenv("NAME")``."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            names.append(node.slice)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            names += node.args[:1] if node.func.attr in ("get", "getenv", "pop") else []
    return {name.value for name in names if isinstance(name, ast.Constant) and isinstance(name.value, str)}


def test_only_ranks_reads_the_variables_of_torch_distributed():
    """The launchers of sweep set them for the processes they start; no other file reads them."""
    names = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    readers = {str(path.relative_to(ROOT)) for package in OURS for path in files(package) if names & looked_up(path)}
    assert readers == {"train/ranks.py"}


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
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS,
        env={"PATH": "/usr/bin:/bin", "DOSAGE_STORE": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.stdout.splitlines()[-1] == "LOADED []", ended.stdout[-500:] + ended.stderr[-2000:]
