"""`proformer nearest`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer nearest --store all.safetensors --sequences evaluation.txt --within 5 --out nearest.tsv

Exact up to --within mismatches, both strands; the store streams past an index of the sequences.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--store", type=Path, required=True, help="the sequences trained on, made by `proformer prepare`"
    )
    parser.add_argument("--sequences", type=Path, required=True, help="TSV whose first column is the construct")
    parser.add_argument("--name", default="sequences", help="what the table calls them")
    parser.add_argument("--against", default="training", help="what the table calls the store")
    parser.add_argument("--within", type=int, default=5, help="mismatches up to which distances are exact (default 5)")
    parser.add_argument("--warn-distance", type=int, default=3, help="near means at most this far (default 3)")
    parser.add_argument("--warn-share", type=float, default=0.01, help="warn when more are near (default 0.01)")
    parser.add_argument("--out", type=Path, help="table: how many are identical, within 1, 2, …")
    parser.add_argument("--distances", type=Path, help="table: distance, nearest row and strand of each sequence")


def run(args: argparse.Namespace) -> None:
    """Compare one file with one store."""
    import sys

    from proformer.datasets.nearest import nearest, summary
    from proformer.datasets.store import open_store
    from proformer.files import write_table

    found = nearest(open_store(args.store), args.sequences, args.within, progress=True)
    table = summary(args.name, args.against, found, args.within, args.warn_distance, args.warn_share)
    if args.out:
        write_table(args.out, table)
    if args.distances:
        write_table(args.distances, found)
    print(table.drop(columns="warning").to_string(index=False))
    for warning in filter(None, table["warning"]):
        print(f"warning: {args.name} against {args.against}: {warning}", file=sys.stderr)
