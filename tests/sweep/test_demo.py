"""The demo in small: its curve is the committed one, within the spread that the README states."""

import csv
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT, sweep

FRACTIONS = ("0", "1/256", "1/64", "1/16")
OTHERS = [f"~suite.tasks.{task}" for task in ("humaneval", "ifeval", "math_loss", "code_loss", "general_loss")]


def accuracies(table: Path) -> dict[str, float]:
    """Accuracy in math in %, by fraction of the math data that alone was trained on."""
    with table.open(encoding="utf-8") as stream:
        return {
            row["fraction_text"]: 100 * float(row["value"])
            for row in csv.DictReader(stream)
            if row["task"] == "gsm8k" and row["metric"] == "accuracy" and row["trained_on"] in ("math", "base")
        }


@pytest.mark.slow
@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_the_demos_curve_is_the_committed_one_on_any_instruction_set(capability: str, store_path: Path):
    (points,) = re.findall(r"differ by at most (\d+\.\d) points", (ROOT / "README.md").read_text(encoding="utf-8"))
    words = ["-m", "strategy=single", "ability=math", f"fraction={','.join(FRACTIONS)}", *OTHERS, "name=demo"]
    ended = sweep(*words, store=store_path, ATEN_CPU_CAPABILITY=capability)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    here = accuracies(store_path / "sweeps" / "demo" / "table.csv")
    committed = accuracies(ROOT / "docs" / "results" / "data_amount.csv")
    assert here == pytest.approx({fraction: committed[fraction] for fraction in FRACTIONS}, abs=float(points))
    assert len(list(store_path.glob("train/*"))) == len(FRACTIONS) - 1, "the base was trained anew"
