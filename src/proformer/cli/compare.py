"""`proformer compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer compare --results results
  proformer compare --results results/sample --metric pearson --evaluation validation
  proformer compare --results results --out everything.tsv --truth dream/test=filtered_test_data.txt

Without --out, the table that the workflow wrote is printed; where there is none yet, what is finished is gathered.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--results", type=Path, default=Path("results"), help="folder of a run (default: results)")
    add("--metric", help="print this metric alone")
    add("--evaluation", help="print this evaluation set alone")
    add("--out", type=Path, help="gather everything, and write the table")
    add("--points", nargs="+", help="folders below RESULTS/models to gather (default: all that are finished)")
    add("--truth", nargs="*", default=[], metavar="DATASET/SET=FILE", help="measured: see `proformer evaluate`")
    add("--dream", type=Path, nargs="*", default=[], help="tables of `proformer score`")
    ideal = "simulated data sets: a perfect model's r beside; FOLDER: of the ATAC-seq experiment of windows"
    add("--simulated", nargs="*", default=[], metavar="DATASET[=FOLDER]", help=ideal)
    add("--called", nargs="*", default=[], metavar="POINT=NAME", help="names of the points in them")


def run(args: argparse.Namespace) -> None:
    """Print the comparison, and write it when asked to."""
    from proformer.errors import InputError
    from proformer.evaluation.comparison import compare
    from proformer.files import read_table, write_table

    written = args.results / "tables" / "comparison.tsv"
    if args.out or not written.is_file():
        truth = {name: Path(file) for name, file in map(_named, args.truth)}
        pairs = (text.partition("=") for text in args.simulated)
        simulated = {name: Path(folder) if folder else None for name, _, folder in pairs}
        table = compare(args.results, args.points, truth, args.dream, dict(map(_named, args.called)), simulated)
    else:
        table = read_table(written)
    if args.out:
        write_table(args.out, table)
    for column in ("metric", "evaluation"):
        wanted = getattr(args, column)
        if wanted and wanted not in set(table[column]):
            known = ", ".join(sorted(set(table[column])))
            raise InputError(f"--{column} {wanted}: not in this run; there are {known}")
        table = table[table[column] == wanted] if wanted else table
    hidden = ["hardware", "precision", "run", "config", "best_epoch"]
    shown = table.drop(columns=hidden).dropna(axis="columns", how="all")
    print(shown.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4g}"))


def _named(text: str) -> tuple[str, str]:
    from proformer.errors import InputError

    # The names of grid points contain no "=", those of files may.
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InputError(f"found {text!r}, expected NAME=VALUE")
    return name, value
