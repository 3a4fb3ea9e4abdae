"""Test a grid table as the paper does (Fig. 2c-g): rank tests, means by level, spread over seeds."""

from __future__ import annotations

import argparse

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.statistics import all_tests, checked, means, spread
from proformer.files import read_table, write_table
from proformer.provenance import log_job

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", required=True, help="table with dataset, dim, heads, blocks, head, seed, r")
    parser.add_argument("--tests", required=True, help="table of tests to write")
    parser.add_argument("--means", required=True, help="table of means by blocks, width and head to write")
    parser.add_argument("--spread", required=True, help="table of mean, sd, min and max over seeds to write")
    args = parser.parse_args()
    log_job(vars(args))
    try:
        grid = checked(read_table(args.grid), args.grid)
        tables = {args.tests: all_tests(grid), args.means: means(grid), args.spread: spread(grid)}
        for path, table in tables.items():
            write_table(path, table)
    except (InputError, OSError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
