"""`proformer evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer evaluate --predictions predictions.tsv --truth filtered_test_data_with_MAUDE_expression.txt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--predictions", type=Path, required=True, help="table made by `proformer predict`")
    parser.add_argument(
        "--truth",
        type=Path,
        required=True,
        help="sequence<TAB>value, or a table of `proformer measured`: the same rows in the same order",
    )
    parser.add_argument("--out", type=Path, help="table: n, pearson, spearman, r2, mse")


def run(args: argparse.Namespace) -> None:
    """Compare one table with one file."""
    import pandas as pd

    from proformer.evaluation.compare import compare_files
    from proformer.files import write_table

    table = pd.DataFrame([compare_files(args.predictions, args.truth)])
    if args.out:
        write_table(args.out, table)
    print(table.to_string(index=False))
