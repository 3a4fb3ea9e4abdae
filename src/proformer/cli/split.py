"""`proformer split`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer split --store all.safetensors --out train.safetensors validation.safetensors \\
      --fractions 0.10 0.02 --seed 1 --counts split.tsv
  proformer split --store windows.safetensors --out train.safetensors validation.safetensors \\
      --fractions 0.9 0.1 --by chromosome
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--store", type=Path, required=True, help="the store to draw from")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="one store per part, training first")
    parser.add_argument("--fractions", type=float, nargs="+", required=True, help="share of each part")
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

    if len(args.out) != len(args.fractions):
        raise InputError(f"{len(args.out)} outputs and {len(args.fractions)} fractions: expected as many of each")
    counts = split(args.store, args.out, args.fractions, args.seed, args.by, args.block)
    if args.counts:
        write_table(args.counts, counts)
    print(counts.to_string(index=False))
