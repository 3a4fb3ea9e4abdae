"""Several small trainings in one job, on one GPU or a few cores, each in its own process.

A small model leaves most of a GPU idle. Processes side by side fill it, and one that fails takes no other with it. They
are forked from a server that has imported what all of them need, so that only the first one starts cold: for models of
a few seconds, on a CPU, that is most of the time.
"""

import ctypes
import multiprocessing
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import yaml

from proformer.cli import main
from proformer.errors import EXIT_INTERRUPTED, InputError
from proformer.files import atomic, last_line

TERMINATION = {signal.SIGTERM}


def train_pack(
    jobs: Mapping[str, Mapping[str, Any]],
    results: Path,
    options: Sequence[str],
    gpu: bool,
    at_once: int | None = None,
    own: Mapping[str, Sequence[str]] = {},
) -> None:
    """Train every job (path below `models/` → config), and put the model folders in place when all are done.

    Finished folders stay beside the checkpoints, so that a pack that is run again, with other members or after a
    failure, trains only the rest. at_once: trainings at the same time (default: all). options: the arguments of
    `proformer train` that all share; own: those of single trainings. Raises InputError naming the jobs that failed,
    once the others have finished; SystemExit(75) after a termination signal that all answered with a checkpoint.
    """
    for path in jobs:  # what was trained alone
        if not _finished(results, path).exists():
            _link(results / "models" / path, _finished(results, path))
    codes = _train_all(jobs, results, options, gpu, at_once or len(jobs), own)
    stopped = (EXIT_INTERRUPTED, -signal.SIGTERM)  # the latter before there was anything to save
    if failed := [path for path, code in codes.items() if code not in (0, *stopped)]:
        reasons = "; ".join(f"{path}: {last_line(_log(results, path))}" for path in failed)
        raise InputError(f"{len(failed)} of {len(jobs)} trainings failed: {reasons}")
    if len(codes) < len(jobs) or any(code in stopped for code in codes.values()):
        raise SystemExit(EXIT_INTERRUPTED)
    for path in jobs:
        _link(_finished(results, path), results / "models" / path)


def _train_all(
    jobs: Mapping[str, Mapping[str, Any]],
    results: Path,
    options: Sequence[str],
    gpu: bool,
    at_once: int,
    own: Mapping[str, Sequence[str]],
) -> dict[str, int | None]:
    """Exit codes of all trainings; after a termination signal, of those that had been started."""
    children: dict[str, BaseProcess] = {}
    waiting = list(jobs)

    def stop(number: int, frame: object) -> None:
        waiting.clear()
        for child in children.values():
            if child.is_alive():
                child.terminate()

    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, stop))
        if gpu:
            with _held_back():
                stack.enter_context(shared_gpu())
        while True:
            running = [child for child in children.values() if child.is_alive()]
            with _held_back():
                for path in waiting[: at_once - len(running)]:
                    waiting.remove(path)
                    children[path] = _start(path, jobs[path], results, [*options, *own.get(path, ())])
                    running.append(children[path])
            if not running:
                return {path: child.exitcode for path, child in children.items()}
            wait([child.sentinel for child in running])


def _link(folder: Path, place: Path) -> None:
    """The files of a folder in another one, too, as hard links where the file system has them."""
    for file in sorted(folder.glob("*")):
        place.mkdir(parents=True, exist_ok=True)
        (place / file.name).unlink(missing_ok=True)
        try:
            os.link(file, place / file.name)
        except OSError:
            with atomic(place / file.name) as temporary:
                shutil.copy2(file, temporary)


def _finished(results: Path, path: str) -> Path:
    return results / "checkpoints" / f"{path}.finished"


def _log(results: Path, path: str) -> Path:
    return results / "logs" / "train" / f"{path}.log"


def _start(path: str, config: Mapping[str, Any], results: Path, options: Sequence[str]) -> BaseProcess:
    log = _log(results, path)
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["train", "--replace", "--config", yaml.safe_dump(dict(config), default_flow_style=True)]
    arguments += ["--out", str(_finished(results, path)), "--checkpoint", str(results / "checkpoints" / f"{path}.pt")]
    print(f"{path}: log in {log}", file=sys.stderr, flush=True)
    server = multiprocessing.get_context("forkserver")
    # The compiler, which PyTorch's optimisers import at their first step, takes longer than all else.
    server.set_forkserver_preload(["proformer.training.run", "torch._dynamo"])
    child = server.Process(target=_train, args=([*arguments, *options], log))
    child.start()
    return child


def _train(arguments: list[str], log: Path) -> None:
    """Run `proformer train` with these arguments, in its own process, with its output in a log."""
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
    """Let SIGTERM wait, in this process until the end of the block, and in those started now (the servers) for good.

    Slurm sends it to every process of a job. Without the server no exit code of a training would be known.
    """
    resource_tracker.ensure_running()  # its start would let the signal through
    signal.pthread_sigmask(signal.SIG_BLOCK, TERMINATION)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINATION)


@contextmanager
def shared_gpu() -> Iterator[None]:
    """Run CUDA's multi-process service, under which kernels of several processes overlap; without it they alternate.

    Without the service, the processes use the GPU in turns; a line in the log says which it is.
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
