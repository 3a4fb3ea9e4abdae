"""Slurm's answers as the plugin can take them."""

import asyncio
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

from proformer import cluster


def ask(answers):
    """A query function that gives these answers one after the other."""
    left = iter(answers)

    async def query(command, logger):
        return next(left)

    return cluster.States(query)


def states(guarded, command="squeue --name x"):
    return asyncio.run(guarded.query(command, None))[0]


@pytest.mark.parametrize(
    ("command", "said", "meant"),
    [
        ("sacct -X", "CANCELLED by 1000", "CANCELLED"),
        ("sacct -X", "PREEMPTED", "PREEMPTED"),  # or requeued: sacct does not tell
        ("sacct -X", "COMPLETED", "COMPLETED"),
        ("squeue", "CANCELLED", "CANCELLED"),
        ("squeue", "PREEMPTED", "CANCELLED"),
        ("squeue", "COMPLETING", "COMPLETING"),
    ],
)
def test_states_are_those_the_plugin_knows(command, said, meant):
    assert states(ask([({"1": said}, 0.1)]), command) == {"1": meant}


def test_no_answer_ends_no_job():
    assert asyncio.run(ask([(None, None)]).query("squeue", None)) == ({}, 0.0)


def test_job_that_vanished_has_failed_once():
    guarded = ask([({"1": "RUNNING", "2": "RUNNING"}, 0), (None, None), ({"2": "RUNNING"}, 0), ({"2": "RUNNING"}, 0)])
    assert states(guarded) == {"1": "RUNNING", "2": "RUNNING"}
    assert states(guarded) == {}
    assert states(guarded) == {"1": "FAILED", "2": "RUNNING"}
    assert states(guarded) == {"2": "RUNNING"}


def test_job_that_was_seen_to_end_does_not_fail_later():
    guarded = ask([({"1": "COMPLETED"}, 0), ({}, 0)])
    assert states(guarded) == {"1": "COMPLETED"}
    assert states(guarded) == {}


def test_guard_is_put_in_once_and_only_where_the_plugin_is(monkeypatch):
    monkeypatch.delitem(sys.modules, cluster.PLUGIN, raising=False)
    cluster.guard()
    plugin = SimpleNamespace(query_job_status=lambda: None)
    monkeypatch.setitem(sys.modules, cluster.PLUGIN, plugin)
    cluster.guard()
    guarded = plugin.query_job_status
    cluster.guard()
    assert plugin.query_job_status is guarded


def test_installed_plugin_asks_by_the_name_that_is_guarded():
    """`check_active_jobs` looks the function up in its module, each time."""
    plugin = import_module(cluster.PLUGIN)
    assert "query_job_status" in plugin.Executor.check_active_jobs.__code__.co_names


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Programs in place of Slurm's: squeue prints a file, scancel takes its arguments out of it."""
    (tmp_path / "squeue").write_text(f"#!/bin/sh\ncat {tmp_path}/queue\n")
    (tmp_path / "scancel").write_text(f'#!/bin/sh\nfor job; do sed -i "/^$job|/d" {tmp_path}/queue; done\n')
    for name in ("squeue", "scancel"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "queue"


def test_jobs_of_a_killed_run_end_and_no_others(queue):
    others = ["2|/lab/other|rule_train_wildcards_b\n", "3|/lab/run|(null)\n"]
    queue.write_text("".join(["1|/lab/run|rule_train_wildcards_a|b\n", *others]))
    assert cluster.end_orphans("/lab/run") == ["1"]
    assert queue.read_text() == "".join(others)
    assert cluster.end_orphans("/lab/run") == []


def test_jobs_that_do_not_end_stop_the_run(queue):
    queue.write_text("1|/lab/run|rule_atac_align\n")
    (queue.parent / "scancel").write_text("#!/bin/sh\n")
    with pytest.raises(TimeoutError, match="do not end: 1"):
        cluster.end_orphans("/lab/run", seconds=0)
