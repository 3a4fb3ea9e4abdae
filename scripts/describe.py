"""Describe models for Figures 1 and 2a: stages, shapes and parameter counts as JSON, read off the built model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import yaml

from proformer.files import write_text
from proformer.models import build
from proformer.models.describe import describe
from proformer.provenance import log_job

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", nargs="+", required=True, help="model configs as YAML text, one per output")
    parser.add_argument("--out", nargs="+", type=Path, required=True, help="JSON files")
    args = parser.parse_args()
    log_job(vars(args))
    for config, out in zip(args.config, args.out, strict=True):
        write_text(out, json.dumps(describe(build(yaml.safe_load(config))), indent=2, ensure_ascii=False) + "\n")
