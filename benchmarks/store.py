"""Full size: how fast, and in how much memory, do the challenge's 6.74 million rows become a store?

    proformer simulate --out large --train 6739258 --test 1000 --gzip
    python benchmarks/store.py --source large/train_sequences.txt.gz

Each step is a process of its own: wall and processor seconds, and its peak memory. The store is then opened, and read
by two processes at once as a training reads it, to see whether they share one copy in memory.
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

FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
PEAK = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module("proformer", run_name="__main__", alter_sys=True)
except SystemExit as done:
    if done.code:
        raise
usage = resource.getrusage(resource.RUSAGE_SELF)
print(f"{usage.ru_maxrss} {usage.ru_utime + usage.ru_stime}", file=sys.stderr)
"""
OPEN = """
import sys, time
from proformer.datasets.store import open_store
started = time.perf_counter()
store = open_store(sys.argv[1])
print(len(store), time.perf_counter() - started)
"""
SHARE = """
import re, sys, torch
from proformer.datasets.batches import DeviceData
from proformer.datasets.store import open_store
from proformer.tasks import Task
data = DeviceData(open_store(sys.argv[1]), torch.device("cpu"), Task(scale="none"))
total = sum(int(data.codes[i : i + 65536].max()) for i in range(0, len(data), 65536))
print("read", flush=True)
sys.stdin.readline()
text = open("/proc/self/smaps_rollup").read()
own, shared = (sum(int(n) for n in re.findall(rf"{kind}_\\w+:\\s+(\\d+)", text)) for kind in ("Private", "Shared"))
print(own, shared, flush=True)
sys.stdin.readline()
"""


def step(*words: object) -> dict[str, float]:
    """Run one verb of the command line: wall seconds, processor seconds, peak memory in MB."""
    started = time.perf_counter()
    command = [sys.executable, "-c", PEAK, "proformer", *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, processor = done.stderr.splitlines()[-1].split()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "processor_seconds": float(processor), "peak_mb": int(peak) / 1e3}


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin("cpu", args.threads)
    with tempfile.TemporaryDirectory(dir=args.source.parent) as folder:
        store, parts = Path(folder) / "all", [f"{folder}/train", f"{folder}/validation"]
        options = ("--flanks", *FLANKS, "--too-long", "drop", "--wrong-flank", "drop")
        rows = [{"what": "prepare, gz"} | step("prepare", "--sequences", args.source, "--out", store, *options)]
        split = ("--fractions", 0.95, 0.05, "--seed", 1)
        rows.append({"what": "split 95/5"} | step("split", "--store", store, "--out", *parts, *split))
        opened = subprocess.run([sys.executable, "-c", OPEN, store], check=True, capture_output=True, text=True)
        count, seconds = opened.stdout.split()
        rows.append({"what": "open", "seconds": float(seconds)})
        readers = [
            subprocess.Popen([sys.executable, "-c", SHARE, store], stdin=-1, stdout=-1, text=True) for _ in range(2)
        ]
        memory = []
        for stage in ("read", "measured"):  # each step by both, before the next
            memory = [reader.stdout.readline().split() for reader in readers]
            for reader in readers:
                reader.stdin.write("\n")
                reader.stdin.flush()
            print(f"both have {stage}", flush=True)
        own, shared = (max(int(pair[i]) for pair in memory) / 1e3 for i in (0, 1))
        rows.append({"what": "two readers of the same store: memory of each alone", "peak_mb": own})
        rows.append({"what": "two readers of the same store: memory they share", "peak_mb": shared})
        size = os.path.getsize(store)
    table = pd.DataFrame(rows).assign(rows=int(count), store_bytes=size, **place)
    table["rows_per_second"] = table["rows"] / table["seconds"]
    table["rows_per_processor_second"] = table["rows"] / table["processor_seconds"]
    publish("store", table, args.out, measures("what", {"seconds": "seconds", "peak_mb": "memory, MB"}))


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="training file of the challenge, or simulated")
    main(parser.parse_args())
