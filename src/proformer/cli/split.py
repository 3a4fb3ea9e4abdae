"""`proformer split`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer split --store all.safetensors --out train.safetensors validation.safetensors \\
      --fractions 0.10 0.02 --seed 1 --counts split.tsv
  proformer split --store windows.safetensors --out train.safetensors validation.safetensors \\
      --fractions 0.9 0.1 --by chromosome
  proformer split --store windows.safetensors --out train.safetensors validation.safetensors test.safetensors \\
      --chromosomes '' chr9 chr8
  proformer split --store mpra.safetensors --out train.safetensors validation.safetensors test.safetensors \\
      --folds 10 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--store", type=Path, required=True, help="the store to draw from")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="one store per part, training first")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--fractions", type=float, nargs="+", help="share of each part; 0: an empty part")
    how.add_argument(
        "--chromosomes", nargs="+", metavar="NAMES", help="chromosomes of each part, with commas; '': all that are left"
    )
    how.add_argument(
        "--folds",
        type=int,
        nargs="+",
        metavar="N",
        help="how many, and which one (from 0) tests; with a third number, validation is one of so many nested folds",
    )
    how.add_argument("--parts", type=Path, metavar="FILE", help="a line per row: the number of its part, or -1")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw (default 1)")
    parser.add_argument(
        "--by", choices=("random", "chromosome"), default="random", help="what to draw (default random)"
    )
    parser.add_argument("--block", type=int, metavar="BP", help="with --by chromosome: stretches instead of whole ones")
    parser.add_argument("--counts", type=Path, help="table of the parts' sizes, means and spreads")


def run(args: argparse.Namespace) -> None:
    """Split one store."""
    from proformer.datasets.prepare import split
    from proformer.errors import InputError
    from proformer.files import write_table

    for name, given in (("fractions", args.fractions), ("chromosomes", args.chromosomes)):
        if given and len(args.out) != len(given):
            raise InputError(f"{len(args.out)} outputs and {len(given)} {name}: expected as many of each")
    if args.folds and not (len(args.folds) in (2, 3) and len(args.out) == 3):
        raise InputError(f"--folds {args.folds} and {len(args.out)} outputs: expected 2 or 3 numbers and 3 outputs")
    counts = split(
        args.store,
        args.out,
        args.fractions or (),
        args.seed,
        args.by,
        args.block,
        chromosomes=args.chromosomes and [[name for name in part.split(",") if name] for part in args.chromosomes],
        folds=args.folds and (*args.folds, None)[:3],
        file=args.parts,
    )
    if args.counts:
        write_table(args.counts, counts)
    print(counts.to_string(index=False))
