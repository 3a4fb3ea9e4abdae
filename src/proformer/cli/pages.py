"""`proformer pages`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer pages --tables results/tables --out pages --captions '{dream/run/grid: One row per model.}'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--captions", required=True, help="YAML file, or text: name of a table: its caption")
    parser.add_argument("--tables", type=Path, required=True, help="folder of the tables, NAME.tsv")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.html, and NAME.rst, the caption")


def run(args: argparse.Namespace) -> None:
    """Turn tables into pages that sort by their columns, each with its caption beside it."""
    from proformer.cli.train import read_config
    from proformer.files import read_table, write_text
    from proformer.tables import to_page

    for name, caption in read_config(args.captions, "--captions").items():
        path = args.tables / f"{name}.tsv"
        write_text(args.out / f"{name}.html", to_page(read_table(path), path.name))
        write_text(args.out / f"{name}.rst", f"{caption}\n")
