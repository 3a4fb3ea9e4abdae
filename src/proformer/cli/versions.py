"""`proformer versions`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer versions --config '{seeds: [1]}' --out versions.tsv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", required=True, help="the whole configuration, as text")
    parser.add_argument("--out", type=Path, required=True, help="table to write")


def run(args: argparse.Namespace) -> None:
    """Write what made the results: versions, hardware, revision, configuration."""
    from proformer.files import write_table
    from proformer.provenance import describe_run

    write_table(args.out, describe_run(args.config))
