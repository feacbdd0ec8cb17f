"""The Weights & Biases tracker, read back from its own log; its failures never affect training."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny import execution, metrics, outputs, train_spec
from train import loop, track

BLOCK = 32768  # the log consists of blocks; a record that crosses a block's end is written in parts
WHOLE, FIRST, LAST = 1, 2, 4  # kinds of parts


def messages(log: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: 7 bytes of header, then per part checksum (4), length (2), kind (1) and content."""
    assert log[:4] == b":W&B"
    place, parts = 7, b""
    while place + 7 <= len(log):
        if BLOCK - place % BLOCK < 7:  # no room for the header of a part, so the rest is padding
            place += BLOCK - place % BLOCK
            continue
        length, kind = int.from_bytes(log[place + 4 : place + 6], "little"), log[place + 6]
        part = log[place + 7 : place + 7 + length]
        if len(part) < length:  # still being written
            return
        checksum = zlib.crc32(part, zlib.crc32(bytes([kind])))
        masked = ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
        assert int.from_bytes(log[place : place + 4], "little") in (checksum, masked)
        place += 7 + length
        parts = part if kind in (WHOLE, FIRST) else parts + part
        if kind in (WHOLE, LAST):
            yield parts


def read_back(folder: Path) -> tuple[Any, list[dict[str, Any]], Any, int]:
    """The run, its history, its metric definitions and its exit code, once W&B has written them."""
    for _ in range(100):
        run, history, defined, code = _read_now(folder)
        if code >= 0:
            break
        time.sleep(0.1)
    return run, history, defined, code


def _read_now(folder: Path) -> tuple[Any, list[dict[str, Any]], Any, int]:
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    run, history, defined, code = None, [], [], -1
    for message in messages(file.read_bytes()):
        record = wandb_internal_pb2.Record.FromString(message)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
        elif kind == "history":
            items = record.history.item
            history.append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items})
        elif kind == "metric":
            defined.append(record.metric)
        elif kind == "exit":
            code = record.exit.exit_code
    return run, history, defined, code


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tracker"
    folder.mkdir()
    monkeypatch.setenv("WANDB_DIR", str(folder))
    monkeypatch.setenv("NETRC", str(tmp_path / "absent"))
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_an_offline_run_holds_the_lines_of_metrics(offline: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    out, plain = tmp_path / "out", tmp_path / "plain"
    out.mkdir()
    plain.mkdir()
    loop.run(train_spec(), inputs, out, execution(tracker="wandb"))
    loop.run(train_spec(), inputs, plain, execution())
    assert outputs(out) == outputs(plain)  # the tracker changes nothing
    run, history, defined, code = read_back(offline)
    assert (run.run_id, run.run_group, run.display_name, run.project) == (
        "0123456789abcdef", "sweep", "title", "project",
    )  # fmt: skip
    assert (list(run.tags), run.job_type, code) == (["axis=1", "tiny"], "train", 0)
    own = [{key: value for key, value in line.items() if not key.startswith("_")} for line in history]
    assert own == metrics(out)
    assert {metric.name or metric.glob_name: metric.step_metric for metric in defined}["*"] == "tokens"


def test_a_run_that_fails_is_marked(offline: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ValueError, match=r"the (loss|gradient norm) is"):
        loop.run(train_spec(steps=40, learning_rate=1e18, warmup=0), inputs, out, execution(tracker="wandb"))
    assert read_back(offline)[3] == 1


def test_without_a_place_to_write_training_goes_on(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    loop.run(train_spec(), inputs, tmp_path / "out", execution(tracker="wandb"))
    assert len(metrics(tmp_path / "out")) == 8
    assert "training continues without it" in caplog.text


def test_a_tracker_that_breaks_is_dropped_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(track.NullTracker):
        def log(self, record: object) -> None:
            raise OSError("the connection is gone")

    safe = track.SafeTracker(Broken())
    for _ in range(3):
        safe.log({"loss": 1.0})
    safe.finish(0)
    assert caplog.text.count("the connection is gone") == 1


def test_offline_only_without_any_key(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine api.wandb.ai login user password x\n")
    file.chmod(0o600)
    absent = {"NETRC": str(tmp_path / "absent")}
    assert track.lacks_api_key(absent)
    assert not track.lacks_api_key(absent | {"WANDB_API_KEY": "x"})
    assert not track.lacks_api_key(absent | {"WANDB_MODE": "disabled"})
    assert not track.lacks_api_key({"NETRC": str(file)})
    assert track.lacks_api_key({"NETRC": str(file), "WANDB_BASE_URL": "https://wandb.example.org"})
