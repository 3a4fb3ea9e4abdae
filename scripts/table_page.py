"""Turn a TSV into a page that sorts by its columns."""

from __future__ import annotations

import argparse
from pathlib import Path

from proformer.files import read_table, write_text
from proformer.provenance import log_job
from proformer.tables import to_page

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    log_job(vars(args))
    write_text(args.out, to_page(read_table(args.table), args.table.name))
