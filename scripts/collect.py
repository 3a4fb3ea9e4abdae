"""Collect trained points into the tables of a grid: one row per point, one row per point and epoch."""

from __future__ import annotations

import argparse
from pathlib import Path

from proformer.datasets.store import open_store
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
    args = parser.parse_args()
    log_job(vars(args))
    grid, epochs = collect(args.dataset, args.models, open_store(args.sequences))
    write_table(args.grid, grid)
    write_table(args.epochs, epochs)
