"""The file of a suite: what it says is taken as it is written, and all that is wrong with it is told at once."""

from __future__ import annotations

import pytest

from common.options import parse
from eval.__main__ import main
from eval.commands.evaluate import Evaluate
from eval.commands.suite import load


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DOSAGE_DATA", "")  # so that what the command sets is undone
    return tmp_path


def command(place, model, *more):
    return main([f"model={model}", f"suite={place}/own.yaml", f"data={place}", f"out={place}/out", *more])


TEXTS = """
name: 007
precision: fp32
eval_batch_size: 0x10
tasks:
  1e3: {ability: yes, task: regex, path: "${oc.env:DOSAGE_DATA}/1", pattern: 1e3, stops: [1, 0x2, 1.50, on, "x"],
        template: '{q}', columns: {prompt: 010}, majority: [1], temperature: 1e-1, max_items: 2}
"""


def test_texts_of_a_suite_that_look_like_numbers_stay_as_they_are_written(place):
    (place / "own.yaml").write_text(TEXTS)
    suite = load(str(place / "own.yaml"), "7")
    (task,) = suite.tasks.values()
    assert (suite.name, suite.eval_batch_size, list(suite.tasks)) == ("007", 16, ["1e3"])
    assert (task.ability, task.path, task.pattern, task.columns) == ("yes", "7/1", "1e3", {"prompt": "010"})
    assert task.stops == ["1", "0x2", "1.50", "on", "x"] and task.revision is None
    assert (task.majority, task.temperature, task.max_items) == ([1], 0.1, 2)
    options = parse(Evaluate, ["model=org/name", "revision=1e3", "system=007", "tasks=[1,2]"])
    assert (options.revision, options.system, options.tasks) == ("1e3", "007", ["1", "2"])


def test_wrong_types_and_values_out_of_range_come_at_once(place, model_folder, capsys):
    task = "{ability: math, task: gsm8k, path: x, max_items: x, top_p: 7}"
    (place / "own.yaml").write_text(f"precision: fp7\neval_batch_size: 0\ntasks: {{a: {task}}}")
    assert command(place, model_folder) == 2
    first, *lines = capsys.readouterr().err.splitlines()
    assert first.endswith("own.yaml: 4 problems")
    told = (
        "tasks.a.max_items: 'x' is",
        "tasks.a.top_p=7.0 must",
        "eval_batch_size=0 must",
        "precision='fp7' is unknown",
    )
    assert all(line.strip().startswith(begins) for line, begins in zip(lines, told, strict=True))
    assert command(place, model_folder, "workers=0", "items=many") == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("precision: fp32", "Suite needs tasks; give a value"),
        ("tasks: {a: {ability: math, task: gsm8k, path: x}}", "Suite needs precision; give a value"),
        ("precision: fp32\ntasks: {a: {ability: math}}", "tasks.a: Task needs task; give a value"),
        ("precision: fp32\ntasks: {a: 5}", "tasks.a: '5' is not a table of keys"),
        (
            "precision: fp32\ntasks: {a: {ability: math, task: gsm8k, path: x, max_items: x}}",
            "own.yaml: tasks.a.max_items: 'x' is not a whole number",
        ),
        (
            "precision: fp32\ntasks: {a: {ability: math, task: exact_match, path: x, ignore: case}}",
            "tasks.a.ignore: 'case' is not a list, such as [a, b]",
        ),
        ("precision: fp32\ntasks: {a: {ability: math, task: gsm8k, path: x, top_p: 7}}", "top_p=7.0 must be above 0"),
        (
            "precision: fp32\ntasks: {a: {ability: math, task: gsm8k, path: x, temperature: -1}}",
            "temperature=-1.0 must",
        ),
        (
            "precision: fp32\neval_batch_size: x\ntasks: {a: {ability: math, task: gsm8k, path: x}}",
            "own.yaml: eval_batch_size: 'x' is not a whole number",
        ),
        (
            "precision: null\ntasks: {a: {ability: math, task: gsm8k, path: x}}",
            "own.yaml: precision: None is not a text",
        ),
        ("precision: fp32\ntasks: {a: {ability: math, task: gsm8k, path: [x]}}", "a.path: ['x'] is not a text"),
        ("precision: fp32\ntasks: {}", "tasks={}: the suite measures nothing"),
        ("precision: fp7\ntasks: {a: {ability: math, task: gsm8k, path: x}}", "precision='fp7' is unknown; choose one"),
        (
            "precision: fp32\nbackend: vlm\ntasks: {a: {ability: math, task: gsm8k, path: x}}",
            "backend='vlm' is unknown; choose one of: local, vllm",
        ),
        (
            "precision: fp32\ntasks: {a: {ability: math, task: gsm8k, path: x, 5: x}}",
            "tasks.a: Task has no 5; it has ability, task,",
        ),
        ("5", "it needs tasks, such as tasks:"),
        ("- 1", "it needs tasks, such as tasks:"),
        (
            "precision: fp32\nsize: 3\ntasks: {a: {ability: math, task: gsm8k, path: x}}",
            "Suite has no size; it has name, tasks",
        ),
        ("precision: [1\ntasks", "while parsing a flow sequence"),
        ("precision: fp32\nprecision: bf16\ntasks: {}", "found duplicate key precision"),
        (
            "precision: fp32\ntasks: {a: {ability: math, task: gsm8k, path: '${oc.env:NO_SUCH}/x'}}",
            "own.yaml: tasks.a.path: KeyError raised while resolving interpolation: \"Environment variable 'NO_SUCH'",
        ),
        ("precision: fp32\ntasks: {../a: {ability: math, task: gsm8k, path: x}}", "tasks.../a: it also names a folder"),
        (
            "precision: fp32\ntasks: {a: {ability: math, task: exact_match, path: x, template: Say it}}",
            "tasks.a.template='Say it' names no column, so all prompts would be the same",
        ),
        (
            "precision: fp32\ntasks: {a: {ability: math, task: gsm8k, path: x, temperature: .nan}}",
            "tasks.a.temperature: nan is not a number",
        ),
    ],
)
def test_what_is_wrong_with_a_suite_file_is_one_line(place, model_folder, capsys, text, told):
    (place / "own.yaml").write_text(text)
    assert command(place, model_folder) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {place}/own.yaml") and told in line


def test_all_mistakes_of_a_suite_file_come_at_once(place, model_folder, capsys):
    (place / "own.yaml").write_text("""
precision: fp32
size: 3
eval_batch_size: many
judge: {repeats: 0, temperature: -1}
tasks:
  a: {ability: math, tsk: gsm8k}
  b: {ability: math, task: gsm8k, path: x, top_p: 7, max_items: 0, form: essay}
  c: 5
""")
    assert command(place, model_folder) == 2
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == f"error: {place}/own.yaml: 10 problems"
    for line, told in zip(
        lines,
        [
            "  Suite has no size; it has",
            "  eval_batch_size: 'many' is not a whole number",
            "  judge.repeats=0 must be at least 1",
            "  judge.temperature=-1.0 must be 0 or more",
            "  tasks.a: Task has no tsk; it has",
            "  tasks.a: Task needs task; give a value",
            "  tasks.b.max_items=0 must be above 0",
            "  tasks.b.top_p=7.0 must be above 0 and at most 1",
            "  tasks.b.form='essay' is unknown; choose one of",
            "  tasks.c: '5' is not a table of keys",
        ],
        strict=True,
    ):
        assert line.startswith(told)
