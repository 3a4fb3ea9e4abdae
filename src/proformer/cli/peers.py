"""`proformer peers`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer measured --file Native_test_DanQ_model.csv --name native --medium complex --out native.tsv
  proformer peers --table native.tsv --medium complex --printed native_3733 \\
      --published DanQ=Native_test_DanQ_model.csv Transformer=Native_test_tpu_model.csv \\
      --predictions proformer:1=predictions.tsv --out scores.tsv --tests tests.tsv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--table", type=Path, required=True, help="evaluation table made by `proformer measured`")
    parser.add_argument("--title", help="what figures call the set (default: its name)")
    parser.add_argument("--medium", help="complex or defined: refuse published predictions of another")
    parser.add_argument("--flanks", nargs=2, default=("TGCATTTTTTTCACATC", "GGTTACGGCTGTT"), metavar=("LEFT", "RIGHT"))
    parser.add_argument("--printed", help="evaluation of published/peers.tsv whose numbers join the table")
    parser.add_argument("--published", nargs="*", default=[], metavar="MODEL=FILE", help="published prediction tables")
    parser.add_argument(
        "--predictions", nargs="*", default=[], metavar="MODEL:SEED=FILE", help="tables of `proformer predict`"
    )
    parser.add_argument("--simulated", action="store_true", help="simulated promoters: a perfect model's r beside")
    parser.add_argument("--samples", type=int, default=2000, help="of the bootstrap (default 2000)")
    parser.add_argument("--out", type=Path, required=True, help="table of scores")
    parser.add_argument("--tests", type=Path, required=True, help="table of paired tests")


def run(args: argparse.Namespace) -> None:
    """Score all models on one evaluation set."""
    from proformer.datasets.measured import published_predictions, read_evaluation
    from proformer.evaluation.peers import RECOMPUTED, Entry, printed, run_entry, score_set
    from proformer.files import write_table
    from proformer.simulate.perfect import perfect_sequences

    table = read_evaluation(args.table)
    flanks = tuple(args.flanks)
    entries = []
    for model, path in map(_named, args.published):
        entries.append(Entry(RECOMPUTED, model, "", published_predictions(path, table, args.medium, flanks)))
    for name, path in map(_named, args.predictions):
        model, _, seed = name.rpartition(":")
        entries.append(run_entry(model or seed, seed if model else "", path, table))
    name = str(table["set"].iloc[0])
    words = (name, args.title or name, args.medium or "")
    perfect = perfect_sequences(table["sequence"].tolist()) if args.simulated else None
    scores, tests = score_set(*words, table, entries, printed(args.printed), args.samples, perfect)
    write_table(args.out, scores)
    write_table(args.tests, tests)
    print(scores.drop(columns=["title", "note"]).to_string(index=False))


def _named(text: str) -> tuple[str, Path]:
    from proformer.errors import InputError

    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise InputError(f"model: found {text!r}, expected NAME=FILE")
    return name, Path(path)
