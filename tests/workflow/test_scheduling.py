"""Snakemake's scheduler with our guard: SIGTERM at any moment ends a run, and no timer outlives a job."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

# So many tiny jobs that Snakemake is mostly selecting them and noting their ends; one job saves, one sleeps.
RULES = """
import threading
from proformer import scheduling

onstart:
    scheduling.guard(workflow.scheduler, local=workflow.local_exec)
    shell("touch started")

rule all:
    input: expand("{n}.done", n=range(400)), expand("{way}.long", way=["saves", "sleeps"])

rule tiny:
    output: "{n}.done"
    shell: "touch {output}"

rule sleeps:
    output: "sleeps.long"
    priority: 1
    shell: "sleep 1000; touch {output}"

rule saves:
    output: "saves.long"
    priority: 1
    shell: "trap 'touch saved; exit 75' TERM; touch saving; for n in $(seq 9000); do sleep .1; done"
"""


def start(folder, *arguments, rules=RULES, cores=4):
    (folder / "Snakefile").write_text(rules)
    (folder / "started").unlink(missing_ok=True)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--rerun-incomplete", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with open(folder / "said.txt", "wb") as said:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)


def wait_for(path, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, (path.parent / "said.txt").read_text()
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)


@pytest.mark.parametrize("times", [6, pytest.param(30, marks=pytest.mark.faults)])
def test_sigterm_at_any_moment_ends_the_run(tmp_path, times):
    moments = random.Random(times)
    for turn in range(times):
        (tmp_path / "saving").unlink(missing_ok=True)
        (tmp_path / "saved").unlink(missing_ok=True)
        process = start(tmp_path)
        try:
            wait_for(tmp_path / "saving", process)
            time.sleep(moments.uniform(0, 1.5))
            process.send_signal(signal.SIGTERM)
            if turn % 2:
                process.send_signal(signal.SIGTERM)
            assert process.wait(50) == 1  # below the time after which jobs that do not listen are killed
        finally:
            process.kill()
        assert (tmp_path / "saved").exists()  # the signal has reached the jobs
        assert not list((tmp_path / ".snakemake/locks").glob("*")), "locked"
        for done in tmp_path.glob("*.done"):
            done.unlink()


def test_a_job_that_does_not_listen_is_killed(tmp_path):
    deaf = RULES.replace("trap 'touch saved; exit 75' TERM", "trap '' TERM")
    process = start(tmp_path, rules=deaf.replace("\nonstart:", "\nscheduling.SAVING = 1\nonstart:"))
    try:
        wait_for(tmp_path / "saving", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(50) == 1
    finally:
        process.kill()


@pytest.mark.parametrize(("limit", "timers"), [((), 0), (("--max-jobs-per-timespan", "90/1s"), 1)])
def test_only_a_limit_of_ones_own_starts_timers(tmp_path, limit, timers):
    count = "sum(isinstance(thread, threading.Timer) for thread in threading.enumerate())"
    rules = RULES.replace("400", "8").replace('expand("{way}.long", way=["saves", "sleeps"])', "[]")
    rules += f"\nonsuccess:\n    print('timers:', {count}, flush=True)\n"
    process = start(tmp_path, *limit, rules=rules, cores=1)
    assert process.wait(120) == 0, (tmp_path / "said.txt").read_text()
    found = int((tmp_path / "said.txt").read_text().split("timers:")[1].split()[0])
    assert (found > 0) == bool(timers)
