"""`proformer join`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer join --tables A.tsv B.tsv --out both.tsv
  proformer join --tables grid.tsv --where dream --out dream.tsv        rows whose first cell is dream
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="tables with the same columns")
    parser.add_argument("--where", metavar="VALUE", help="keep rows whose first cell is this (default: all)")
    parser.add_argument("--out", type=Path, required=True, help="table to write")


def run(args: argparse.Namespace) -> None:
    """Join tables, line by line as they are."""
    from proformer.errors import InputError
    from proformer.files import write_text

    head, rows = "", []
    for path in args.tables:
        first, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True) or [""]
        head = head or first
        if first != head:
            raise InputError(f"{path}, line 1: found {first.strip()!r}, expected {head.strip()!r}")
        rows += [line for line in lines if args.where in (None, line.split("\t")[0])]
    write_text(args.out, head + "".join(rows))
