"""Several trainings by one job: the same models as one by one, whatever happens to one of them."""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time

import pytest
import yaml
from processes import Started

from proformer.cli import main
from proformer.errors import InputError
from proformer.training import pack
from proformer.training.pack import shared_gpu, train_pack
from proformer.training.run import train

JOBS = {
    f"dataset~x/blocks~{blocks}": {
        "model": {"dim": 8, "heads": 1, "blocks": blocks, "kmer": 5, "expression_heads": 4},
        "training": {"epochs": 3, "batch_size": 16, "learning_rate": 0.01},
    }
    for blocks in (1, 2)
}


def options(stores):
    return ["--train", str(stores[0]), "--validation", str(stores[1]), "--device", "cpu", "--threads", "1"]


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_a_pack_trains_what_its_members_would_alone(stores, tmp_path):
    train_pack(JOBS, tmp_path, options(stores), gpu=False)
    for path, config in JOBS.items():
        alone = tmp_path / "alone" / path
        train(config, *stores, alone, alone / "checkpoint.pt", device="cpu", threads=1)
        assert weights(tmp_path / "models" / path) == weights(alone)
        assert {file.name for file in (tmp_path / "models" / path).iterdir()} == {
            "model.safetensors", "model.json", "metrics.tsv", "SHA256SUMS",
        }  # fmt: skip
        assert "epoch   3/3" in (tmp_path / "logs/train" / f"{path}.log").read_text()
        kept = tmp_path / "checkpoints" / f"{path}.finished/model.safetensors"
        assert kept.samefile(tmp_path / "models" / path / "model.safetensors")
    assert not [file for file in (tmp_path / "checkpoints").rglob("*.pt")]


def test_members_may_have_stores_of_their_own(stores, tmp_path):
    train_store, validation = map(str, stores)
    words = ["train-pack", "--jobs", yaml.safe_dump(JOBS, default_flow_style=True), "--results", str(tmp_path)]
    words += ["--device", "cpu", "--validation", validation]
    assert main([*words, "--train", train_store, validation, train_store]) == 2
    assert main([*words, "--train", train_store, validation]) == 0
    first, second = (json.loads((tmp_path / "models" / path / "model.json").read_text())["data"] for path in JOBS)
    assert first["train"] > second["train"] == second["validation"] == first["validation"]


def test_settings_that_are_none_are_refused(stores, tmp_path, capsys):
    words = ["train-pack", "--jobs", "{a: {}, b: }", "--results", str(tmp_path), *options(stores)]
    assert main(words) == 2
    assert "--jobs: b: found None, expected settings of a training" in capsys.readouterr().err


def test_one_that_fails_is_named_and_the_others_are_kept(stores, tmp_path):
    bad = JOBS | {"dataset~x/typo": {"model": {"dmi": 8}}}
    with pytest.raises(InputError, match=r"1 of 3 trainings failed: dataset~x/typo: proformer train: error: "):
        train_pack(bad, tmp_path, options(stores), gpu=False)
    assert not (tmp_path / "models").exists()
    finished = {path: weights(tmp_path / "checkpoints" / f"{path}.finished") for path in JOBS}
    train_pack(JOBS, tmp_path, options(stores), gpu=False)
    for path in JOBS:
        assert weights(tmp_path / "models" / path) == finished[path]
        log = (tmp_path / "logs/train" / f"{path}.log").read_text()
        assert log.count("epoch   1") == 1  # not trained a second time


def test_a_pack_with_other_members_trains_only_what_is_new_or_older_than_its_files(stores, tmp_path):
    def run(jobs, *since):
        shutil.rmtree(tmp_path / "models", ignore_errors=True)  # as Snakemake does before it starts a job
        train_pack(jobs, tmp_path, [*options(stores), *(["--since", *since] if since else [])], gpu=False, at_once=1)
        logs = {path: (tmp_path / "logs/train" / f"{path}.log").read_text() for path in jobs}
        return {path: log.count("epoch   1/") for path, log in logs.items()}

    first, second = JOBS
    changed = {**JOBS[second], "training": JOBS[second]["training"] | {"seed": 7}}
    assert run({first: JOBS[first]}) == {first: 1}
    assert run(JOBS) == {first: 1, second: 1}
    assert run({first: JOBS[first], second: changed}) == {first: 1, second: 2}
    code = tmp_path / "code.py"
    code.touch()
    assert run({first: JOBS[first], second: changed}, str(code)) == {first: 2, second: 3}


def test_a_model_that_was_trained_alone_is_taken_as_it_is(stores, tmp_path):
    alone, other = JOBS
    folder = tmp_path / "models" / alone
    train(JOBS[alone], *stores, folder, tmp_path / "alone.pt", device="cpu", threads=1)
    (folder / "SHA256SUMS").unlink()  # as Snakemake does before it starts a job
    made = (folder / "model.safetensors").stat().st_mtime_ns
    train_pack(JOBS, tmp_path, [*options(stores), "--since", *map(str, stores)], gpu=False)
    assert (folder / "model.safetensors").stat().st_mtime_ns == made
    assert (folder / "SHA256SUMS").is_file()
    assert "holds this very run, finished" in (tmp_path / "logs/train" / f"{alone}.log").read_text()
    assert weights(tmp_path / "models" / other)


def wait_for_company(folder):
    """End once a second one has been started; none of a pack that trains one after the other would."""
    deadline = time.monotonic() + 60
    while len(list(folder.glob("started_*"))) < 2:
        if time.monotonic() > deadline:
            sys.exit(1)
        time.sleep(0.01)


def test_so_many_run_at_once_and_no_more(tmp_path, monkeypatch):
    children, before = [], []

    def start(path, *_):
        before.append(sum(child.is_alive() for child in children))
        (tmp_path / f"started_{path}").touch()
        children.append(multiprocessing.get_context("forkserver").Process(target=wait_for_company, args=(tmp_path,)))
        children[-1].start()
        return children[-1]

    monkeypatch.setattr(pack, "_start", start)
    for name in "abcde":
        (tmp_path / f"checkpoints/{name}.finished").mkdir(parents=True)
    train_pack({name: {} for name in "abcde"}, tmp_path, [], gpu=False, at_once=2)
    assert len(children) == 5
    assert max(before) == 1


LONGER = {path: config | {"training": config["training"] | {"epochs": 12}} for path, config in JOBS.items()}


@pytest.fixture(scope="module")
def whole(stores, tmp_path_factory):
    """The longer trainings, undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    train_pack(LONGER, folder, options(stores), gpu=False)
    return folder / "models"


@pytest.mark.parametrize(
    ("send", "number"),
    # Slurm sends its signals to all processes of a job.
    [(os.kill, signal.SIGTERM), (os.killpg, signal.SIGTERM), (os.kill, signal.SIGKILL), (os.killpg, signal.SIGKILL)],
)
def test_a_stopped_pack_goes_on_and_ends_with_the_same_weights(stores, whole, tmp_path, send, number):
    words = ["train-pack", "--jobs", yaml.safe_dump(LONGER, default_flow_style=True), "--results", tmp_path / "cut"]
    running = Started([*words, *options(stores)], quiet=True)
    first = tmp_path / "cut/checkpoints/dataset~x"
    while not list(first.glob("*.pt")):
        assert running.poll() is None
        time.sleep(0.05)
    send(running.pid, number)
    assert running.wait() == (75 if number == signal.SIGTERM else -9)
    if number == signal.SIGTERM:
        logs = [path.read_text() for path in (tmp_path / "cut/logs").rglob("*.log")]
        assert all("stopped by a signal, saved at step" in log for log in logs)
    train_pack(LONGER, tmp_path / "cut", options(stores), gpu=False)
    for path in LONGER:
        assert weights(tmp_path / "cut/models" / path) == weights(whole / path)


def test_the_gpu_service_runs_around_the_pack_and_is_stopped(tmp_path, monkeypatch, capfd):
    program = tmp_path / "nvidia-cuda-mps-control"
    program.write_text(
        f'#!/bin/sh\nexec >> {tmp_path}/calls\n[ "$1" = -d ] && echo start $CUDA_MPS_PIPE_DIRECTORY || cat\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    with shared_gpu():
        folder = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
    assert (tmp_path / "calls").read_text() == f"start {folder}\nquit\n"
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert "service: running" in capfd.readouterr().err
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with shared_gpu():
        assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert "service: none" in capfd.readouterr().err
