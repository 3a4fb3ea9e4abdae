"""What does the workflow add to each job? Empty rules, one by one, under the Snakemake that the project uses.

python benchmarks/workflow.py --jobs 40
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from harness import arguments, interleave, measures, pin, publish

RULES = """
rule all:
    input: expand("{n}.done", n=range(JOBS))
rule empty:
    output: "{n}.done"
    shell: "touch {output}"
"""


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin("cpu", args.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def run(jobs: int) -> None:
            for done in folder.glob("*.done"):
                done.unlink()
            (folder / "Snakefile").write_text(RULES.replace("JOBS", str(jobs)))
            command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all", "--directory", name]
            subprocess.run([*command, "-s", f"{name}/Snakefile"], check=True, capture_output=True)

        seconds = interleave({"1 job": lambda: run(1), f"{args.jobs} jobs": lambda: run(args.jobs)}, args.repeats)
    one, many = seconds.values()
    each = [(b - a) / (args.jobs - 1) for a, b in zip(one, many, strict=True)]
    rows = [
        {"what": what, "seconds": pd.Series(times).median(), "fastest": min(times), "slowest": max(times)}
        for what, times in (seconds | {"each further job": each}).items()
    ]
    publish("workflow", pd.DataFrame(rows).assign(**place), args.out, measures("what", {"seconds": "seconds"}))


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=3)
    parser.add_argument("--jobs", type=int, default=40, help="empty jobs (default: %(default)s)")
    main(parser.parse_args())
