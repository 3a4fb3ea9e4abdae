"""`proformer train-pack`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer train-pack --jobs pack.yaml --train train.safetensors --validation validation.safetensors \\
      --results results --device cuda
where pack.yaml holds a line per model, as `proformer train --config` takes it:
  small: {model: {dim: 64, heads: 2, blocks: 1}, training: {epochs: 5}}
  deep: {model: {dim: 64, heads: 2, blocks: 8}, training: {epochs: 5}}
The models come to RESULTS/models/NAME. The same command again goes on where it stopped.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--jobs", required=True, help="YAML file, or YAML text: name of a model: its config")
    parser.add_argument("--train", type=Path, required=True, help="store of training sequences")
    parser.add_argument("--validation", type=Path, required=True, help="store of validation sequences")
    parser.add_argument("--results", type=Path, required=True, help="folder for models, checkpoints and logs")
    parser.add_argument("--checkpoint-minutes", type=float, default=10, help="minutes between checkpoints (default 10)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each training (default 1)")
    parser.add_argument(
        "--cpus", type=int, help="but for cuda: CPU threads of all that train at the same time (default: all do)"
    )
    parser.add_argument(
        "--since", type=Path, nargs="*", default=[], help="files: finished models older than one are trained again"
    )


def run(args: argparse.Namespace) -> None:
    """Train several models in one job."""
    from proformer.cli.train import read_config
    from proformer.errors import InputError
    from proformer.training.lock import alone
    from proformer.training.pack import train_pack

    jobs = read_config(args.jobs, "--jobs")
    at_once = max(1, args.cpus // args.threads) if args.cpus and args.device != "cuda" else None
    if missing := [file for file in (args.train, args.validation, *args.since) if not file.is_file()]:
        raise InputError(f"{missing[0]}: no such file")
    options = ["--train", str(args.train), "--validation", str(args.validation), "--device", args.device]
    options += ["--checkpoint-minutes", str(args.checkpoint_minutes), "--threads", str(args.threads)]
    with alone(args.results / "checkpoints" / f"{next(iter(jobs), '')}.pack.lock"):
        files = [args.train, args.validation, *args.since]
        train_pack(jobs, args.results, options, args.device != "cpu", at_once, files)
