"""`proformer describe`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer describe --config '{head: ap}' '{dim: 64, heads: 2}' --out ap.json meh.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", nargs="+", required=True, help="configs of Proformers as YAML, one per output")
    parser.add_argument("--out", nargs="+", type=Path, required=True, help="JSON files")


def run(args: argparse.Namespace) -> None:
    """Describe models for Figures 1 and 2a, as they are built."""
    import json

    from proformer.cli.train import read_config
    from proformer.errors import InputError
    from proformer.files import write_text
    from proformer.models import build
    from proformer.models.describe import describe
    from proformer.models.proformer import Proformer

    if len(args.config) != len(args.out):
        raise InputError(f"--out: found {len(args.out)} files, expected one for each of {len(args.config)} configs")
    for config, out in zip(args.config, args.out, strict=True):
        model = build(read_config(config, "--config"))
        if not isinstance(model, Proformer):
            raise InputError(f"--config: found {config}, expected a Proformer")
        write_text(out, json.dumps(describe(model), indent=2, ensure_ascii=False) + "\n")
