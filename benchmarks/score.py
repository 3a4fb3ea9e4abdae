"""How long does the bootstrap of the DREAM score take? Ours, beside a plain scipy loop, in one run.

    python benchmarks/score.py --models 10 --samples 10000 --out benchmarks/results

Random values in the published sizes: 71,103 rows, of which five single subsets, and 44,340, 3,287 and 2,624 pairs. Ours
runs in a process of its own at several numbers of samples, which shows whether memory stays flat; the plain loop
correlates the same subsets by scipy for a few samples. Prints and writes seconds for the number of samples asked for.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from harness import measures, publish
from scipy import stats

from proformer.evaluation.bootstrap import FRACTION, resample
from proformer.evaluation.dream import ALL, WEIGHTS, Benchmark
from proformer.provenance import processor

ROWS = 71_103
SINGLES = {"high": 968, "low": 997, "yeast": 578, "random": 6_349, "challenging": 1_953}
PAIRS = {"SNVs": 44_340, "motif_perturbation": 3_287, "motif_tiling": 2_624}


def made_up(models: int) -> tuple[Benchmark, dict[str, np.ndarray]]:
    """Values in the published sizes; predictions with the six digits that prediction tables hold."""
    random = np.random.default_rng(0)
    truth, order = random.normal(size=ROWS), random.permutation(ROWS)
    edges = np.cumsum([0, *SINGLES.values()])
    subsets = {ALL: np.arange(ROWS)}
    subsets |= {name: np.sort(order[edges[i] : edges[i + 1]]) for i, name in enumerate(SINGLES)}
    subsets |= {name: random.integers(0, ROWS, (n, 2)) for name, n in PAIRS.items()}
    noisy = (11 + 2 * (truth + random.normal(size=ROWS) * (0.3 + 0.02 * i)) for i in range(models))
    predictions = {f"model {i}": np.round(values, 5) for i, values in enumerate(noisy)}
    return Benchmark("all", truth, {name: subsets[name] for name in WEIGHTS}, {}, {}, True), predictions


def plain(benchmark: Benchmark, predictions: dict[str, np.ndarray], samples: int) -> None:
    """Draw, gather and correlate by scipy, one sample, subset and model at a time."""
    random = np.random.default_rng(1)
    for _ in range(samples):
        for name, rows in benchmark.subsets.items():
            chosen = random.choice(len(rows), round(FRACTION * len(rows)), replace=False)
            truth = benchmark.values(name, benchmark.truth)[chosen]
            for values in predictions.values():
                predicted = benchmark.values(name, values)[chosen]
                stats.pearsonr(truth, predicted)
                stats.spearmanr(truth, predicted)


def measured(samples: int, models: int, threads: int) -> tuple[float, float]:
    """Seconds and peak MB of our bootstrap in a process of its own."""
    command = [sys.executable, __file__, "--only", "--samples", samples, "--models", models, "--threads", threads]
    result = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    seconds, peak = map(float, result.stdout.split())
    return seconds, peak


def main(models: int, samples: int, plain_samples: int, out: Path) -> None:
    """Measure, print, write."""
    rows = []
    benchmark, predictions = made_up(models)
    started = time.perf_counter()
    plain(benchmark, predictions, plain_samples)
    loop = (time.perf_counter() - started) / plain_samples * samples
    rows.append(("scipy, one by one", 1, plain_samples, loop, np.nan))
    for threads, number in ((1, samples // 10), (2, samples // 10), (2, samples)):
        seconds, peak = measured(number, models, threads)
        rows.append(("ours", threads, number, seconds * samples / number, peak))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows, columns=["way", "threads", "samples_run", "seconds", "peak_mb"])
    table["times_scipy"] = loop / table["seconds"]
    table = table.assign(models=models, samples=samples, machine=processor())
    table["what"] = [
        f"{row.way}, {row.threads} thread(s), {row.samples_run:,} samples run" for row in table.itertuples()
    ]
    publish("score", table, out, measures("what", {"seconds": "seconds", "peak_mb": "peak memory, MB"}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--plain-samples", type=int, default=20, help="of the scipy loop, scaled up")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        benchmark, predictions = made_up(args.models)
        started = time.perf_counter()
        resample(benchmark, predictions, args.samples, threads=args.threads)
        status = Path("/proc/self/status").read_text()
        print(time.perf_counter() - started, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1e3)
    else:
        main(args.models, args.samples, args.plain_samples, args.out)
