"""CPU time of Snakemake's main process, with its own rate limit and with the guard of the workflow, to the same job.

python benchmarks/scheduler.py --jobs 500 --seconds 0 0.2 --demo 75
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from harness import arguments, measures, pin, publish

ROOT = Path(__file__).resolve().parents[1]
RULES = """
from proformer import scheduling
onstart:
    if config["guard"]:
        scheduling.guard(workflow.scheduler, local=True)
rule all:
    input: expand("{n}.done", n=range(config["jobs"]))
rule empty:
    output: "{n}.done"
    shell: "sleep {config[seconds]}; touch {output}"
"""


def empty_jobs(folder: Path, jobs: int, seconds: float, guard: bool) -> list[str]:
    """A workflow of `jobs` jobs that wait and make an empty file; returns Snakemake's options."""
    (folder / "Snakefile").write_text(RULES)
    return ["--config", f"jobs={jobs}", f"seconds={seconds}", f"guard={guard}"]


def demo(folder: Path, guard: bool) -> list[str]:
    """A copy of the demo, whose scheduler is as Snakemake has it without `guard`; returns Snakemake's options."""
    left_out = shutil.ignore_patterns("results", ".*", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=left_out, dirs_exist_ok=True)
    if guard:
        return []
    text = (folder / "Snakefile").read_text()
    line = "    scheduling.guard(workflow.scheduler, local=workflow.local_exec)\n"
    assert line in text
    (folder / "Snakefile").write_text(text.replace(line, ""))
    return ["--workflow-profile", "none"]


def measure(make: Callable[[Path], list[str]]) -> dict[str, float]:
    """CPU seconds of the main process alone, its children apart, and seconds of the run."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all", *make(Path(name))]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=name, env=environment, stderr=subprocess.DEVNULL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its times can be read until it is waited for
        took = time.perf_counter() - started
        times = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        assert process.wait() == 0
    return {"cpu": sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), "seconds": took}


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin("cpu", args.threads)
    runs = []
    for _ in range(args.repeats):
        for way, guard in (("as Snakemake is", False), ("with the guard", True)):
            start = measure(partial(empty_jobs, jobs=1, seconds=0, guard=guard))["cpu"]
            for length in args.seconds:
                found = measure(partial(empty_jobs, jobs=args.jobs, seconds=length, guard=guard))
                runs.append({"what": f"{args.jobs} jobs of {length:g} s, {way}", "jobs": args.jobs} | found)
                runs[-1] |= {"start_cpu": start}
            if args.demo:
                runs.append({"what": f"the demo, {way}", "jobs": args.demo} | measure(partial(demo, guard=guard)))
                runs[-1] |= {"start_cpu": start}
    table = pd.DataFrame(runs).groupby("what", sort=False).median().reset_index()
    table["per_hundred_jobs"] = (table["cpu"] - table["start_cpu"]) / table["jobs"] * 100
    table["repeats"] = args.repeats
    columns = {"cpu": "CPU s of the main process", "per_hundred_jobs": "CPU s per 100 jobs, less the start's"}
    publish("scheduler", table.assign(**place), args.out, measures("what", columns))


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("--jobs", type=int, default=500, help="jobs that do nothing (default: %(default)s)")
    parser.add_argument("--seconds", type=float, nargs="+", default=[0, 0.2], help="length of a job")
    parser.add_argument("--demo", type=int, default=0, help="run the demo, too: how many jobs it has (default: no)")
    main(parser.parse_args())
