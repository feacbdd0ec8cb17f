"""Client of a judge behind an OpenAI-compatible endpoint: several calls at a time, with retries."""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from common.wording import printable
from eval.judge.http import bounded_open
from eval.judge.prompts import Messages
from eval.judge.replies import JudgePrompt, OnReply, Reply, Room
from eval.spec.judge import TOKEN, Judge, JudgeRun

MAX_BACKOFF = 60.0  # seconds between two tries, unless the server names a time
MAX_RETRY_AFTER = 600.0  # seconds; a longer time named by the server is cut to this
READY_TIMEOUT = 10.0  # seconds
MAX_TOKENS = 10_000_000  # of a prompt or a reply; more is a mistake of the server's
RETRIED = (408, 409, 425, 429)  # HTTP statuses worth another try, besides all from 500 on


@dataclass(frozen=True)
class _FailedTry:
    """A try that failed but may be repeated; ``retry_after`` is the wait in seconds that the server asked for."""

    reason: str
    retry_after: float | None = None


class _Stopped(Exception):
    """The call was given up because another call has failed."""


class Endpoint:
    """The judge's model at the endpoint of ``execution``, a `JudgeClient`."""

    def __init__(self, judge: Judge, execution: JudgeRun) -> None:
        self.judge, self.execution = judge, execution
        self._stop = threading.Event()
        self._pause_until = 0.0  # on the monotonic clock; shared, because a rate limit holds for all calls

    def check(self) -> None:
        """Raise ValueError unless the server answers and accepts the key."""
        try:
            self._open("/models", None, min(READY_TIMEOUT, self.execution.seconds))
        except urllib.error.HTTPError as error:
            if error.code in (401, 403) or 300 <= error.code < 400:
                raise ValueError(self._refusal(error)) from None
        except (OSError, http.client.HTTPException) as error:
            where = (
                f"judge: {self.execution.base_url} cannot be reached ({self._shown(getattr(error, 'reason', error))})"
            )
            raise ValueError(f"{where}; start it, or set suite.judge_client.base_url") from None

    def ask(self, prompts: Sequence[JudgePrompt], on_reply: OnReply, room: Room) -> None:
        """As `JudgeClient.ask`, with up to ``execution.concurrency`` calls at a time.

        Raises ValueError when the server refuses a request, RuntimeError when it still fails after all retries. Calls
        that are under way then are waited for, and their replies are passed on.
        """

        def call(prompt: JudgePrompt) -> None:
            try:
                if not self._stop.is_set():
                    with room(prompt):
                        on_reply(prompt, self._reply(prompt.messages))
            except _Stopped:
                pass  # the call that failed raises the reason
            except BaseException:
                self._stop.set()
                raise

        # Threads, because calls spend their time waiting for the network.
        with ThreadPoolExecutor(self.execution.concurrency) as pool:
            calls = [pool.submit(call, prompt) for prompt in prompts]
            try:
                for ended in as_completed(calls):
                    ended.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _reply(self, messages: Messages) -> Reply:
        """The reply to one conversation, after as many tries as ``execution.retries`` allows."""
        wait, failed = 0.0, _FailedTry("")
        for attempt in range(self.execution.retries + 1):
            if self._stop.wait(max(0.0, self._pause_until - time.monotonic()) + wait):
                raise _Stopped
            result = self._try(messages)
            if isinstance(result, Reply):
                return result
            failed = result
            wait = min(MAX_BACKOFF, self.execution.backoff * 2**attempt) * (0.5 + random.random())
            if failed.retry_after is not None:
                self._pause_until = time.monotonic() + min(failed.retry_after, MAX_RETRY_AFTER)
                wait *= 0.1  # the server has named the time; the rest only keeps callers from coming all at once
        raise RuntimeError(
            f"judge: {self.execution.base_url} failed {self.execution.retries + 1} times, "
            f"the last time: {failed.reason}; replies so far are kept, and the same command continues from them"
        )

    def _try(self, messages: Messages) -> Reply | _FailedTry:
        fields = {
            "model": self.judge.model, "messages": messages,
            "temperature": self.judge.temperature, "max_tokens": self.judge.max_tokens,
        }  # fmt: skip
        fields |= json.loads(self.judge.extra or "{}")
        body = json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
        try:
            result = _parsed(self._open("/chat/completions", body, self.execution.seconds), messages)
            return result if isinstance(result, Reply) else _FailedTry(self._shown(result.reason))
        except urllib.error.HTTPError as error:
            # Out of credit has the status of a rate limit, but waiting does not help.
            exhausted = error.code == 429 and b"insufficient_quota" in (text := _body(error))
            if error.code < 500 and (error.code not in RETRIED or exhausted):
                raise ValueError(self._refusal(error, text if exhausted else None)) from None
            reason = self._shown(f"HTTP {error.code} {error.reason}")
            return _FailedTry(reason, _seconds_until(error.headers.get("Retry-After")))
        except (OSError, http.client.HTTPException) as error:
            return _FailedTry(self._shown(f"{type(error).__name__}: {getattr(error, 'reason', error)}"))

    def _open(self, path: str, body: bytes | None, seconds: float) -> bytes:
        """The body of a successful response. Raises TimeoutError when it is not complete within ``seconds``."""
        key = self._key()
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        request = urllib.request.Request(self.execution.base_url.rstrip("/") + path, body, headers)
        return bounded_open(request, seconds)

    def _key(self) -> str:
        # Read at each call, so that the key is never stored in a record; files often end it with a newline.
        return os.environ.get(self.execution.key_variable, "").strip() if self.execution.key_variable else ""

    def _shown(self, words: object) -> str:
        """Words of the server as they may be shown: without the key, without control characters, and not long."""
        text, key = str(words), self._key()
        return printable(text.replace(key, "***") if key else text)[:300]

    def _refusal(self, error: urllib.error.HTTPError, body: bytes | None = None) -> str:
        """The server's own words and the remedy, for a request that it refuses."""
        words = self._shown((_body(error) if body is None else body).decode(errors="replace"))
        variable = self.execution.key_variable or "suite.judge_client.key_variable"
        remedy = {
            401: f"check the key in {variable}",
            403: f"check the key in {variable}",
            404: "check suite.judge_client.base_url and suite.judge.model",
            429: "check the account's credit",
        }.get(error.code, "check suite.judge (model, max_tokens, temperature, extra)")
        if 300 <= error.code < 400:
            # The key would follow to wherever the server says.
            words, remedy = "it redirects", "set suite.judge_client.base_url to the address itself"
        reason = words or self._shown(error.reason)
        return f"judge: {self.execution.base_url} refuses (HTTP {error.code}): {reason}; {remedy}"


def _body(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(1 << 16)
    except (OSError, http.client.HTTPException):
        return b""


def _seconds_until(retry_after: str | None) -> float | None:
    """Seconds until the time that a Retry-After header names, as a number or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.strip().replace(".", "", 1).isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def _parsed(body: bytes, messages: Messages) -> Reply | _FailedTry:
    """The reply in a response. One without content, as when a model refuses, is an empty text."""
    try:
        completion: Any = json.loads(body)
        text = completion["choices"][0]["message"].get("content") or ""
        usage = completion.get("usage") or {}
        estimated = sum(len(message["content"]) for message in messages) // TOKEN
        counts = usage.get("prompt_tokens") or estimated, usage.get("completion_tokens") or len(text) // TOKEN
        if not all(type(count) is int and 0 <= count <= MAX_TOKENS for count in counts):
            return _FailedTry(f"impossible counts of tokens: {usage!r:.200}")
        whole = text.encode(errors="replace").decode()  # half a surrogate pair cannot be written to a file
        return Reply(whole, *counts, "length" if completion["choices"][0].get("finish_reason") == "length" else "stop")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return _FailedTry(f"no chat completion: {body[:80]!r}")
