"""Does memory stay flat as a training file grows, and what is the index of near duplicates worth?

    python benchmarks/stream.py --rows 500000 1000000 2000000 4000000 --out benchmarks/results

Writes files of random promoters and takes each through `prepare`, `split` and `nearest` (2,954 evaluation sequences,
within 5 mismatches), every step in a process of its own: peak anonymous memory (what cannot be given back; pages of
mapped files can). Then compares the index with all against all in one process: the same chunk of
training rows, the same sequences, each repeat in turn.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from harness import measures, publish

from proformer.datasets.nearest import NearIndex, centred_reverse_complement, nearest, read_codes
from proformer.datasets.parts import split
from proformer.datasets.prepare import Layout, prepare
from proformer.datasets.store import open_store
from proformer.provenance import processor

LEFT, RIGHT = FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
LAYOUT = Layout(100, FLANKS, "drop", "partial")
EVALUATION, WITHIN = 2954, 5


def write_rows(path: Path, rows: int, seed: int) -> None:
    """`rows` random promoters of 80 nt with values of two decimals, in blocks; 2 % lack the end of the left flank."""
    random = np.random.default_rng(seed)
    with open(path, "wb") as out:
        for start in range(0, rows, 1 << 16):
            n = min(1 << 16, rows - start)
            inserts = np.frombuffer(b"ACGT", dtype=np.uint8)[random.integers(0, 4, (n, 80), dtype=np.uint8)]
            flank = np.tile(np.frombuffer(LEFT.encode(), dtype=np.uint8), (n, 1))
            flank[random.random(n) < 0.02, 15:] = ord("A")
            tail = np.tile(np.frombuffer(f"{RIGHT}\t00.00\n".encode(), dtype=np.uint8), (n, 1))
            tail[:, [-6, -5, -3, -2]] += random.integers(0, [2, 8, 10, 10], (n, 4)).astype(np.uint8)
            out.write(np.concatenate([flank, inserts, tail], axis=1).tobytes())


STEPS = {
    "prepare": lambda folder: prepare(folder / "train.txt", folder / "all.safetensors", LAYOUT),
    "split": lambda folder: split(
        folder / "all.safetensors", [folder / "train.safetensors", folder / "validation.safetensors"], (0.98, 0.02), 1
    ),
    "nearest": lambda folder: nearest(open_store(folder / "all.safetensors"), folder / "some.txt", WITHIN),
}


def measure(step: str, folder: Path) -> float:
    """Peak anonymous MB of one step, in this process."""
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    STEPS[step](folder)
    done.set()
    watcher.join()
    return peak / 1e3


def sizes(rows: list[int]) -> pd.DataFrame:
    """Every step at every size."""
    table = []
    for n in rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_rows(folder / "train.txt", n, seed=1)
            write_rows(folder / "some.txt", EVALUATION, seed=2)
            for step in STEPS:
                command = [sys.executable, __file__, "--only", step, "--folder", name]
                peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                table.append({"step": step, "rows": n, "peak_mb": peak})
                print(table[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(table).sort_values(["step", "rows"], kind="stable")


def against_all(training: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Least number of mismatches, either strand, by comparing every sequence with every training row."""
    best = np.full(len(codes), training.shape[1])
    for both in (codes, centred_reverse_complement(codes)):
        for i, row in enumerate(both):
            best[i] = min(best[i], np.count_nonzero(training != row, axis=1).min())
    return best


def ratio(repeats: int, rows: int = 1 << 14) -> pd.DataFrame:
    """The index beside all against all, on the same rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "train.txt", rows, seed=1)
        write_rows(folder / "some.txt", EVALUATION - 100, seed=2)
        with open(folder / "some.txt", "a") as out, open(folder / "train.txt") as source:
            out.writelines(source.readline() for _ in range(100))
        prepare(folder / "train.txt", folder / "all.safetensors", LAYOUT)
        store = open_store(folder / "all.safetensors")
        training, (codes, _) = np.array(store.codes), read_codes(folder / "some.txt", store)
    seconds: dict[str, list[float]] = {"index, built first": [], "index, once built": [], "all against all": []}
    for _ in range(repeats):
        started = time.perf_counter()
        index = NearIndex(codes, WITHIN)
        built = time.perf_counter()
        index.update(training, 0)
        seconds["index, once built"].append(time.perf_counter() - built)
        seconds["index, built first"].append(time.perf_counter() - started)
        started = time.perf_counter()
        best = against_all(training, codes)
        seconds["all against all"].append(time.perf_counter() - started)
        found = index.nearest()["distance"].to_numpy()
        assert ((found == best) | ((found == -1) & (best > WITHIN))).all()
    slow = statistics.median(seconds["all against all"])
    rows_of = [
        {
            "way": way,
            "training_rows": rows,
            "sequences": len(codes),
            "rows_per_second": rows / statistics.median(times),
            "times_all_against_all": slow / statistics.median(times),
        }
        for way, times in seconds.items()
    ]
    return pd.DataFrame(rows_of)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 1_000_000, 2_000_000, 4_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--only", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(measure(args.only, args.folder))
    else:
        draw = measures("way", {"rows_per_second": "training rows/s", "times_all_against_all": "all against all = 1"})
        publish("nearest", ratio(args.repeats).assign(machine=processor()), args.out, draw)
        table = sizes(args.rows).assign(machine=processor())
        table["what"] = [f"{row.step}, {row.rows:,} rows" for row in table.itertuples()]
        publish("stream", table, args.out, measures("what", {"peak_mb": "peak anonymous memory, MB"}))
