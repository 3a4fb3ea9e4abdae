"""Damaged files, by the thousand: whatever a verb is given, it ends well.

Four invariants: the exit code is 0 or 2 (75 for a training that was stopped), and with 2 the error is one line; there
is no traceback, crash or hang; inputs keep their bytes; outputs are whole or not there, and nothing else is left.

FUZZ_SECONDS is the time that this takes (`make fuzz`: an hour; otherwise a few batches), FUZZ_SEED where it begins. A
failure prints the case, the damage and the seed, which bring it about again.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sys
import time
from pathlib import Path

import cases
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from proformer.cli import main

SECONDS = float(os.environ.get("FUZZ_SECONDS", 0))
SHORT = 2  # batches of 20, the same on every machine, where no time is given
SEED = int(os.environ.get("FUZZ_SEED", 0))
LONGEST = 60  # seconds of one command
MEMORY = 16 << 30
TOKENS = [
    b"", b"0", b"-1", b"nan", b"inf", b"1e39", b"1_5", "١".encode(), b"\xa0", b"\xff\xfe", b"\0", b"\t", b"\n", b"\r\n",
    b",", b'"', b"'", b"\x1b[31m", b"99999999999999999999", b"null", b"{}", b"[", b"chr9", b"ACGT", b"#", b">", b"@",
]  # fmt: skip


def flip(data: bytes, at: int, token: bytes) -> bytes:
    """One byte is another."""
    return data[:at] + bytes([data[at] ^ (1 + len(token) % 255)]) + data[at + 1 :]


def insert(data: bytes, at: int, token: bytes) -> bytes:
    """A token stands somewhere."""
    return data[:at] + token + data[at:]


def replace(data: bytes, at: int, token: bytes) -> bytes:
    """A field of text is another."""
    start = max(data.rfind(mark, 0, at) for mark in (b"\t", b"\n", b",", b":", b" ")) + 1
    ends = [found for mark in (b"\t", b"\n", b",", b"}", b" ") if (found := data.find(mark, at)) >= 0]
    return data[:start] + token + data[min(ends, default=len(data)) :]


def cut(data: bytes, at: int, token: bytes) -> bytes:
    """The end is missing."""
    return data[:at]


def lose(data: bytes, at: int, token: bytes) -> bytes:
    """A line is missing."""
    return data[: data.rfind(b"\n", 0, at) + 1] + data[data.find(b"\n", at) + 1 :]


def repeat(data: bytes, at: int, token: bytes) -> bytes:
    """A line, and what is before it, stands twice."""
    return data[: data.find(b"\n", at) + 1] + data


DAMAGE = st.lists(
    st.tuples(st.sampled_from([flip, insert, replace, cut, lose, repeat]), st.floats(0, 1), st.sampled_from(TOKENS)),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("inputs"), Path.cwd()
    os.chdir(folder)
    child = multiprocessing.get_context("fork").Process(target=cases.write_inputs, args=(folder,))
    child.start()
    child.join()
    os.chdir(before)
    assert child.exitcode == 0
    return folder


def command(words: list[str], folder: Path) -> None:
    """Be a verb, in a process of its own, as a shell would start it."""
    os.chdir(folder)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder.with_name(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.environ |= {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    code: object = 1
    try:
        code = main(words)
    except SystemExit as error:
        code = error.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(case: cases.Case, name: str, damaged: bytes, inputs: Path, place: Path) -> None:
    """Run one command on one damaged file, and hold it to the invariants."""
    folder = place / "work"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(inputs, folder)
    (folder / name).write_bytes(damaged)
    before = contents(folder)
    process = multiprocessing.get_context("fork").Process(target=command, args=(case.words.split(), folder))
    process.start()
    process.join(LONGEST)
    if process.is_alive():
        process.kill()
        pytest.fail(f"{case.words}: still runs after {LONGEST} s")
    after, errors = contents(folder), (place / "stderr").read_text(errors="replace")
    assert "Traceback" not in errors, errors
    assert process.exitcode in (0, 2, 75), (process.exitcode, errors)
    assert {path: after.get(path) for path in before} == before
    made = {path for path in after.keys() - before.keys() if not path.endswith((".progress.json", ".log"))}
    if process.exitcode == 2:
        assert errors.rstrip("\n").splitlines()[-1].startswith("proformer "), errors
        assert not made & {*case.outputs}, made
    elif process.exitcode == 0:
        assert made >= {*case.outputs}, made
    assert not [path for path in made if path.endswith(".part") or "/.scratch" in path], made


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def test_whole_files_are_taken(inputs, place):
    for case in cases.CASES.values():
        name = case.inputs[0]
        check(case, name, (inputs / name).read_bytes(), inputs, place)
        made = [path for path in case.outputs if not (place / "work" / path).exists()]
        assert not made, (case.words, (place / "stderr").read_text())


def test_damaged_files_end_well(inputs, place):
    tried = 0
    until = time.monotonic() + SECONDS
    number = SEED

    @settings(
        max_examples=20, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
    )
    @given(st.sampled_from(sorted(cases.CASES)), st.integers(0, 9), DAMAGE)
    def once(kind, which, damage):
        nonlocal tried
        case = cases.CASES[kind]
        name = case.inputs[which % len(case.inputs)]
        data = (inputs / name).read_bytes()
        for mutate, share, token in damage:
            if data:
                data = mutate(data, min(int(share * len(data)), len(data) - 1), token)
        check(case, name, data, inputs, place)
        tried += 1

    while time.monotonic() < until or number < SEED + SHORT:
        print(f"seed {number}", flush=True)
        seed(number)(once)()
        number += 1
    print(f"{tried} damaged files tried, from seed {SEED} to {number - 1}")
