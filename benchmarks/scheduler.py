"""CPU time of Snakemake's main process, with its own rate limit and with the guard of the workflow, to the same job.

python benchmarks/scheduler.py --jobs 500 --seconds 0 0.2
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from harness import arguments, measures, pin, publish

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


def measure(jobs: int, seconds: float, guard: bool) -> dict[str, float]:
    """CPU seconds of the main process alone, its children apart, and seconds of the run."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text(RULES)
        options = ["--config", f"jobs={jobs}", f"seconds={seconds}", f"guard={guard}"]
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all", *options]
        source = str(Path(__file__).resolve().parents[1] / "src")
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": source}, stderr=subprocess.PIPE)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its times can be read until it is waited for
        took = time.perf_counter() - started
        times = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        said = process.communicate()[1]
        assert process.returncode == 0, said.decode()
    return {"cpu": sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), "seconds": took}


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin("cpu", args.threads)
    runs = []
    for _ in range(args.repeats):
        for length in args.seconds:
            for way, guard in (("as Snakemake is", False), ("with the guard", True)):
                name = f"{args.jobs} jobs of {length:g} s, {way}"
                start = measure(1, 0, guard)["cpu"]
                runs.append({"what": name, "start_cpu": start} | measure(args.jobs, length, guard))
    table = pd.DataFrame(runs).groupby("what", sort=False).median().reset_index()
    table["per_hundred_jobs"] = (table["cpu"] - table["start_cpu"]) / args.jobs * 100
    table["repeats"] = args.repeats
    columns = {"cpu": "CPU s of the main process", "per_hundred_jobs": "CPU s per 100 jobs, less the start's"}
    publish("scheduler", table.assign(**place), args.out, measures("what", columns))


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("--jobs", type=int, default=500, help="jobs that do nothing (default: %(default)s)")
    parser.add_argument("--seconds", type=float, nargs="+", default=[0, 0.2], help="length of a job")
    main(parser.parse_args())
