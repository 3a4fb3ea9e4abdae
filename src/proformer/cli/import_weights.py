"""`proformer import-weights`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer import-weights --weights original.npz --out model --mean 11.15 --sd 2.35 \\
      --config '{kmer: 10, dim: 512, heads: 8, blocks: 4, head: meh, expression_heads: 32}'

The weights are named arrays in Keras layout, as .npz or .safetensors; `proformer.models.original` lists the names.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--weights", type=Path, required=True, help=".npz or .safetensors with the original's arrays")
    parser.add_argument("--config", default="{}", help="YAML text: model keys that differ from the final model's")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--mean", type=float, default=0.0, help="mean of the training targets (default 0)")
    parser.add_argument("--sd", type=float, default=1.0, help="sd of the training targets (default 1)")
    parser.add_argument(
        "--flanks", nargs=2, default=("TGCATTTTTTTCACATC", "GGTTACGGCTGTT"), metavar=("LEFT", "RIGHT"),
        help="constant ends of the sequences (default: those of the DREAM promoters)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Convert one file."""
    import yaml

    from proformer.models.original import import_weights

    folder = import_weights(
        args.weights, args.out, yaml.safe_load(args.config) or {}, args.mean, args.sd, tuple(args.flanks)
    )
    print(f"model folder written: {folder}")
