"""A judge's endpoint that misbehaves: tried again while that helps, refused at once where not, never paid twice."""

from __future__ import annotations

import multiprocessing
import socket
import threading
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from eval.items.jsonl import read
from eval.judge.endpoint import Endpoint
from eval.judge.panel import CachedJudge
from eval.judge.ratings import rating
from eval.judge.replies import JudgePrompt, Ledger
from eval.spec.judge import Judge, JudgeRun, missing_settings
from tests.judge_server import completion, serving

JUDGE = Judge(model="grader", max_tokens=64)
HOW = JudgeRun(
    key_variable="", concurrency=2, seconds=60.0, retries=3, backoff=0.01, input_price=10.0, output_price=20.0,
    dollars=100.0,
)  # fmt: skip
CALL = (1000 * 10.0 + 100 * 20.0) / 1e6  # dollars, by the server's count of tokens


def questions(count):
    return [JudgePrompt([{"role": "user", "content": f"Rate answer {number}"}], 0) for number in range(count)]


def panel(execution):
    return CachedJudge(JUDGE, execution, lambda: Endpoint(JUDGE, execution))


def judged(execution, count):
    return [one.value for one in panel(execution).judge(questions(count), rating, False)]


def spent(execution):
    return sum(
        row["dollars"] for file in Path(execution.cache, "spent", execution.ledger).iterdir() for row in read(file)
    )


@pytest.fixture
def execution(tmp_path):
    return replace(HOW, cache=str(tmp_path / "cache"))


TROUBLES = {
    "429 with a time": (429, {"Retry-After": "0.02"}, b"slow down"),
    "429 with a date in the past": (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""),
    "429 with nonsense": (429, {"Retry-After": "soon"}, b""),
    "500": (500, {}, b"oops"),
    "503": (503, {}, b""),
    "garbage": (200, {}, b"<html>welcome</html>"),
    "JSON of another kind": (200, {}, b'{"choices": []}'),
    "a list": (200, {}, b"[]"),
    "half a body": (200, {"Content-Length": "4000"}, completion("Rating: [[3]]")[:40]),
    "not UTF-8": (200, {}, b"\xff\xfe\xfd"),
    "text of another kind": (200, {}, b'{"choices": [{"message": {"content": {"rating": 7}}}]}'),
    "a reset": "RESET",
    "deep nesting": (200, {}, b"[" * 200_000),
    "fewer than no tokens": (200, {}, completion("Rating: [[3]]", (-(10**9), 1))),
    "an absurd number of tokens": (200, {}, completion("Rating: [[3]]", (10**12, 1))),
    "half a token": (200, {}, completion("Rating: [[3]]", (1.5, 1))),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_passing_trouble_is_waited_out(execution, trouble):
    with serving(lambda number, _: trouble if number < 2 else "Rating: [[7]]") as (server, url):
        assert judged(replace(execution, base_url=url), 1) == [7.0]
        assert len(server.requests) == 3
    assert spent(execution) == pytest.approx(CALL)


@pytest.mark.parametrize("trouble", ["HANG", "DRIP", "DRIP A HEADER"])
def test_a_reply_that_does_not_end_is_asked_for_again(execution, trouble):
    """On a busy machine a whole reply may be late as well, so there may be more than one further try."""
    with serving(lambda number, _: trouble if number < 2 else "Rating: [[7]]") as (server, url):
        assert judged(replace(execution, base_url=url, seconds=0.5, retries=60), 1) == [7.0]
        assert len(server.requests) >= 3
    assert spent(execution) == pytest.approx(CALL)


def test_lasting_trouble_ends_with_its_reason_and_keeps_what_was_heard(execution):
    with serving(lambda number, _: "Rating: [[7]]" if number < 3 else (500, {}, b"")) as (server, url):
        one = replace(execution, base_url=url, concurrency=1)
        with pytest.raises(RuntimeError, match=r"failed 4 times, the last time: HTTP 500.*continues from"):
            judged(one, 5)
        server.act = lambda *_: "Rating: [[8]]"
        before = len(server.requests)
        assert judged(one, 5) == [7.0, 7.0, 7.0, 8.0, 8.0]
        assert len(server.requests) == before + 2


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "check suite.judge"),
        (403, "check the key"),
        (404, "suite.judge_client.base_url"),
        (429, "the account's credit"),
    ],
)
def test_a_refusal_ends_at_once_with_the_servers_words(execution, status, remedy):
    body = b'{"error": {"message": "no such thing", "code": "insufficient_quota"}}'
    with serving(lambda *_: (status, {}, body)) as (server, url):
        with pytest.raises(ValueError, match=rf"refuses \(HTTP {status}\): .*no such thing.*{remedy}"):
            judged(replace(execution, base_url=url, concurrency=1), 4)
        assert len(server.requests) == 1


def test_a_wrong_key_is_told_before_anything_is_asked(execution, monkeypatch):
    monkeypatch.setenv("THE_KEY", "wrong")
    with serving(lambda *_: "Rating: [[7]]", key="right") as (_, url):
        keyed = replace(execution, base_url=url, key_variable="THE_KEY")
        with pytest.raises(ValueError, match=r"HTTP 401.*check the key in THE_KEY"):
            Endpoint(JUDGE, keyed).check()
        with pytest.raises(ValueError, match="check the key in THE_KEY"):
            Endpoint(JUDGE, keyed).ask(questions(1), lambda *_: None, nullcontext)
        monkeypatch.setenv("THE_KEY", "right\n")  # as files end
        Endpoint(JUDGE, keyed).check()
        assert judged(keyed, 1) == [7.0]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(ValueError, match=r"cannot be reached .*set suite\.judge_client\.base_url"):
            Endpoint(JUDGE, replace(execution, base_url=nobody)).check()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_never_follows_a_redirect(execution, monkeypatch, status):
    monkeypatch.setenv("THE_KEY", "sk-secret")
    with serving(lambda *_: "Rating: [[7]]") as (other, elsewhere):
        moved = (status, {"Location": f"{elsewhere}/chat/completions"}, b"")
        told = pytest.raises(ValueError, match=rf"HTTP {status}\): it redirects; set suite\.judge_client\.base_url")
        with serving(lambda *_: moved) as (_, url), told:
            judged(replace(execution, base_url=url, key_variable="THE_KEY"), 1)
        assert not other.requests and not other.paths


@pytest.mark.parametrize("status", [200, 400, 500])
def test_neither_the_key_nor_a_control_character_is_shown(execution, monkeypatch, status):
    monkeypatch.setenv("THE_KEY", "sk-secret")
    body = b"\x1b[31mno: Authorization: Bearer sk-secret\x07 \xc2\x9b2J\n" * 9
    with serving(lambda *_: (status, {}, body)) as (_, url), pytest.raises((ValueError, RuntimeError)) as told:
        judged(replace(execution, base_url=url, key_variable="THE_KEY"), 1)
    assert "sk-secret" not in str(told.value) and str(told.value).isprintable() and len(str(told.value)) < 700


def test_the_cap_counts_what_is_under_way(execution):
    judge = replace(JUDGE, max_tokens=2000)
    longest = 2000 * 20.0 / 1e6
    asked = replace(execution, concurrency=8, dollars=0.1)
    together = threading.Barrier(8)

    def act(*_):
        with suppress(threading.BrokenBarrierError):
            together.wait(timeout=1.0)  # as many calls as may be under way at once are
        return (200, {}, completion("Rating: [[7]]", (10, 2000)))

    with serving(act) as (_, url):
        one = replace(asked, base_url=url)
        client = CachedJudge(judge, one, lambda: Endpoint(judge, one))
        with pytest.raises(ValueError, match="are spent; raise it to continue"):
            client.judge(questions(10), rating, False)
    assert spent(one) <= 0.1 + longest


def test_what_is_missing_is_named():
    priced = replace(HOW, key_variable="A_KEY")
    assert missing_settings(JUDGE, priced, {"A_KEY": "x"}) == missing_settings(JUDGE, HOW, {}) == ""
    assert "A_KEY holds no key" in missing_settings(JUDGE, priced, {})
    assert "suite.judge_client.input_price" in missing_settings(JUDGE, replace(HOW, input_price=None), {})
    for judge, asked in ((None, None), (Judge(), HOW), (JUDGE, replace(HOW, path="folder"))):
        assert "set suite.judge.model" in missing_settings(judge, asked, {})
    assert "suite.judge.repeats=3" in missing_settings(Judge(repeats=3), replace(HOW, path="folder"), {})
    assert missing_settings(Judge(), replace(HOW, path="folder"), {}) == ""
    for wrong in ({"base_url": "localhost:8000"}, {"concurrency": 0}, {"dollars": 0.0}, {"input_price": -1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            replace(HOW, **wrong)
    for wrong in ({"repeats": 0}, {"max_tokens": 0}, {"temperature": -1.0}, {"extra": "[1]"}, {"extra": "{"}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            replace(JUDGE, **wrong)


def test_the_request_is_what_the_spec_says(execution):
    judge = Judge(model="grader", max_tokens=64, extra='{"seed": 3, "max_tokens": null, "max_completion_tokens": 64}')
    with serving(lambda *_: "[[1]]") as (server, url):
        asked = replace(execution, base_url=url + "/")
        CachedJudge(judge, asked, lambda: Endpoint(judge, asked)).judge(questions(1), rating, False)
    assert server.requests == [
        {"model": "grader", "temperature": 0.0, "seed": 3, "max_completion_tokens": 64,
         "messages": [{"role": "user", "content": "Rate answer 0"}]}
    ]  # fmt: skip
    assert server.paths == ["/v1/chat/completions"]


def test_a_reply_that_says_nothing_is_asked_for_once_more(execution):
    refused = (200, {}, b'{"choices": [{"message": {"content": null, "refusal": "no"}}], "usage": null}')
    says = {0: "I cannot say.", 1: "[[7]]", 2: refused, 3: "half a pair: \ud83d"}
    with serving(lambda number, _: says[number]) as (server, url):
        asked = replace(execution, base_url=url, concurrency=1)
        assert judged(asked, 1) == [7.0]
        assert [message["role"] for message in server.requests[1]["messages"]] == ["user", "assistant", "user"]
        assert server.requests[1]["messages"][1]["content"] == "I cannot say."
        other = [JudgePrompt([{"role": "user", "content": name}], 0) for name in ("x",)]
        (silent,) = panel(asked).judge(other, rating, False)
        assert silent.value is None and silent.reply.text == "" and silent.second.text == "half a pair: ?"
        # Nothing is asked twice, not even what could not be read.
        assert panel(asked).judge(other, rating, False) == [silent] and judged(asked, 1) == [7.0]
        assert len(server.requests) == 4


def test_the_cap_holds_before_and_while_it_is_spent(execution):
    with serving(lambda *_: "Rating: [[7]]") as (server, url):
        asked = replace(execution, base_url=url, concurrency=1)
        with pytest.raises(ValueError, match=r"500 calls would cost about \$0\.6.*suite\.judge_client\.dollars=0\.5"):
            judged(replace(asked, dollars=0.5), 500)
        assert not server.requests

        # The server counts more tokens than the estimate: the cap is met on the way, and nothing heard is lost.
        with pytest.raises(ValueError, match=r"are spent; raise it to continue: replies so far are kept"):
            judged(replace(asked, dollars=3.5 * CALL), 10)
        assert len(server.requests) == 4 and spent(asked) == pytest.approx(4 * CALL)
        with pytest.raises(ValueError, match="raise it to continue"):
            judged(replace(asked, dollars=3.5 * CALL), 10)
        assert len(server.requests) == 4
        assert judged(asked, 10) == [7.0] * 10
        assert len(server.requests) == 10 and spent(asked) == pytest.approx(10 * CALL)
        assert judged(replace(asked, dollars=3.5 * CALL), 10) == [7.0] * 10  # what is known costs nothing


def test_what_was_spent_before_counts(execution):
    """500 calls would cost 61 cents: with 50 spent they do not fit into a dollar, with 30 they do."""
    with serving(lambda *_: (500, {}, b"")) as (server, url):
        asked = replace(execution, base_url=url, dollars=1.0, retries=0)
        ledger = Ledger(Path(asked.cache), asked.ledger)
        ledger.charge("an earlier call", 0.3)
        with pytest.raises(RuntimeError, match="HTTP 500"):
            judged(asked, 500)
        before = len(server.requests)
        ledger.charge("another", 0.2)
        with pytest.raises(
            ValueError, match=r"500 calls would cost about \$0\.6\d, and \$0\.50 of .*dollars=1 are spent"
        ):
            judged(asked, 500)
        assert 0 < before == len(server.requests)


def test_a_budget_that_is_spent_to_the_cent_is_spent(execution):
    with serving(lambda *_: "Rating: [[7]]") as (server, url):
        with pytest.raises(ValueError, match="are spent; raise it to continue"):
            judged(replace(execution, base_url=url, concurrency=1, dollars=2 * CALL), 10)
        assert len(server.requests) == 2


def test_a_damaged_reply_is_asked_for_again(execution, tmp_path):
    with serving(lambda number, _: f"Rating: [[{number + 1}]]") as (server, url):
        asked = replace(execution, base_url=url)
        assert judged(asked, 1) == [1.0]
        (kept,) = (tmp_path / "cache" / "replies").rglob("*.json")
        kept.write_text(kept.read_text()[:50])
        assert judged(asked, 1) == [2.0] and judged(asked, 1) == [2.0]
        assert len(server.requests) == 2


def _both(execution, count, found):
    found.put(judged(execution, count))


def test_two_processes_share_replies_and_agree(execution):
    """Every reply differs, so only a shared one lets both processes come to the same result."""
    with serving(lambda number, _: f"Rating: [[{1 + number * 0.01:.2f}]]") as (server, url):
        asked = replace(execution, base_url=url, concurrency=4)
        fork = multiprocessing.get_context("fork")
        found = fork.Queue()
        workers = [fork.Process(target=_both, args=(asked, 60, found)) for _ in range(2)]
        for worker in workers:
            worker.start()
        one, other = found.get(timeout=300), found.get(timeout=300)
        for worker in workers:
            worker.join()
        assert one == other == judged(asked, 60)
        assert set(server.prompts()) == {f"Rate answer {n}" for n in range(60)}
        # By what was paid, not by what the server saw: a connection that is reset is tried again.
        assert 60 <= round(spent(asked) / CALL, 6) <= 120
