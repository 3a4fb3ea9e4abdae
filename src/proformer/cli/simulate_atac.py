"""`proformer simulate-atac`: a genome with accessible regions and the paired reads of an ATAC-seq experiment on it."""

from __future__ import annotations

import argparse

EXAMPLES = """examples:
  proformer simulate-atac --out simulated_atac                         the embedded demo: 600 kb, two libraries
  proformer simulate-atac --out deep --pairs 1000000 --libraries 3     more reads of the same genome

The model is documented in proformer/simulate/atac.py, the files in proformer/simulate/experiment.py; the same seed
gives the same files.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write, made when missing")
    parser.add_argument(
        "--genome-size", type=int, default=600_000, metavar="BP", help="bp without chrM (default: %(default)s)"
    )
    parser.add_argument(
        "--pairs", type=int, default=24_000, metavar="N", help="read pairs per library (default: %(default)s)"
    )
    parser.add_argument("--libraries", type=int, default=2, metavar="N", help="replicates (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="random seed, 0 or more (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> None:
    """Write the files."""
    from proformer.simulate.experiment import write_atac

    write_atac(args.out, args.genome_size, args.pairs, args.libraries, args.seed)
    print(f"simulate-atac: wrote {args.libraries} libraries of {args.pairs:,} read pairs to {args.out}")
