"""Files and commands of last month: old names of keys give the same plan as the new ones, with a note on each."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import HydraException

from eval.commands.suite import load as load_suite
from sweep.cli.multirun import cells
from sweep.config.compose import freeze
from sweep.config.config_files import ConfigFiles
from tests.conftest import ROOT
from tests.sweep.composing import composer, config, hydra

FILES = {
    "data/mine.yaml": """
        defaults: [micro, _self_]
        sources:
          math: {held_out: 10, on_long: skip}
          more:
            {ability: math, format: gsm8k, path: /m, samples: 50, held_out: "${..math.held_out}", fields: {question: q}}
        """,
    "suite/mine.yaml": """
        name: mine
        precision: fp32
        engine: vllm
        batch_rows: 8
        tasks:
          mine:
            {ability: math, task: exact_match, path: /m, items: 5, samples: 2, temperature: 1, seconds: 7,
             fields: {prompt: q}}
        judging: {dollars: 3}
        """,
    "arm/mine.yaml": """
        # @package _global_
        amount: {general: "${ratio}"}
        total: 1000
        rounding: ceil
        """,
    "grid/mine.yaml": """
        # @package _global_
        defaults:
          - override /arm: mine
        repeat: true
        hydra:
          sweeper:
            params:
              rounding: floor,ceil
              suite.tasks.mine.items: 3
        """,
}  # fmt: skip


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A folder of a user's config groups, as an override that makes Hydra search it."""
    for name, text in FILES.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [line.removeprefix("        ") for line in text.strip("\n").splitlines()]
        path.write_text("\n".join(lines))
    return f"hydra.searchpath=[{tmp_path}/conf]"


def test_groups_of_ones_own_are_read_under_their_new_names(own: str):
    cell = freeze(config(own, "data=mine", "suite=mine", "ratio_arm=mine", "ratio=1/2", "strategy=multitask"))
    math, more = cell.data.sources["math"], cell.data.sources["more"]
    assert (math.held_out_rows, math.on_overlong) == (10, "skip")
    assert (more.num_rows, more.held_out_rows, more.columns) == (50, 10, {"question": "q"})
    suite, task = cell.suite, cell.suite.tasks["mine"]
    assert (suite.backend, suite.eval_batch_size, suite.judge_client.dollars) == ("vllm", 8, 3)
    assert (task.max_items, task.answers_per_item, task.time_limit_seconds) == (5, 2, 7)
    assert task.columns == {"prompt": "q"}
    assert (cell.total_samples, cell.sample_rounding, cell.amount["general"].text) == (1000, "ceil", "1/2")


def test_a_grid_of_ones_own_sweeps_the_new_names(own: str):
    composed = config(own, "+grid=mine", "strategy=multitask", hydra_too=True)
    assert composed.allow_repeats and composed.total_samples == 1000
    with hydra():
        fast, _ = composer()
        swept = cells(composed.hydra.sweeper.params, ["ratio_arm=null,mine"], fast.config_loader)
    assert swept == [
        [f"sample_rounding={rounding}", "suite.tasks.mine.max_items=3", f"ratio_arm={arm}"]
        for rounding in ("floor", "ceil")
        for arm in ("null", "mine")
    ]


def test_an_evaluation_without_a_sweep_reads_the_same_suite(own: str, tmp_path: Path):
    alone = load_suite(str(tmp_path / "conf" / "suite" / "mine.yaml"), None)
    assert alone == freeze(config(own, "suite=mine")).suite


def test_a_file_with_both_names_of_a_key_is_refused(own: str, tmp_path: Path):
    with (tmp_path / "conf" / "arm" / "mine.yaml").open("a") as file:
        file.write("\ntotal_samples: 5\n")
    with pytest.raises(HydraException, match=r"arm/mine.*total_samples is given twice"):
        config(own, "ratio_arm=mine")


@pytest.mark.parametrize("more", [[], ["-m", "seed=0,1"]], ids=["one cell", "a sweep"])
def test_old_words_on_the_command_line_give_the_same_plan(more: list[str]):
    old = ["strategy=multitask", "arm=general_small", "ratio=1/4", "rounding=ceil", "repeat=true", "total=300",
           "data.sources.math.held_out=20", "+data.sources.math.fields.question=q", "~suite.tasks.humaneval",
           "suite.tasks.gsm8k={items: 3}", "suite.batch_rows=2"]  # fmt: skip
    new = ["strategy=multitask", "ratio_arm=general_small", "ratio=1/4", "sample_rounding=ceil", "allow_repeats=true",
           "total_samples=300", "data.sources.math.held_out_rows=20", "+data.sources.math.columns.question=q",
           "~suite.tasks.humaneval", "suite.tasks.gsm8k={max_items: 3}", "suite.eval_batch_size=2"]  # fmt: skip
    ended = [
        subprocess.run(
            [sys.executable, "-m", "sweep", *more, *words, "dry_run=true"], cwd=ROOT, capture_output=True, text=True
        )
        for words in (old, new)
    ]
    assert ended[0].returncode == ended[1].returncode == 0, ended[0].stderr
    assert ended[0].stdout == ended[1].stdout
    assert not ended[1].stderr
    notes = ended[0].stderr.splitlines()
    assert len(notes) == len(set(notes)) == 8 and all(" is now " in note for note in notes), notes


WRITTEN = """\
# @package _global_
name: 2024_10_05
model: {name: 1e3, revision: 0123, hub: org/model}
data:
  sources: {math: {held_out_rows: 1_0, columns: {question: 1}}}
tracker: {project: on, entity: null}
"""


def test_names_in_files_are_text_as_written(tmp_path: Path):
    (tmp_path / "conf" / "grid").mkdir(parents=True)
    (tmp_path / "conf" / "grid" / "mine.yaml").write_text(WRITTEN)
    made = config(f"hydra.searchpath=[{tmp_path}/conf]", "+grid=mine")
    assert (made.name, made.model.name, made.model.revision) == ("2024_10_05", "1e3", "0123")
    assert (made.tracker.project, made.tracker.entity) == ("on", None)
    assert made.data.sources.math.held_out_rows == 10


def test_names_that_come_by_a_yaml_anchor_are_read(tmp_path: Path):
    (tmp_path / "conf" / "grid").mkdir(parents=True)
    text = "# @package _global_\nmodel: &base {name: 007}\ndata: {<<: *base}\n"
    (tmp_path / "conf" / "grid" / "mine.yaml").write_text(text)
    made = config(f"hydra.searchpath=[{tmp_path}/conf]", "+grid=mine")
    assert made.model.name == "007" and made.data.name == "7"


def test_a_file_is_read_anew_once_it_is_edited_and_what_was_read_stays_as_it_was(tmp_path: Path):
    files, file = ConfigFiles("test", f"file://{tmp_path}"), tmp_path / "few.yaml"
    file.write_text("rows: [1, 2]\n")
    files.load_config("few").config.rows.append(3)
    assert files.load_config("few").config.rows == [1, 2]
    file.write_text("rows: [4, 2]\n")
    assert files.load_config("few").config.rows == [4, 2]
