"""`proformer measured`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer measured --file Drift_testdata.csv --name drift --medium complex --out drift.tsv --sequences drift.txt
  proformer predict --model model --sequences drift.txt --out predictions.tsv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--file", type=Path, required=True, help="CSV of measured promoters, or sequence<TAB>value")
    parser.add_argument("--name", required=True, help="name of the evaluation set")
    parser.add_argument("--medium", help="complex or defined: refuse a table of another")
    parser.add_argument("--rows", type=int, help="refuse a file with another number of rows")
    parser.add_argument(
        "--flanks",
        nargs=2,
        default=("TGCATTTTTTTCACATC", "GGTTACGGCTGTT"),
        metavar=("LEFT", "RIGHT"),
        help="constant ends, found where they are not whole, too (default: the yeast constructs')",
    )
    parser.add_argument("--out", type=Path, required=True, help="table: set, name, sequence, expression, role, …")
    parser.add_argument("--sequences", type=Path, help="sequence<TAB>value with whole flanks, for `proformer predict`")
    parser.add_argument("--counts", type=Path, help="table of what was found")


def run(args: argparse.Namespace) -> None:
    """Read one file."""
    from proformer.datasets.measured import evaluation_table
    from proformer.files import write_table, write_text

    table, counts = evaluation_table(args.name, args.file, args.medium, args.rows, tuple(args.flanks))
    write_table(args.out, table)
    if args.sequences:
        rows = zip(table["sequence"], table["expression"], strict=True)
        write_text(args.sequences, "".join(f"{sequence}\t{value:.10g}\n" for sequence, value in rows))
    if args.counts:
        write_table(args.counts, counts)
    print(counts.to_string(index=False))
