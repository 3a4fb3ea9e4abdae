"""What made a result: versions, hardware, the revision of the code and the configuration."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from proformer import __version__

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = (
    *("snakemake", "torch", "numpy", "pandas", "scipy", "matplotlib", "seaborn", "safetensors"),
    *("pysam", "pybedtools", "pyBigWig", "MACS2"),
)
SLURM = ("SLURM_JOB_NAME", "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE", "SLURM_RESTART_COUNT")


def git_revision() -> str:
    """The commit of the checkout this code runs from, marked when files differ; "unknown" outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor() -> str:
    """Name and number of the processors."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as handle:
            name = next(line.split(":", 1)[1].strip() for line in handle if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} logical cores"


def versions() -> dict[str, str]:
    """Versions of the code, the interpreter and the packages that results depend on."""
    from importlib import metadata

    found = {"proformer": __version__, "code": git_revision(), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def describe_run(config: str) -> pd.DataFrame:
    """A table `what`, `value`: code, interpreter, packages, machine, and the resolved configuration as YAML text."""
    import pandas as pd

    machine = {"system": platform.platform(), "processor": processor(), "configuration": config}
    return pd.DataFrame([*(versions() | machine).items()], columns=["what", "value"])


def visible_cpus() -> str:
    """How many CPUs this process may use: by affinity (Slurm's cpusets), and by a cgroup's quota (containers)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{allowed} of {os.cpu_count()} CPUs"
    try:
        own = next(line[4:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::/"))
        group = Path("/sys/fs/cgroup", own)
        limits = [path.read_text().split() for part in (group, *group.parents) if (path := part / "cpu.max").is_file()]
    except (OSError, StopIteration):
        return text
    shares = [int(quota) / int(period) for quota, period in limits if quota != "max"]
    return text + (f", cgroup limit {min(shares):g}" if shares else "")


def visible_gpus() -> str:
    """Names of the GPUs this process may use, as nvidia-smi and CUDA_VISIBLE_DEVICES have it; no torch is needed."""
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    # In a Slurm job without a GPU there is nothing to ask for, and starting the driver takes seconds on some nodes.
    if wanted == "" or (wanted is None and "SLURM_JOB_ID" in os.environ) or not shutil.which("nvidia-smi"):
        return "none"
    command = ["nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({type(error).__name__})"
    rows = [line.split(", ", 2) for line in text.splitlines() if line.count(", ") >= 2]
    if wanted is not None:
        rows = [row for row in rows if any(row[0] == one or row[1].startswith(one) for one in wanted.split(","))]
        wanted = f" (CUDA_VISIBLE_DEVICES={wanted})"
    return (" + ".join(row[2] for row in rows) or "none") + (wanted or "")


def job_header(arguments: Mapping[str, object]) -> str:
    """The first lines of a job's log: where it runs, what it may use, which code, and what it was asked to do."""
    slurm = " ".join(f"{name}={os.environ[name]}" for name in SLURM if name in os.environ)
    job = f"Slurm job {os.environ['SLURM_JOB_ID']} {slurm}" if "SLURM_JOB_ID" in os.environ else "no Slurm job"
    return (
        f"host {platform.node()} · GPU {visible_gpus()} · {visible_cpus()} · {job} · process {os.getpid()}\n"
        + " · ".join(f"{name} {version}" for name, version in versions().items())
        + "\narguments "
        + json.dumps(arguments, default=str, ensure_ascii=False)
    )


def log_job(arguments: Mapping[str, object]) -> None:
    """Begin a job's log with its header; of several processes that train one model, the first one of each node does.

    PROFORMER_JOB, which the Snakefile sets, says that this process is a job.
    """
    local = os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or "0"
    if os.environ.get("PROFORMER_JOB") and local == "0":
        print(job_header(arguments), file=sys.stderr, flush=True)


if __name__ == "__main__":  # for rules whose only program is none of ours
    log_job({"command": shlex.join(sys.argv[1:])})
