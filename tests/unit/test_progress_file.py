"""The state that a training leaves beside its checkpoint while it goes on, and when it ends early."""

import json
import signal
import time

import pytest
from processes import Started

from proformer.training.progress import ProgressFile, progress_path

CONFIG = "{{model: {{dim: 8, heads: 1, blocks: 1, kmer: 5}}, training: {{epochs: {}, batch_size: 16}}}}"


@pytest.fixture
def start(stores, tmp_path, monkeypatch):
    """Start a training in a process of its own: (process, its progress file)."""
    monkeypatch.setenv("SLURM_JOB_ID", "31")
    checkpoint = tmp_path / "checkpoints/point.pt"

    def start(epochs, *more):
        command = [
            "train", "--config", CONFIG.format(epochs), "--train", stores[0],
            "--validation", stores[1], "--out", tmp_path / "model", "--checkpoint", checkpoint, "--threads", "1",
            "--device", "cpu", *more,
        ]  # fmt: skip
        return Started(command, quiet=True), progress_path(checkpoint)

    return start


def wait_for(path, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and condition(json.loads(path.read_text())):
            return json.loads(path.read_text())
        time.sleep(0.02)
    raise AssertionError(path.read_text() if path.exists() else f"no {path}")


def test_it_says_how_far_a_training_is_and_why_it_stopped(start):
    process, path = start(1000)
    state = wait_for(path, lambda state: state["state"] == "running" and state.get("epoch"))
    assert (state["process"], state["slurm_job"], state["epochs"]) == (process.pid, "31", 1000)
    assert state["steps"] == 1000 * -(-state["sequences"] // 16)
    assert 0 < state["step"] <= state["steps"]
    assert 1 <= state["best_epoch"] <= state["epoch"]
    assert -1 <= state["best_r"] <= 1
    assert state["sequences_per_second"] > 0
    assert abs(state["updated"] - time.time()) < 60
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 75
    stopped = json.loads(path.read_text())
    assert stopped["state"] == "stopped"
    assert stopped["step"] >= state["step"]


def test_nothing_is_left_when_the_folder_is_complete(start, tmp_path):
    process, path = start(1)
    assert process.wait() == 0
    assert (tmp_path / "model/metrics.tsv").exists()
    assert not list(path.parent.iterdir())


def test_a_failure_is_kept_with_its_reason(start):
    process, path = start("-1")
    assert process.wait() == 2
    state = json.loads(path.read_text())
    assert state["state"] == "failed"
    assert "training: epochs is -1" in state["reason"]


def test_a_folder_that_cannot_be_written_ends_no_training(tmp_path):
    (tmp_path / "file").touch()
    with ProgressFile(tmp_path / "file/x.progress.json") as state:
        state.step(1)


def test_between_two_writes_there_are_none(tmp_path):
    path = tmp_path / "x.json"
    with ProgressFile(path, every=3600) as state:
        state.step(1)
        written = path.stat().st_mtime_ns
        for _ in range(1000):
            state.step(1)
        assert path.stat().st_mtime_ns == written
        state.due = 0.0
        state.step(1)
        assert path.stat().st_mtime_ns > written
