"""A judge in a sweep: what is identity, what is told before training, and the whole way with kills in between."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from sweep.config.compose import freeze
from sweep.plan import judge_cost
from sweep.plan.plan import CellError
from sweep.plan.preflight import check_plan
from sweep.results.saved_sweep import jobs
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.conftest import HANG_SECONDS, PUBLIC_DATA, ROOT, TINY, command, sweep
from tests.judge_server import serving
from tests.sweep.composing import cell, config, leaves, plain, plan
from tests.sweep.launch.test_local import wait_for

pytestmark = pytest.mark.slow

JUDGED = [
    "suite=paper",
    "suite.judge.model=grader",
    "suite.judge_client.input_price=30",
    "suite.judge_client.output_price=60",
]


def keys(composed, kind: str) -> dict[str, str]:
    """Keys of the stages of a kind, by their task."""
    return {stage.spec.task: stage.key for stage in plan(freeze(composed)).stages if stage.kind == kind}


def test_the_judge_is_identity_and_how_it_is_asked_is_not():
    base = config(*JUDGED)
    answers, scores = keys(base, "answer"), keys(base, "score")
    judge = {"model": "x", "repeats": 5, "temperature": 0.5, "max_tokens": 9, "extra": "{}"}
    run = {"path": None, "prompts": None, "ledger": "x", "cache": "x", "base_url": "http://x", "key_variable": "x"}
    seen = []
    for path, value in leaves({name: plain(base)["suite"][name] for name in ("judge", "judge_client")}):
        group, name = path.split(".")
        if run.get(name, "") is None:
            continue
        changed = base.copy()
        other = judge[name] if group == "judge" else run.get(name, (value or 1) * 2)
        OmegaConf.update(changed, f"suite.{path}", other)
        assert keys(changed, "answer") == answers  # a new judge asks no model again
        new = {task for task, key in keys(changed, "score").items() if key != scores[task]}
        assert new == ({"mtbench"} if group == "judge" else set()), path
        seen.append(path)
    assert len(seen) >= 15


def test_files_a_judge_is_shown_count_by_their_content(tmp_path: Path):
    base, found = config(*JUDGED), []
    for name in ("suite.judge_client.prompts", "suite.tasks.mtbench.references"):
        for text in ("one", "two", "one"):
            path = tmp_path / f"{len(found)}.jsonl"
            path.write_text(text)
            changed = base.copy()
            OmegaConf.update(changed, name, str(path))
            found.append(keys(changed, "score")["mtbench"])
    assert found[0] == found[2] != found[1] and found[3] == found[5] != found[4] and len(set(found)) == 4


def test_seeds_draw_their_own_answers_where_categories_have_temperatures():
    one, other = (keys(config(*JUDGED, "fraction=0", f"seed={seed}"), "answer") for seed in (0, 1))
    assert one["mtbench"] != other["mtbench"] and one["gsm8k"] == other["gsm8k"]


def test_what_judging_costs_is_known_beforehand(tmp_path: Path):
    made = plan(cell(*JUDGED), cell(*JUDGED, "fraction=1/4"))
    due = judge_cost.estimates(made, Store(tmp_path))
    assert len(due) == 2 and {one.calls for one in due.values()} == {480}
    told = judge_cost.lines(made, Store(tmp_path))
    assert told[0].startswith("judge: 960 calls, about $") and "of at most $10.00" in told[0]
    path = tmp_path / "few.jsonl"
    path.write_text('{"turns": ["a", "b", "c"]}\n{"prompt": "d"}\n')
    few = plan(cell(*JUDGED, f"suite.tasks.mtbench.path={path}"))
    (one,) = judge_cost.estimates(few, Store(tmp_path)).values()
    assert one.calls == 12 and one.dollars == pytest.approx((one.input_tokens * 30 + 12 * 300 * 60) / 1e6)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["suite.judge.model=null"], "set suite.judge.model to the name of a judge"),
        (
            ["suite.judge_client.output_price=null"],
            "set suite.judge_client.input_price and suite.judge_client.output_price",
        ),
        (["suite.judge_client.key_variable=NO_SUCH_KEY"], "NO_SUCH_KEY holds no key"),
        (["suite.judge_client.dollars=1"], r"about \$\d.*raise suite.judge_client.dollars=1"),
        (["suite.judge_client.base_url=http://127.0.0.1:1/v1"], "127.0.0.1:1/v1 cannot be reached"),
    ],
)
def test_no_training_starts_before_the_judge_is_sure(more: list[str], message: str, tmp_path: Path):
    files = [f"suite.tasks.mtbench.{name}={PUBLIC_DATA['cut']}/general/mt_bench_{file}.jsonl"
             for name, file in (("path", "question"), ("references", "reference_gpt-4"))]  # fmt: skip
    words = [
        *JUDGED,
        *files,
        "suite.judge_client.key_variable=''",
        "suite.judge_client.dollars=100",
        "suite.judge_client.prompts=null",
    ]
    made = plan(cell(*words, *[f"~suite.tasks.{name}" for name in OTHERS], *more, f"store={tmp_path}"))
    with pytest.raises(ValueError, match=f"(?s)cannot be reached from here.*judge: .*{message}"):
        check_plan(made)


OTHERS = ("gsm8k", "humaneval", "gsm8k_loss", "humaneval_loss")


def test_a_key_that_is_refused_is_told_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_KEY", "wrong")
    with serving(lambda *_: "[[5]]", key="right") as (_, url):
        words = [
            *JUDGED,
            f"suite.judge_client.base_url={url}",
            "suite.judge_client.key_variable=A_KEY",
            "suite.judge_client.dollars=99",
        ]
        made = plan(cell(*words, f"store={tmp_path}"))
        assert [f"judge: {url} refuses the key in A_KEY"] == judge_cost.problems(made, Store(tmp_path))
        monkeypatch.setenv("A_KEY", "right")
        assert judge_cost.problems(made, Store(tmp_path)) == []
        (tmp_path / "judge" / "spent" / "test").mkdir(parents=True)
        (tmp_path / "judge" / "spent" / "test" / "one.jsonl").write_text('{"dollars": 90}\n{"dollars": 5.5}\n')
        (dear,) = judge_cost.problems(made, Store(tmp_path))
        assert "$95.50 are spent: raise suite.judge_client.dollars=99" in dear


def test_a_local_judge_has_a_gpu_as_models_do(tmp_path: Path):
    for words, judge in (
        (JUDGED, False),
        ([*JUDGED, "suite.judge.model=null", f"suite.judge_client.path={ROOT}/conf"], True),
    ):
        all_jobs = jobs(plan(cell(*words)), Store(tmp_path)).values()
        assert all(
            job.runs_model == (job.stage.kind in ("train", "answer")) for job in all_jobs if job.stage.kind != "score"
        )
        assert {job.stage.spec.task for job in all_jobs if job.stage.kind == "score" and job.runs_model} == (
            {"mtbench"} if judge else set()
        )


def test_how_a_judge_is_asked_reaches_the_worker(tmp_path: Path):
    for job in jobs(plan(cell(*JUDGED, "name=x")), Store(tmp_path)).values():
        found = Job.from_json(json.loads(json.dumps(job.to_json())))
        assert (found.stage, found.execution) == (job.stage, job.execution)
        if job.stage.kind == "score" and job.stage.spec.judge:
            assert found.execution.ledger == "test" and found.execution.input_price == 30


def test_a_judge_is_one_or_the_other(tmp_path: Path):
    with pytest.raises(
        CellError, match=r"suite\.judge\.model=grader and suite\.judge_client\.path=.* exclude each other"
    ):
        plan(cell(*JUDGED, f"suite.judge_client.path={tmp_path}"))


SUITE = """
name: talk
precision: fp32
eval_batch_size: 8
tasks:
  talk: {{ability: general, task: mtbench, path: {place}/talk.jsonl, max_new_tokens: 6}}
judge: {{model: grader, max_tokens: 16}}
judge_client: {{base_url: {url}, key_variable: "", input_price: 1, output_price: 1, backoff: 0.01, concurrency: 2}}
"""
QUESTIONS = [{"question_id": n, "category": "writing", "turns": [f"Say {n}.", "Again."]} for n in range(6)]
NO_SUITE = [word for word in TINY if not word.startswith("suite.")]
NO_SUITE += ["model.pretrain.epochs=null", "model.pretrain.steps=20", "model.pretrain.batch_samples=8"]


def rating(_, request) -> str:
    """Another rating for each question, so that cells differ only by their answers."""
    text = " ".join(message["content"] for message in request["messages"])
    return f"Rating: [[{1 + int(text.split('Say ')[1][0])}]]"


def test_the_whole_way(tmp_path: Path):
    """Trained, answered, stopped with the judge at work, gone on with, collected, analysed, judged by another."""
    (tmp_path / "conf" / "suite").mkdir(parents=True)
    (tmp_path / "talk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    store = tmp_path / "store"
    with serving(lambda n, request: "HANG" if n >= 7 else rating(n, request)) as (server, url):
        (tmp_path / "conf" / "suite" / "talk.yaml").write_text(SUITE.format(place=tmp_path, url=url))
        words = [*NO_SUITE, "-m", "name=j", "fraction=1/16,1/4,1", "suite=talk", "workers=1", "ability=general",
                 f"hydra.searchpath=[file://{tmp_path}/conf]"]  # fmt: skip
        process = command(*words, store=store)
        wait_for(lambda: len(server.requests) >= 9)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 130, out + err
        kept = len(list((store / "judge" / "replies").rglob("*.json")))
        assert kept == 7
        server.act, asked = rating, len(server.requests)
        ended = sweep(*words, store=store)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert kept + len(server.requests) - asked <= 3 * 12  # at most a call for each answer of each cell

    table = pd.read_csv(store / "sweeps" / "j" / "table.csv")
    found = table.pivot_table(index="cell", columns="metric", values="value")
    assert len(found) == 3 and (found["score"] == 3.5).all() and found["accuracy"].to_numpy() == pytest.approx(2.5 / 9)
    assert (found["turn_1"] == 3.5).all() and (found["unparsed_rate"] == 0).all()
    items = pd.read_parquet(store / "sweeps" / "j" / "items.parquet")
    assert len(items) == 18 and items["value"].mean() == pytest.approx(2.5 / 9) and set(items["weight"]) == {2.0}
    analysed = subprocess.run(
        [sys.executable, "-m", "analysis", "sweep=j", f"store={store}"],
        cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip
    assert analysed.returncode == 0, analysed.stderr
    assert "general" in analysed.stdout

    # Another judge, the base model itself: only the scores are new. It rates nothing.
    (model, *_) = [path.parent for path in store.glob("train/*/config.json")]
    local_words = ["name=l" if word == "name=j" else word for word in words]
    local_words += ["suite.judge.model=null", f"suite.judge_client.path={model}"]
    local = sweep(*local_words, store=store)
    assert local.returncode == 0 and "3 to run" in local.stdout, local.stdout + local.stderr
    rates = pd.read_csv(store / "sweeps" / "l" / "table.csv").query("metric == 'unparsed_rate'")["value"]
    assert (rates == 1).all() and len(rates) == 3
