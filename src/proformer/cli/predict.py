"""`proformer predict`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer predict --model results/models/…/ --sequences test_sequences.txt --out predictions.tsv
  proformer predict --model model --sequences promoters.fa.gz --trimmed --out predictions.tsv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--model", type=Path, nargs="+", required=True, help="model folders")
    add("--sequences", type=Path, nargs="+", required=True, help="TSV (first column) or FASTA files, plain or gz")
    add("--out", type=Path, nargs="+", required=True, help="tables (name, sequence, prediction): each file's, by model")
    parser.add_argument("--trimmed", action="store_true", help="the sequences come without the constant flanks")
    parser.add_argument("--batch-size", type=int, help="sequences at once (default: by the model's size)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default)")
    parser.add_argument("--threads", type=int, help="CPU threads")


def run(args: argparse.Namespace) -> None:
    """Predict all files with each model."""
    from proformer.errors import InputError
    from proformer.models.folder import read_folder
    from proformer.predict import predict_file
    from proformer.training.device import choose_device, set_up

    device = choose_device(args.device)
    set_up(device, args.threads, None)
    if len(args.model) * len(args.sequences) != len(args.out):
        raise InputError(
            f"--out: {len(args.out)} tables, expected one for each of {len(args.model)} models and"
            f" {len(args.sequences)} files"
        )
    tables = iter(args.out)
    for folder in args.model:
        model = read_folder(folder, device)
        for sequences in args.sequences:
            out = next(tables)
            count = predict_file(model, sequences, out, args.batch_size, args.trimmed)
            print(f"{count:,} predictions in {out}")
