"""`proformer test-grid`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer test-grid --grid results/tables/dream/run/grid.tsv --tests tests.tsv --means means.tsv --spread spread.tsv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--grid", type=Path, required=True, help="table with dataset, dim, heads, blocks, head, seed, r")
    add("--tests", type=Path, required=True, help="table of tests to write")
    add("--means", type=Path, required=True, help="table of means by blocks, width and head to write")
    add("--spread", type=Path, required=True, help="table of mean, sd, min and max over seeds to write")


def run(args: argparse.Namespace) -> None:
    """Test a grid table as the paper does (Fig. 2c-g)."""
    from proformer.evaluation.statistics import all_tests, checked, means, spread
    from proformer.files import read_table, write_table

    grid = checked(read_table(args.grid), args.grid)
    tables = {args.tests: all_tests(grid), args.means: means(grid), args.spread: spread(grid)}
    for path, table in tables.items():
        write_table(path, table)
