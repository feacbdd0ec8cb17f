"""A judge behind an OpenAI-compatible endpoint: several calls at a time, each tried again while that can help."""

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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from eval.judge.prompts import Messages
from eval.judge.replies import Question, Reply
from eval.spec.judge import TOKEN, Judge, JudgeRun

LONGEST = 60.0  # seconds between two tries, where the server names no time
PATIENCE = 600.0  # seconds that a server may name
PROBE = 10.0  # seconds for the first sign of life
ROOM = 1 << 24  # bytes of a reply
AGAIN = (408, 409, 425, 429)  # and all from 500 on


@dataclass(frozen=True)
class _Trouble:
    """A try that failed, and after how many seconds the server wants to be asked again."""

    reason: str
    after: float | None = None


class _Stopped(Exception):
    """The call was given up because another one failed."""


class Endpoint:
    """``Endpoint(judge, how).speak`` asks for replies."""

    def __init__(self, judge: Judge, execution: JudgeRun) -> None:
        self.judge, self.execution = judge, execution
        self._stop = threading.Event()
        self._until = 0.0  # nobody asks before, after the server said that it has had enough

    def ready(self) -> None:
        """Raise ValueError unless the server answers at all and takes the key."""
        try:
            self._open("/models", None, min(PROBE, self.execution.seconds))
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                raise ValueError(self._refusal(error)) from None
        except (OSError, http.client.HTTPException) as error:
            where = f"judge: {self.execution.base_url} cannot be reached ({getattr(error, 'reason', error)})"
            raise ValueError(f"{where}; start it, or set suite.judge_client.base_url") from None

    def speak(
        self, questions: Sequence[Question], heard: Callable[[Question, Reply], None], allowed: Callable[[], None]
    ) -> None:
        """Give every reply to ``heard`` as it comes. ``allowed`` raises when no further call may be made.

        Raises ValueError when the server refuses what it is asked, RuntimeError when it goes on failing. What was
        heard by then has been heard; calls under way are waited for.
        """

        def one(question: Question) -> None:
            try:
                if not self._stop.is_set():
                    allowed()
                    heard(question, self._reply(question.messages))
            except _Stopped:
                pass  # another call has failed, and says why
            except BaseException:
                self._stop.set()
                raise

        with ThreadPoolExecutor(self.execution.concurrency) as pool:
            calls = [pool.submit(one, question) for question in questions]
            try:
                for call in as_completed(calls):
                    call.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _reply(self, messages: Messages) -> Reply:
        """The reply, after as many tries as it takes and ``retries`` allow."""
        wait, trouble = 0.0, _Trouble("")
        for attempt in range(self.execution.retries + 1):
            if self._stop.wait(max(0.0, self._until - time.monotonic()) + wait):
                raise _Stopped
            found = self._try(messages)
            if isinstance(found, Reply):
                return found
            trouble = found
            wait = min(LONGEST, self.execution.backoff * 2**attempt) * (0.5 + random.random())
            if trouble.after is not None:
                self._until = time.monotonic() + min(trouble.after, PATIENCE)
                wait *= 0.1  # the server names the time; this only keeps callers from coming all at once
        raise RuntimeError(
            f"judge: {self.execution.base_url} failed {self.execution.retries + 1} times, "
            f"the last time: {trouble.reason}; "
            "replies so far are kept, and the same command goes on from them"
        )

    def _try(self, messages: Messages) -> Reply | _Trouble:
        ours = {
            "model": self.judge.model, "messages": messages,
            "temperature": self.judge.temperature, "max_tokens": self.judge.max_tokens,
        }  # fmt: skip
        asked = {**ours, **json.loads(self.judge.extra or "{}")}
        body = json.dumps({name: value for name, value in asked.items() if value is not None}).encode()
        try:
            return _read(self._open("/chat/completions", body, self.execution.seconds), messages)
        except urllib.error.HTTPError as error:
            exhausted = error.code == 429 and b"insufficient_quota" in (text := _body(error))
            if error.code < 500 and (error.code not in AGAIN or exhausted):
                raise ValueError(self._refusal(error, text if exhausted else None)) from None
            return _Trouble(f"HTTP {error.code} {error.reason}", _after(error.headers.get("Retry-After")))
        except (OSError, http.client.HTTPException) as error:
            return _Trouble(f"{type(error).__name__}: {getattr(error, 'reason', error)}")

    def _open(self, path: str, body: bytes | None, seconds: float) -> bytes:
        """The body of a successful response, read within ``seconds`` however slowly it drips."""
        key = os.environ.get(self.execution.key_variable, "").strip() if self.execution.key_variable else ""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        request = urllib.request.Request(self.execution.base_url.rstrip("/") + path, body, headers)
        deadline, parts, size = time.monotonic() + seconds, list[bytes](), 0
        with urllib.request.urlopen(request, timeout=seconds) as response:
            while part := response.read1(1 << 16):
                parts.append(part)
                size += len(part)
                if size > ROOM:
                    raise ConnectionError(f"a reply of more than {ROOM >> 20} MiB")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no whole reply within {seconds:g} s")
        return b"".join(parts)

    def _refusal(self, error: urllib.error.HTTPError, body: bytes | None = None) -> str:
        said = " ".join((_body(error) if body is None else body).decode(errors="replace").split())[:300]
        remedy = {
            401: f"check the key in {self.execution.key_variable or 'suite.judge_client.key_variable'}",
            403: f"check the key in {self.execution.key_variable or 'suite.judge_client.key_variable'}",
            404: "check suite.judge_client.base_url and suite.judge.model",
            429: "check the account's credit",
        }.get(error.code, "check suite.judge (model, max_tokens, temperature, extra)")
        return f"judge: {self.execution.base_url} refuses (HTTP {error.code}): {said or error.reason}; {remedy}"


def _body(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(1 << 16)
    except (OSError, http.client.HTTPException):
        return b""


def _after(header: str | None) -> float | None:
    """Seconds until the time that a Retry-After header names, as a number or a date."""
    if header is None:
        return None
    if header.strip().replace(".", "", 1).isdigit():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def _read(body: bytes, messages: Messages) -> Reply | _Trouble:
    """The reply in a response; trouble when it is not one. A refusal to speak is an empty text."""
    try:
        found: Any = json.loads(body)
        text = found["choices"][0]["message"].get("content") or ""
        usage = found.get("usage") or {}
        asked = sum(len(message["content"]) for message in messages) // TOKEN
        counts = usage.get("prompt_tokens") or asked, usage.get("completion_tokens") or len(text) // TOKEN
        whole = text.encode(errors="replace").decode()  # half a surrogate pair could not be written down
        return Reply(whole, *(int(count) for count in counts))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return _Trouble(f"no chat completion: {body[:80]!r}")
