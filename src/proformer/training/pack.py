"""Several small trainings at the same time on one GPU (or a few cores), each a process of its own.

A small model leaves most of a GPU idle. Processes side by side fill it, and one that fails takes no other with it. They
are forked from a server that has imported what all of them need, so that only the first one starts cold.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import yaml

from proformer.cli import main
from proformer.errors import EXIT_INTERRUPTED, InputError

TERMINATION = {signal.SIGTERM}


def train_pack(jobs: Mapping[str, Mapping[str, Any]], results: Path, options: Sequence[str], gpu: bool) -> None:
    """Train every job (path below `models/` → config) at once, and put the model folders in place when all are done.

    Until then finished folders wait beside the checkpoints, so that a pack that is run again trains only the rest.
    options: the arguments of `proformer train` that all share. Raises InputError naming the jobs that failed, once the
    others have finished; SystemExit(75) after a termination signal that all answered with a checkpoint.
    """
    with ExitStack() as stack:
        with _held_back():
            if gpu:
                stack.enter_context(shared_gpu())
            children = {path: _start(path, config, results, options) for path, config in jobs.items()}
            stack.enter_context(_forward_termination(list(children.values())))
        for child in children.values():
            child.join()
    codes = {path: child.exitcode for path, child in children.items()}
    stopped = (EXIT_INTERRUPTED, -signal.SIGTERM)  # the latter before there was anything to save
    if failed := [path for path, code in codes.items() if code not in (0, *stopped)]:
        logs = ", ".join(str(_log(results, path)) for path in failed)
        raise InputError(f"{len(failed)} of {len(jobs)} trainings failed; see {logs}")
    if any(code in stopped for code in codes.values()):
        raise SystemExit(EXIT_INTERRUPTED)
    for path in jobs:
        folder = results / "models" / path
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(_waiting(results, path).iterdir()):
            os.replace(file, folder / file.name)
        shutil.rmtree(_waiting(results, path))


def take_back(jobs: Iterable[str], results: Path) -> None:
    """Have models in place wait beside the checkpoints again, for `proformer train` to say whether they are its own.

    For a pack that had to wait for another one of the same models.
    """
    for path in jobs:
        if (folder := results / "models" / path).is_dir() and not _waiting(results, path).exists():
            _waiting(results, path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder, _waiting(results, path))


def _waiting(results: Path, path: str) -> Path:
    return results / "checkpoints" / f"{path}.finished"


def _log(results: Path, path: str) -> Path:
    return results / "logs" / "train" / f"{path}.log"


def _start(path: str, config: Mapping[str, Any], results: Path, options: Sequence[str]) -> BaseProcess:
    log = _log(results, path)
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["train", "--config", yaml.safe_dump(dict(config), default_flow_style=True)]
    arguments += ["--out", str(_waiting(results, path)), "--checkpoint", str(results / "checkpoints" / f"{path}.pt")]
    print(f"{path}: log in {log}", file=sys.stderr, flush=True)
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["proformer.training.run"])
    child = server.Process(target=_train, args=([*arguments, *options], log))
    child.start()
    return child


def _train(arguments: list[str], log: Path) -> None:
    """Be `proformer train` with these arguments, in a process of its own that writes to a log."""
    if platform.system() == "Linux":
        # The server ends with the pack, however that ends; then the kernel sends SIGTERM, and the training saves.
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINATION)
    with open(log, "ab") as handle:
        for stream in (1, 2):
            os.dup2(handle.fileno(), stream)
    sys.exit(main(arguments))


@contextmanager
def _held_back() -> Iterator[None]:
    """Let SIGTERM wait, in this process until all is in place, and in those started now (the servers) for good.

    Slurm sends it to every process of a job. Without the server no exit code of a training would be known.
    """
    resource_tracker.ensure_running()  # its start would let the signal through
    signal.pthread_sigmask(signal.SIG_BLOCK, TERMINATION)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINATION)


@contextmanager
def _forward_termination(children: Sequence[BaseProcess]) -> Iterator[None]:
    def forward(number: int, frame: object) -> None:
        for child in children:
            if child.is_alive():
                child.terminate()

    before = signal.signal(signal.SIGTERM, forward)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def shared_gpu() -> Iterator[None]:
    """Run CUDA's multi-process service, under which kernels of several processes overlap; without it they alternate.

    Where the service is missing or does not start, this is said, and the processes share the GPU by turns.
    """
    control = shutil.which("nvidia-cuda-mps-control")
    with tempfile.TemporaryDirectory(prefix="mps") as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        started = control is not None and subprocess.run([control, "-d"], env=os.environ | places).returncode == 0
        print(f"multi-process service: {'running' if started else 'none'}", file=sys.stderr, flush=True)
        before = {name: os.environ.get(name) for name in places}
        os.environ.update(places if started else {})
        try:
            yield
        finally:
            if started and control:
                subprocess.run([control], input=b"quit\n", env=os.environ | places, check=False)
                for name, value in before.items():
                    os.environ.pop(name) if value is None else os.environ.update({name: value})
