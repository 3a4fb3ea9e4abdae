"""How long until something happens? The command line's help, opening a store, and the first training step.

    python benchmarks/startup.py --repeats 5

Each measurement is a process of its own, from its start; a training ends itself after its first step.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from harness import arguments, interleave, measures, pin, publish
from packs import write_stores

FIRST_STEP = """
import os, sys
from proformer.training import loop
update = loop.Run._update
def first(self, *batch):
    update(self, *batch)
    os._exit(0)
loop.Run._update = first
from proformer.cli import main
main(sys.argv[1:])
"""
OPEN = """
import sys, time
from proformer.datasets.store import open_store
started = time.perf_counter()
store = open_store(sys.argv[1])
print(len(store), time.perf_counter() - started)
"""


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin(args.device, args.threads)
    with tempfile.TemporaryDirectory() as folder:
        stores = write_stores(Path(folder), 20_000)

        def run(*words: object) -> None:
            done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)

        data = ("--train", stores[0], "--validation", stores[1], "--out", f"{folder}/model", "--threads", args.threads)
        device = ("--device", place["device"])
        ways = {"proformer --help": lambda: run("-m", "proformer", "--help")}
        for shape in ("{dim: 64, heads: 2, blocks: 2}", "{dim: 512, heads: 8, blocks: 4}"):
            config = f"{{model: {shape}, training: {{batch_size: 8}}}}"
            ways[f"first training step, {shape}"] = lambda config=config: run(
                "-c", FIRST_STEP, "train", "--config", config, *data, *device
            )
        seconds = interleave(ways, args.repeats)
        for path in [f"{folder}/all", *args.stores]:
            found = subprocess.run([sys.executable, "-c", OPEN, path], check=True, capture_output=True, text=True)
            rows, opened = found.stdout.split()
            seconds[f"open a store of {int(rows):,} sequences"] = [float(opened)]
    table = pd.DataFrame(
        {"what": what, "seconds": pd.Series(times).median(), "fastest": min(times), "slowest": max(times)}
        for what, times in seconds.items()
    )
    publish(f"startup_{place['device']}", table.assign(**place), args.out, measures("what", {"seconds": "seconds"}))


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=5)
    parser.add_argument("--stores", nargs="*", default=[], help="further stores to open")
    main(parser.parse_args())
