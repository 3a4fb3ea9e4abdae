"""What the Slurm plugin of Snakemake leaves open: jobs of a run that was killed, and answers it waits on forever.

Version 2.8 of the plugin goes on waiting for a job whose last state it does not know, and forgets all jobs when Slurm
gives no answer for a while. `guard` stands between Slurm and the plugin, and puts answers into words that it knows. The
Snakefile calls both functions, when the executor is Slurm and a run starts. Upstream (snakemake-executor-plugin-slurm):
issues 207 and 331 for Slurm that gives no answer; issue 109 and pull request 132, since which a pre-empted job is never
over; "CANCELLED by …" and jobs that Slurm has forgotten stand in no issue yet.
"""

import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

PLUGIN = "snakemake_executor_plugin_slurm"
OVER = ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT", "ERROR")
Answer = tuple[dict[str, str] | None, float | None]  # state by job, seconds the query took; None: Slurm did not answer


def end_orphans(folder: str, seconds: float = 300) -> list[str]:
    """Cancel the jobs that a killed Snakemake has left in a folder, and wait until they are gone; their numbers.

    Snakemake's lock on the folder says that nobody waits for them. Training saves when cancelled, and the jobs that are
    submitted now go on from there; others would write to files that are written a second time now. Raises TimeoutError
    when some do not end.
    """
    found = _orphans(folder)
    if found:
        names = ", ".join(f"{job} ({made})" for job, made in found.items())
        print(f"ending jobs of a run that was killed: {names}", file=sys.stderr, flush=True)
        subprocess.run(["scancel", *found], check=True)
    deadline = time.monotonic() + seconds
    while left := _orphans(folder):
        if time.monotonic() > deadline:
            raise TimeoutError(f"jobs of a run that was killed do not end: {', '.join(left)}")
        time.sleep(2)
    return list(found)


def _orphans(folder: str) -> dict[str, str]:
    """Jobs of Snakemake that run or wait in a folder: number → what they make."""
    command = ["squeue", "--me", "--noheader", "--format", "%i|%Z|%k"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    jobs = [line.split("|", 2) for line in lines]
    return {job: made for job, where, made in jobs if where == folder and made.startswith(("rule_", "group_"))}


def guard() -> None:
    """Have the plugin, where Snakemake has loaded it, read Slurm's answers through `States`."""
    plugin: Any = sys.modules.get(PLUGIN)
    if plugin is not None and not isinstance(getattr(plugin.query_job_status, "__self__", None), States):
        plugin.query_job_status = States(plugin.query_job_status).query


class States:
    """Job states as the plugin can take them, from a query function of the plugin."""

    def __init__(self, query: Callable[..., Awaitable[Answer]]) -> None:
        self.ask = query
        self.open: set[str] = set()

    async def query(self, command: str, logger: Any) -> Answer:
        """States of all jobs of this run, by squeue or sacct."""
        states, seconds = await self.ask(command, logger)
        if states is None:  # slurmctld restarts, or is busy: nothing is known, and nothing is over
            return {}, 0.0
        return self.settle(states, complete=command.startswith("squeue")), seconds

    def settle(self, states: dict[str, str], complete: bool) -> dict[str, str]:
        """Translate states; `complete` says that every job is listed until long after its end (squeue, not sacct).

        "CANCELLED by 1000" (sacct) is CANCELLED. PREEMPTED is final in squeue, which shows a requeued job as PENDING. A
        job that was there and no longer is ended while nobody looked: FAILED, so that it runs again.
        """
        found = {job: state.split()[0].rstrip("+") for job, state in states.items()}
        if complete:
            found = {job: "CANCELLED" if state == "PREEMPTED" else state for job, state in found.items()}
            found |= dict.fromkeys(self.open - found.keys(), "FAILED")
            self.open = {job for job, state in found.items() if state not in OVER}
        return found
