"""`proformer collect`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer collect --dataset dream --models results/models/dataset~dream/dim~* --sequences validation.safetensors \\
      --grid grid.tsv --epochs epochs.tsv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--dataset", required=True, help="its name in the tables")
    add("--models", type=Path, nargs="+", required=True, help="model folders")
    add("--sequences", type=Path, required=True, help="store on which expression tokens are compared")
    add("--grid", type=Path, required=True, help="table to write: one row per point")
    add("--epochs", type=Path, required=True, help="table to write: one row per point and epoch")
    ideal = "simulated data: a perfect model's r beside; FOLDER: of the ATAC-seq experiment that windows are from"
    add("--simulated", nargs="?", const="", metavar="FOLDER", help=ideal)


def run(args: argparse.Namespace) -> None:
    """Collect trained points into the tables of a grid."""
    from proformer.datasets.store import open_store
    from proformer.evaluation.ceiling import store_ceiling
    from proformer.evaluation.collect import collect
    from proformer.files import write_table

    ceiling = None
    if args.simulated is not None:
        ceiling = store_ceiling(args.sequences, Path(args.simulated) if args.simulated else None)["pearson"]
    grid, epochs = collect(args.dataset, args.models, open_store(args.sequences), ceiling)
    write_table(args.grid, grid)
    write_table(args.epochs, epochs)
