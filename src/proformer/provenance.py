"""What made a result: versions, hardware, the revision of the code and the configuration."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import pandas as pd

from proformer import __version__

PACKAGES = (
    *("snakemake", "torch", "numpy", "pandas", "scipy", "matplotlib", "seaborn", "safetensors"),
    *("pysam", "pybedtools", "pyBigWig", "MACS2"),
)


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


def describe_run(config: str) -> pd.DataFrame:
    """A table `what`, `value`: code, interpreter, packages, machine, and the resolved configuration as YAML text."""
    rows = [("proformer", __version__), ("code", git_revision()), ("python", platform.python_version())]
    for package in PACKAGES:
        try:
            rows.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            rows.append((package, "not installed"))
    rows += [("system", platform.platform()), ("processor", processor()), ("configuration", config)]
    return pd.DataFrame(rows, columns=["what", "value"])
