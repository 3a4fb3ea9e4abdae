"""`proformer prepare`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer prepare --sequences train_sequences.txt.gz --out all.safetensors \\
      --flanks TGCATTTTTTTCACATC GGTTACGGCTGTT --length 100 --too-long drop --counts counts.tsv
  proformer prepare --sequences SSWM_testdata.csv ga_testdata.csv --medium complex --out designed.safetensors \\
      --flanks TGCATTTTTTTCACATC GGTTACGGCTGTT --wrong-flank partial
  proformer prepare --sequences mine.tsv --out mine.safetensors --length 150
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--sequences", type=Path, nargs="+", required=True, help="sequence<TAB>value, no header, or CSV"
    )
    parser.add_argument("--out", type=Path, required=True, help="the store (.safetensors)")
    parser.add_argument("--counts", type=Path, help="table of what was kept and filtered")
    parser.add_argument("--length", type=int, default=100, help="nucleotides kept per strand (default 100)")
    parser.add_argument("--flanks", nargs=2, default=("", ""), metavar=("LEFT", "RIGHT"), help="constant ends")
    parser.add_argument(
        "--too-long", choices=("error", "drop"), default="error", help="sequences longer than --length (default error)"
    )
    parser.add_argument(
        "--wrong-flank",
        choices=("error", "drop", "partial"),
        default="error",
        help="rows without whole flanks (default error); partial: cut as much of a flank as is there",
    )
    parser.add_argument("--medium", help="complex or defined: refuse a CSV table of another")


def run(args: argparse.Namespace) -> None:
    """Encode one file."""
    from proformer.datasets.prepare import Layout, prepare
    from proformer.files import write_table

    layout = Layout(args.length, tuple(args.flanks), args.too_long, args.wrong_flank)
    counts = prepare(args.sequences, args.out, layout, args.medium)
    if args.counts:
        write_table(args.counts, counts)
    print(counts.to_string(index=False))
