"""What does set-up take? `make setup` in an empty folder with a bare PATH and an empty HOME, at one or more revisions.

    python benchmarks/setup.py --revisions before=HEAD~9 after=HEAD --keep PIP_FIND_LINKS

Cold: with an empty HOME; warm: again, with pip's cache from before. The programs that are no Python packages are there.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from harness import arguments, measures, pin, publish

ROOT = Path(__file__).parents[1]
BARE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def megabytes(folder: Path) -> float:
    """What a folder takes on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 1e6


def set_up(checkout: Path, home: Path, keep: dict[str, str]) -> dict[str, float]:
    """One set-up from nothing: seconds, processor seconds, size of .venv."""
    subprocess.run(["rm", "-rf", checkout / ".venv"], check=True)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        ["make", "setup"],
        cwd=checkout,
        env={"PATH": BARE, "HOME": str(home)} | keep,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "processor_seconds": processor, "megabytes": megabytes(checkout / ".venv")}


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin("cpu", args.threads) | {"threads": len(os.sched_getaffinity(0))}
    keep = {name: os.environ[name] for name in args.keep}
    rows = []
    for _ in range(args.repeats):
        for label, _, revision in (one.partition("=") for one in args.revisions):
            with tempfile.TemporaryDirectory() as name:
                checkout, home = Path(name, "checkout"), Path(name, "home")
                home.mkdir()
                subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
                subprocess.run(["git", "-C", checkout, "checkout", "--quiet", "--detach", revision], check=True)
                rows += [
                    {"what": f"{label}, {cache}", "settings": " ".join(keep)} | set_up(checkout, home, keep)
                    for cache in args.caches
                ]
    table = pd.DataFrame(rows).groupby(["what", "settings"], sort=False).median().reset_index().assign(**place)
    labels = {"seconds": "seconds", "processor_seconds": "processor seconds", "megabytes": "MB"}
    publish("setup", table, args.out, measures("what", labels))


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("--revisions", nargs="+", default=["now=HEAD"], help="NAME=COMMIT …")
    parser.add_argument("--caches", nargs="+", default=["cold", "warm"], help="pip's cache (default: %(default)s)")
    parser.add_argument("--keep", nargs="*", default=[], help="settings of pip that stay in the environment")
    main(parser.parse_args())
