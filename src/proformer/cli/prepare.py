"""`proformer prepare`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer prepare --sequences train_sequences.txt.gz --out all.safetensors \\
      --flanks TGCATTTTTTTCACATC GGTTACGGCTGTT --length 100 --too-long drop --counts counts.tsv
  proformer prepare --sequences mine.tsv --out mine.safetensors --length 150
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--sequences", type=Path, required=True, help="sequence<TAB>value, no header; plain or gz")
    parser.add_argument("--out", type=Path, required=True, help="the store (.safetensors)")
    parser.add_argument("--counts", type=Path, help="table of what was kept and filtered")
    parser.add_argument("--length", type=int, default=100, help="nucleotides kept per strand (default 100)")
    parser.add_argument("--flanks", nargs=2, default=("", ""), metavar=("LEFT", "RIGHT"), help="constant ends")
    for name, what in (("--too-long", "sequences longer than --length"), ("--wrong-flank", "rows without the flanks")):
        parser.add_argument(name, choices=("error", "drop"), default="error", help=f"{what} (default error)")


def run(args: argparse.Namespace) -> None:
    """Encode one file."""
    from proformer.datasets.prepare import Layout, prepare
    from proformer.files import write_table

    layout = Layout(args.length, tuple(args.flanks), args.too_long, args.wrong_flank)
    counts = prepare(args.sequences, args.out, layout)
    if args.counts:
        write_table(args.counts, counts)
    print(counts.to_string(index=False))
