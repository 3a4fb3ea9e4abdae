"""Snakemake logger plugin ``progress``: which job, how many of how many, and the time left.

Used as ``snakemake --logger progress``. A log file gets one plain line when a job starts and one when it ends; a
terminal gets the latter above one line that is kept up to date. A failed job shows the path and the last lines of its
log. Snakemake's own full log stays in ``.snakemake/log``.
"""

import re
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import chain
from logging import WARNING, LogRecord
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from proformer.errors import one_line
from proformer.planning.configuration import check_files
from snakemake_logger_plugin_progress.estimate import Estimate

# Whether it is asked for or not, Snakemake imports a plugin when it starts, before it reads its configuration files.
with one_line("configuration"):
    check_files(sys.argv[1:])

TAIL = 10  # lines shown of the log of a failed job
OWN = {LogEvent.WORKFLOW_STARTED, LogEvent.RESOURCES_INFO, LogEvent.JOB_STARTED}  # events that say nothing new here
CHATTER = re.compile(
    r"Assuming unrestricted|Building DAG|Using shell|Provided |Rules claiming|Conda environments: ignored|"
    r"Singularity containers: ignored|Group jobs: inactive|Select jobs|Execute \d+ jobs|host: |Workflow has started"
)


def duration(seconds: float) -> str:
    """``seconds`` for a reader: ``8 s``, ``3 min``, ``1 h 20 min``, ``2 d 3 h``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def job_name(rule: str, wildcards: Mapping[str, object]) -> str:
    """The rule and its wildcards in plain words: ``train dim 16 seed 1``."""
    return " ".join([rule, *(f"{key} {value}" for key, value in (wildcards or {}).items())])


def tail(paths: Iterable[str]) -> list[str]:
    """The path and the last lines of each log file in ``paths``."""
    lines = []
    for path in map(Path, dict.fromkeys(paths)):
        if not path.is_file():
            lines.append(f"    log: {path} (not written)")
            continue
        with path.open(errors="replace") as log:
            last = deque(log, TAIL)
        lines.append(f"    log: {path}" + ("" if last else " (empty)"))
        lines += [f"    | {line.rstrip()}" for line in last]
    return lines


class LogHandler(LogHandlerBase):
    """Writes the progress of a run to the error stream (a dry run: to the output stream)."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False  # Snakemake's filter and formatter serve whatever has no form of its own here
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.stream = sys.stdout if self.common_settings.stdout else sys.stderr
        self.live = self.stream.isatty()
        self.estimate = Estimate()
        self._ended = threading.Event()
        if self.live:
            threading.Thread(target=self._refresh, daemon=True).start()

    def emit(self, record: LogRecord) -> None:
        """Write what ``record`` says, if that is news to the reader."""
        try:
            lines = [self.format(record)] if self.common_settings.dryrun else self._lines(record, time.monotonic())
            self._write([line for line in lines if line and line != "None"])
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Take the last line off the terminal."""
        if not self._ended.is_set():
            self._ended.set()
            self._write([])
        super().close()

    def _lines(self, record: Any, now: float) -> list[str]:  # Any: each event adds its own fields
        event, run = getattr(record, "event", None), self.estimate
        if event == LogEvent.RUN_INFO:
            run.plan({rule: count for rule, count in record.stats.items() if rule != "total"})
            return [self.format(record)]
        if event == LogEvent.JOB_INFO:
            name = job_name(record.rule_name, record.wildcards)
            run.start(record.jobid, record.rule_name, name, now)
            return [] if self.live else [f"[{run.done}/{run.total}] {name} · started"]
        if event == LogEvent.JOB_FINISHED:
            name, seconds = run.finish(record.job_id, now)
            return [" · ".join([f"[{run.done}/{run.total}] {name}", duration(seconds), *self._left(now)])]
        if event == LogEvent.JOB_ERROR:
            return self._failed(record.jobid, record.log, now)
        if event == LogEvent.GROUP_ERROR:
            failed = [self._failed(job["jobid"], job["log"], now) for job in record.job_error_info]
            return [*chain(*failed), *tail(record.aux_logs)]
        if event == LogEvent.PROGRESS:
            run.total = record.total  # grows at a checkpoint
            return []
        if record.levelno < WARNING and (event in OWN or CHATTER.match(record.getMessage())):
            return []
        return [self.format(record)]

    def _failed(self, number: int, logs: Iterable[str], now: float) -> list[str]:
        name, seconds = self.estimate.fail(number, now)
        return [f"FAILED {name} · after {duration(seconds)}", *tail(logs)]

    def _left(self, now: float) -> list[str]:
        seconds, untimed = self.estimate.left(now)
        if self.estimate.done >= self.estimate.total:
            return []
        more = f"{untimed} job{'s' * (untimed > 1)} of unknown length"
        if untimed and seconds < 1:
            return [f"{more} left"]
        return [f"about {duration(seconds)} left" + (f" + {more}" if untimed else "")]

    def _status(self) -> str:
        now, run = time.monotonic(), self.estimate
        jobs = [f"{job.name} ({duration(now - job.start)})" for job in run.running.values()]
        if not jobs:
            return ""
        status = " · ".join([f"{run.done}/{run.total} done", *self._left(now), f"running: {', '.join(jobs)}"])
        return status[: shutil.get_terminal_size().columns - 1]

    def _write(self, lines: list[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        self.acquire()  # the refreshing thread reads what emit changes
        try:
            if self.live:
                text = f"\r\033[K{text}{'' if self._ended.is_set() else self._status()}"
            self.stream.write(text)
            self.stream.flush()
        finally:
            self.release()

    def _refresh(self) -> None:
        while not self._ended.wait(1.0):
            self._write([])
