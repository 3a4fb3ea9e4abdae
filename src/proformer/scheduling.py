"""What Snakemake 9.27's scheduler leaves open: timers that multiply, and SIGTERM.

Rate limit. By default Snakemake starts at most 100 jobs per second, and looks again a second after each pass over the
ready jobs. Each such pass starts the next timer, and each finished job one more chain of them, until the run ends: the
more jobs are done, the more often all ready jobs are evaluated. Without a limit there are no timers, and a pass only
when a job ends (upstream: snakemake issues 200 and 2354, pull request 3744).

SIGTERM. Snakemake's handler takes a lock that its own thread may hold, and then waits for itself forever; where it does
not, it waits for all running jobs, however long they take. Here a thread calls that handler, and then ends the jobs.
"""

import os
import queue
import signal
import threading
import time
from typing import Any

import psutil

DEFAULT_LIMIT = (100, 1)  # jobs, seconds: --max-jobs-per-timespan when nobody has set it
SAVING = 60.0  # seconds that local jobs have to save after SIGTERM, before SIGKILL
CANCELLING = 10.0  # seconds that Snakemake has to cancel jobs of a cluster, before its own processes get SIGTERM


def guard(scheduler: Any, local: bool) -> None:
    """Take the default rate limit off Snakemake's scheduler, and have SIGTERM end the run; `local`: jobs run here.

    Called by `onstart`, when the scheduler is ready and no job has started. A limit of the user's own stays.
    """
    limit = scheduler.job_rate_limiter
    if limit is not None and (limit.max_jobs, limit.timespan) == DEFAULT_LIMIT:
        scheduler.job_rate_limiter = None
    finish_running = signal.getsignal(signal.SIGTERM)
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()  # its put() may interrupt any code, itself included

    def wait() -> None:
        arrived.get()
        if callable(finish_running):
            finish_running(signal.SIGTERM, None)  # start no further jobs, leave when none runs
        if not local:
            os.kill(os.getpid(), signal.SIGINT)  # as by Ctrl-C: cancel the jobs, leave
            time.sleep(CANCELLING)
        end_children(SAVING)

    threading.Thread(target=wait, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda number, frame: arrived.put(number))


def end_children(seconds: float) -> None:
    """SIGTERM to every process under this one, once, and SIGKILL to those there after `seconds`; never returns."""
    told: set[psutil.Process] = set()
    deadline = time.monotonic() + seconds
    while True:
        for child in psutil.Process().children(recursive=True):
            try:
                if time.monotonic() > deadline:
                    child.kill()
                elif child not in told:
                    told.add(child)
                    child.terminate()
            except psutil.NoSuchProcess:
                pass
        time.sleep(0.2)
