"""Join the scores of single models into one table; the point is read off each file's path."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from proformer.files import read_table, write_table
from proformer.provenance import log_job

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="tables of `proformer evaluate`")
    parser.add_argument("--out", type=Path, required=True, help="table to write")
    args = parser.parse_args()
    log_job(vars(args))
    rows = []
    for path in args.scores:
        point = dict(part.split("~") for part in [path.parts[-3], *path.parts[-2].split("_")])
        rows.append(read_table(path).assign(**point))
    # Measured test values are on another scale than the training values: only correlations mean something.
    table = pd.concat(rows, ignore_index=True).drop(columns="mse")
    write_table(args.out, table[[*point, *table.columns.drop([*point])]])
