"""Collect trained points into the tables of a grid: one row per point, one row per point and epoch."""

from __future__ import annotations

import argparse
from pathlib import Path

from proformer.datasets.store import open_store
from proformer.evaluation.ceiling import store_ceiling
from proformer.evaluation.collect import collect
from proformer.files import write_table
from proformer.provenance import log_job

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--models", type=Path, nargs="+", required=True, help="model folders")
    parser.add_argument("--sequences", type=Path, required=True, help="store on which expression tokens are compared")
    parser.add_argument("--grid", type=Path, required=True, help="table of points to write")
    parser.add_argument("--epochs", type=Path, required=True, help="table of epochs to write")
    parser.add_argument(
        "--simulated", nargs="?", const="", metavar="FOLDER",
        help="simulated data: a perfect model's r beside; FOLDER: of the ATAC-seq experiment that windows are from",
    )  # fmt: skip
    args = parser.parse_args()
    log_job(vars(args))
    ceiling = None
    if args.simulated is not None:
        ceiling = store_ceiling(args.sequences, Path(args.simulated) if args.simulated else None)["pearson"]
    grid, epochs = collect(args.dataset, args.models, open_store(args.sequences), ceiling)
    write_table(args.grid, grid)
    write_table(args.epochs, epochs)
