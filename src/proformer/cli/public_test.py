"""`proformer public-test`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer public-test --subsets test_subset_ids --leaderboard public_leaderboard_ids --out public.tsv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--subsets", type=Path, nargs="+", required=True, help="tables or folders of the test subsets")
    add("--leaderboard", type=Path, nargs="+", required=True, help="files or folders of the leaderboard")
    add("--out", type=Path, required=True, help="file to write: sequence<TAB>value, by row of the test set")


def run(args: argparse.Namespace) -> None:
    """Write the sequences of the DREAM test set whose values are public."""
    import numpy as np

    from proformer.evaluation.dream import read_benchmark
    from proformer.files import write_text

    benchmark = read_benchmark("public", None, args.subsets, args.leaderboard)
    measured = set(np.flatnonzero(np.isfinite(benchmark.truth)).tolist())
    rows = sorted(measured & benchmark.sequences.keys())
    write_text(args.out, "".join(f"{benchmark.sequences[row]}\t{float(benchmark.truth[row])!r}\n" for row in rows))
    print(f"{len(rows):,} of {len(measured):,} public rows have a known sequence")
