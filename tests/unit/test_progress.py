from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_progress import LogHandler, duration, job_name, tail
from snakemake_logger_plugin_progress.estimate import Estimate

SNAKEFILE = """
rule all:
    input:
        "last.txt",

rule part:
    output:
        "part_{n}.txt",
    log:
        "part_{n}.log",
    shell:
        "(echo working on {wildcards.n}; test ! -e bad_{wildcards.n}; touch {output}) > {log} 2>&1"

rule last:
    input:
        expand("part_{n}.txt", n=range(3)),
    output:
        "last.txt",
    shell:
        "cat {input} > {output}"
"""


def estimate(plan: dict[str, int]) -> Estimate:
    run = Estimate()
    run.plan(plan)
    return run


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (3570, "1 h 0 min"), (4800, "1 h 20 min"), (183600, "2 d 3 h")],
)
def test_durations_read_plainly(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_job_name_carries_the_wildcards() -> None:
    assert job_name("train", {"dim": "16", "seed": "1"}) == "train dim 16 seed 1"


def test_time_left_is_the_mean_of_the_rule_over_the_jobs_side_by_side() -> None:
    run = estimate({"train": 6, "all": 1})
    for number in (1, 2):
        run.start(number, "train", "train", 100.0)
    for number in (1, 2):
        run.finish(number, 110.0)
    assert run.left(110.0) == (pytest.approx(20.0), 0)  # 4 jobs of 10 s, two at a time
    run.start(3, "train", "train", 110.0)
    run.start(4, "train", "train", 110.0)
    assert run.left(116.0) == (pytest.approx(14.0), 0)


def test_last_job_is_not_shared_among_idle_cores() -> None:
    run = estimate({"train": 3})
    for number in (1, 2):
        run.start(number, "train", "train", 0.0)
        run.finish(number, 10.0)
    run.start(3, "train", "train", 10.0)
    assert run.left(10.0)[0] == pytest.approx(10.0)


def test_jobs_of_rules_that_never_finished_are_counted_apart() -> None:
    run = estimate({"fetch": 1, "train": 4, "all": 1})
    run.start(1, "fetch", "fetch", 0.0)
    assert run.left(5.0) == (0.0, 5)
    run.finish(1, 8.0)
    assert run.left(8.0) == (0.0, 4)


def test_failed_job_is_still_to_do() -> None:
    run = estimate({"train": 2})
    run.start(1, "train", "train", 0.0)
    run.finish(1, 10.0)
    run.start(2, "train", "train", 10.0)
    assert run.fail(2, 14.0) == ("train", 4.0)
    assert run.left(14.0)[0] == pytest.approx(10.0)
    assert run.done == 1


def test_tail_names_the_log_and_shows_its_last_lines(tmp_path: Path) -> None:
    log, empty = tmp_path / "a.log", tmp_path / "b.log"
    log.write_bytes(b"".join(b"line %d \xff\n" % n for n in range(50)))
    empty.touch()
    lines = tail(map(str, [log, log, empty, tmp_path / "c.log"]))
    assert lines[0] == f"    log: {log}"
    assert lines[1].startswith("    | line 40 ")
    assert lines[-3].startswith("    | line 49 ")
    assert lines[-2:] == [f"    log: {empty} (empty)", f"    log: {tmp_path / 'c.log'} (not written)"]


def send(handler: LogHandler, event: LogEvent | None, message: str = "", **fields: object) -> None:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, message, None, None)
    handler.handle(record if event is None else logging.makeLogRecord(record.__dict__ | fields | {"event": event}))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_shows_one_line_that_is_kept_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    handler = LogHandler(SimpleNamespace(stdout=False, dryrun=False), None)
    send(handler, LogEvent.RUN_INFO, stats={"train": 2, "total": 2})
    send(handler, LogEvent.JOB_INFO, jobid=1, rule_name="train", wildcards={"dim": 16})
    assert terminal.getvalue().endswith(
        "\r\033[K0/2 done · 2 jobs of unknown length left · running: train dim 16 (0 s)"
    )
    send(handler, LogEvent.JOB_FINISHED, job_id=1)
    handler.close()
    assert "\r\033[K[1/2] train dim 16 · 0 s · about 0 s left\n" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")


def test_failed_group_names_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    handler = LogHandler(SimpleNamespace(stdout=False, dryrun=False), None)
    for number in (1, 2):
        send(handler, LogEvent.JOB_INFO, jobid=number, rule_name="train", wildcards={"seed": number})
    failed = [{"jobid": number, "log": [f"train_{number}.log"]} for number in (1, 2)]
    send(handler, LogEvent.GROUP_ERROR, job_error_info=failed, aux_logs=["group.log"])
    assert "FAILED train seed 1 · after 0 s\n    log: train_1.log (not written)\n" in log.getvalue()
    assert "FAILED train seed 2 · after 0 s\n    log: train_2.log (not written)\n    log: group.log" in log.getvalue()


def snakemake(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--logger", "progress", "--cores", "1", *options]
    paths = {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(command, cwd=folder, env=os.environ | paths, capture_output=True, text=True, timeout=120)


def test_a_run_reads_as_plain_lines_and_keeps_the_full_log(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "bad_2").touch()
    failed = snakemake(tmp_path, "--keep-going")
    assert failed.returncode == 1
    assert "FAILED part n 2 · after 0 s\n    log: part_2.log\n    | working on 2\n" in failed.stderr
    assert "[2/5] part n " in failed.stderr

    (tmp_path / "bad_2").unlink()
    rest = snakemake(tmp_path)
    assert rest.returncode == 0, rest.stderr
    assert "[0/3] part n 2 · started\n[1/3] part n 2 · 0 s · 1 job of unknown length left\n" in rest.stderr
    assert "[3/3] all · 0 s\n" in rest.stderr
    assert "\r" not in rest.stderr
    assert "Traceback" not in rest.stderr + failed.stderr
    full_logs = sorted((tmp_path / ".snakemake/log").iterdir())
    assert "3 of 3 steps (100%) done" in full_logs[-1].read_text()

    again = snakemake(tmp_path)
    assert again.stderr == "Nothing to be done (all requested files are present and up to date).\n"
    dry = snakemake(tmp_path, "--dry-run", "--forceall")
    assert dry.stdout.count("rule part:") == 3
