"""Training on a store of profiles that is larger than the memory it may take, beside one that fits.

    python benchmarks/stream_profiles.py --gigabytes 8 --folder /a/disk/with/room

Writes two stores of windows of 2,048 bp with 15 tracks at base resolution (123 kB a row): of so many gigabytes, and of
a 32nd of it. The large one is thrown out of the system's cache, and read ahead batch by batch as on a machine with less
memory. Both train a small network in turns, in one process, batch 64; then every row of the large one is gathered once.
Memory is the process's own: peak anonymous MB (pages of mapped files can be given back). The stores are deleted.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import arguments, interleave, measures, pin, publish, summarise
from torch import nn

from proformer.datasets import batches
from proformer.datasets.batches import DeviceData
from proformer.datasets.store import StoreWriter, open_store
from proformer.models.base import Model
from proformer.tasks import Task
from proformer.training.config import Training
from proformer.training.loop import Run

LENGTH, TRACKS, SIZE, STEPS = 2048, 15, 64, 10
TASK = Task("profile", tuple(f"track {i}" for i in range(TRACKS)), bin=1)


class Small(Model):
    """Three convolutions of 32 filters, the beginning of a BPNet: few models of profiles do less work."""

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Conv1d(5, 32, 25, padding="same"), nn.Conv1d(32, 32, 3, padding="same", dilation=2)
        self.layers = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), nn.Conv1d(32, TRACKS, 1), nn.Softplus())

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Predict rates."""
        return self.layers(nn.functional.one_hot(codes.long(), 5).to(torch.float32).transpose(1, 2))


def write(path: Path, gigabytes: float) -> None:
    """Random windows and counts; blocks of 256 rows differ by a rotation."""
    random = np.random.default_rng(1)
    target = random.poisson(1.0, (256, TRACKS, LENGTH)).astype(np.float32)
    codes = random.integers(0, 4, (256, LENGTH), dtype=np.uint8)
    blocks = max(1, round(gigabytes * 1e9 / (target.nbytes + codes.nbytes)))
    with StoreWriter(path, {"task": asdict(TASK)}) as writer:
        for block in range(blocks):
            group = np.arange(256 * block, 256 * (block + 1))
            shift = 7 * block % LENGTH
            writer.append(target=np.roll(target, shift, axis=2), codes=np.roll(codes, shift, axis=1), group=group)


def forget(path: Path) -> None:
    """Have the system drop a file from its cache."""
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())
        os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def own_memory(stop: threading.Event, peak: list[float]) -> None:
    """Keep the peak of this process's anonymous memory, in MB."""
    while not stop.wait(0.01):
        found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))
        peak[0] = max(peak[0], int(found[1]) / 1e3 if found else 0.0)


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin("cpu", args.threads)
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        paths = {"fits": Path(name) / "small", "larger than memory": Path(name) / "large"}
        write(paths["fits"], args.gigabytes / 32)
        write(paths["larger than memory"], args.gigabytes)
        forget(paths["larger than memory"])
        stop, peak = threading.Event(), [0.0]
        watcher = threading.Thread(target=own_memory, args=(stop, peak))
        watcher.start()
        ways = {}
        for way, path in paths.items():
            if way != "fits":
                batches.os.sysconf = lambda name: 1  # as if there were hardly any memory: rows are read ahead singly
            data = DeviceData(open_store(path), torch.device("cpu"), TASK)
            settings = Training(batch_size=SIZE)
            run = Run(Small(), settings, data, data, digest="", checkpoint=Path(name) / "none")
            rows = data.batches(SIZE, data.order(1, 0).repeat(1 + SIZE * STEPS * (args.repeats + 1) // len(data)))

            def steps(run: Run = run, rows: Any = rows) -> None:
                for batch in islice(rows, STEPS):
                    run._update(batch)
                    run.progress.step += 1

            ways[way] = steps
        table = summarise(interleave(ways, args.repeats), "fits")
        table["sequences_per_second"] = SIZE * STEPS / table["seconds"]
        table["share_of_speed"] = table["times_straight"]
        started = time.perf_counter()
        for batch in data.batches(SIZE, data.order(2, 0)):
            float(batch.target[:, 0, 0].sum())
        gathered = time.perf_counter() - started
        stop.set()
        watcher.join()
        table["gigabytes"] = [path.stat().st_size / 1e9 for path in paths.values()]
        table["rows"] = [len(open_store(path)) for path in paths.values()]
        print(f"every row of the large store gathered once: {gathered:.0f} s, {len(data) / gathered:,.0f} rows/s")
    table = table.assign(own_peak_mb=peak[0], gathered_rows_per_second=len(data) / gathered, **place)
    publish(
        "stream_profiles",
        table.drop(columns="times_straight"),
        args.out,
        measures("way", {"sequences_per_second": "sequences/s", "share_of_speed": "share of speed", "gigabytes": "GB"}),
    )


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=9)
    parser.add_argument("--gigabytes", type=float, default=8.0, help="size of the large store (default 8)")
    parser.add_argument("--folder", type=Path, help="where the stores are written, and deleted (default: temporary)")
    main(parser.parse_args())
