"""Several grid points at once: on two cores, two points of one thread each, or one after the other on two threads?

    python benchmarks/packs.py                      # CPU: two points
    python benchmarks/packs.py --device cuda        # one GPU: 1, 2, 4, 8 points by `proformer train-pack`

The same trainings each time, start-up included, in turns; throughput is over the slowest of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import arguments, interleave, measures, pin, publish, summarise

FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")


def write_stores(folder: Path, rows: int) -> list[str]:
    """Simulated promoters as a training and a validation store."""

    def run(*words: object) -> None:
        subprocess.run([sys.executable, "-m", "proformer", *map(str, words)], check=True, stdout=subprocess.DEVNULL)

    parts = [f"{folder}/train", f"{folder}/validation"]
    run("simulate", "--out", folder, "--train", rows, "--test", 100)
    options = ("--flanks", *FLANKS, "--too-long", "drop", "--wrong-flank", "drop")
    run("prepare", "--sequences", folder / "train_sequences.txt", "--out", folder / "all", *options)
    run("split", "--store", folder / "all", "--out", *parts, "--fractions", 0.95, 0.05, "--seed", 1)
    return parts


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin(args.device, args.threads)
    gpu = place["device"] == "cuda"
    points = args.points or (8 if gpu else 2)
    model = {"dim": 64, "heads": 2, "blocks": 1} if gpu else {"dim": 16, "heads": 2, "blocks": 2, "kmer": 5}
    training = {"epochs": 2, "batch_size": 512 if gpu else 64}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stores = write_stores(folder, args.rows)
        turn = iter(range(10**9))

        def train(at_once: int, threads: int) -> None:
            for start in range(0, points, at_once):
                keys = {"model": model, "training": training}
                jobs = {f"{next(turn)}": keys for _ in range(start, min(start + at_once, points))}
                command = ["train-pack", "--jobs", json.dumps(jobs), "--train", stores[0], "--validation", stores[1]]
                command += ["--results", f"{folder}/results", "--device", place["device"], "--threads", str(threads)]
                subprocess.run([sys.executable, "-m", "proformer", *command], check=True, capture_output=True)

        sizes = [n for n in (1, 2, 4, 8) if n <= points] if gpu else [1, 2]
        ways = {
            f"{n} at a time, {1 if gpu else points // n} thread(s) each": lambda n=n: train(
                n, 1 if gpu else points // n
            )
            for n in sizes
        }
        table = summarise(interleave(ways, args.repeats, 0), next(iter(ways)))
    table["sequences_per_second"] = 0.95 * args.rows * training["epochs"] * points / table["seconds"]
    table = table.rename(columns={"times_straight": "times_one_by_one"})
    table = table.assign(points=points, model=json.dumps(model), **place)
    draw = measures("way", {"sequences_per_second": "sequences/s", "times_one_by_one": "speed, one by one = 1"})
    publish(f"packs_{place['device']}", table, args.out, draw)


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=3)
    parser.add_argument("--rows", type=int, default=4000, help="sequences (default: %(default)s)")
    parser.add_argument("--points", type=int, help="trainings (default: 2; on a GPU 8)")
    main(parser.parse_args())
