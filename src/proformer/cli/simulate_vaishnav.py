"""`proformer simulate-vaishnav`: simulated evaluation sets in the file formats of Vaishnav et al."""

from __future__ import annotations

import argparse

EXAMPLES = """examples:
  proformer simulate-vaishnav --out simulated_vaishnav --native 400 --random 400 --drift 150
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write, made when missing")
    for name, default in (("native", 400), ("random", 400), ("drift", 150)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help="rows (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="random seed (default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Write the files."""
    from proformer.simulate.vaishnav import write_vaishnav

    write_vaishnav(args.out, args.native, args.random, args.drift, args.seed)
    print(f"simulate-vaishnav: wrote {args.native} + {args.random} + {args.drift} measured promoters to {args.out}")
