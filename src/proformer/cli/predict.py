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
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    add = parser.add_argument
    add("--sequences", type=Path, nargs="+", required=True, help="TSV (first column) or FASTA files, plain or gz")
    add("--out", type=Path, nargs="+", required=True, help="table for each file: name, sequence, prediction")
    parser.add_argument("--trimmed", action="store_true", help="the sequences come without the constant flanks")
    parser.add_argument("--batch-size", type=int, help="sequences at once (default: by the model's size)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default)")
    parser.add_argument("--threads", type=int, help="CPU threads")


def run(args: argparse.Namespace) -> None:
    """Predict the files with one model."""
    from proformer.errors import InputError
    from proformer.models.folder import read_folder
    from proformer.predict import predict_file
    from proformer.training.device import choose_device, set_up

    device = choose_device(args.device)
    set_up(device, args.threads, None)
    if len(args.sequences) != len(args.out):
        raise InputError(f"--out: {len(args.out)} tables, expected one for each of {len(args.sequences)} files")
    model = read_folder(args.model, device)
    for sequences, out in zip(args.sequences, args.out, strict=True):
        count = predict_file(model, sequences, out, args.batch_size, args.trimmed)
        print(f"{count:,} predictions in {out}")
