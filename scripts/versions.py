"""Write the table of what made the results: versions, hardware, revision, configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from proformer.files import write_table
from proformer.provenance import describe_run, log_job

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the resolved configuration, as text")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    log_job(vars(args))
    write_table(args.out, describe_run(args.config))
