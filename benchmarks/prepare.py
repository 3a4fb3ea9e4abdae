"""How fast is a published file encoded? Ours, beside the original's walk over every base, in one run.

    python benchmarks/prepare.py --rows 200000 --out benchmarks/results

Prints and writes a table: sequences per second and peak memory of `proformer prepare` on plain and gz text, and of
the way the released notebook does it (pandas padding, then a Python list of codes per sequence), each repeat in turn.
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from harness import measures, publish

from proformer.datasets.prepare import Layout, prepare
from proformer.provenance import processor
from proformer.simulate.dream import write_dream

FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
CODES = {letter: code for code, letter in enumerate("ACGTN")}


def straight(source: Path) -> np.ndarray:
    """As the released notebook: pandas strings, then a list of codes per sequence, base by base."""
    table = pd.read_csv(source, sep="\t", header=None, names=["sequence", "value"])
    trimmed = table["sequence"].str[17:-13]
    padded = trimmed[trimmed.str.len() <= 100].str.pad(100, side="both", fillchar="N")
    return np.array([[CODES[base] for base in sequence] for sequence in padded], dtype=np.uint8)


def ours(source: Path) -> None:
    """`proformer prepare`, to a store on disk."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(source, Path(folder) / "all.safetensors", Layout(100, FLANKS, "drop"))


WAYS = {"ours, plain text": ours, "ours, gz": ours, "base by base": straight}


def peak_memory(way: str, source: Path) -> float:
    """Peak memory of one way in a process of its own, in MB."""
    command = [sys.executable, __file__, "--only", way, "--source", str(source)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(rows: int, repeats: int, out: Path) -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as folder:
        write_dream(Path(folder), train=rows, test=100, seed=1)
        plain = Path(folder) / "train_sequences.txt"
        packed = Path(folder) / "train_sequences.txt.gz"
        with open(plain, "rb") as source, gzip.open(packed, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target)
        sources = dict(zip(WAYS, (plain, packed, plain), strict=True))
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(repeats):
            for way, function in WAYS.items():
                started = time.perf_counter()
                function(sources[way])
                seconds[way].append(time.perf_counter() - started)
        slowest = statistics.median(seconds["base by base"])
        table = pd.DataFrame(
            {
                "way": way,
                "rows": rows,
                "sequences_per_second": rows / statistics.median(times),
                "slowest": rows / max(times),
                "fastest": rows / min(times),
                "times_base_by_base": slowest / statistics.median(times),
                "peak_mb": peak_memory(way, sources[way]),
                "machine": processor(),
            }
            for way, times in seconds.items()
        )
    draw = measures("way", {"sequences_per_second": "sequences/s", "peak_mb": "peak memory, MB"})
    publish("prepare", table, out, draw)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        WAYS[args.only](args.source)
        status = Path("/proc/self/status").read_text()
        print(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1e3)
    else:
        main(args.rows, args.repeats, args.out)
