"""`proformer simulate`: promoters from a biophysical model, in the file formats of the DREAM challenge."""

from __future__ import annotations

import argparse

EXAMPLES = """examples:
  proformer simulate --out simulated                              the embedded demo: 4,000 training and 1,000 test rows
  proformer simulate --out large --train 6739258 --test 71103 --gzip    as many rows as the challenge has

The model and its equations are documented in proformer/simulate/model.py; the same seed gives the same files.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write, made when missing")
    parser.add_argument("--train", type=int, default=4000, metavar="N", help="training rows (default: %(default)s)")
    parser.add_argument(
        "--test", type=int, default=1000, metavar="N", help="test rows, 100 or more (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="random seed, 0 or more (default: %(default)s)"
    )
    parser.add_argument("--gzip", action="store_true", help="pack the sequence files and the ground truth (.gz)")


def run(args: argparse.Namespace) -> None:
    """Write the files."""
    from proformer.simulate import write_dream

    write_dream(args.out, args.train, args.test, args.seed, args.gzip)
    print(f"simulate: wrote {args.train:,} training and {args.test:,} test promoters to {args.out}")
