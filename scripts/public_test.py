"""Write the sequences of the DREAM test set whose values are public: sequence<TAB>value, by row of the test set."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from proformer.errors import InputError
from proformer.evaluation.dream import read_benchmark
from proformer.files import write_text
from proformer.provenance import log_job

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subsets", type=Path, nargs="+", required=True, help="tables or folders of the test subsets")
    parser.add_argument(
        "--leaderboard", type=Path, nargs="+", required=True, help="files or folders of the leaderboard"
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    args = parser.parse_args()
    log_job(vars(args))
    try:
        benchmark = read_benchmark("public", None, args.subsets, args.leaderboard)
    except (InputError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    measured = set(np.flatnonzero(np.isfinite(benchmark.truth)).tolist())
    rows = sorted(measured & benchmark.sequences.keys())
    write_text(args.out, "".join(f"{benchmark.sequences[row]}\t{float(benchmark.truth[row])!r}\n" for row in rows))
    print(f"{len(rows):,} of {len(measured):,} public rows have a known sequence")
