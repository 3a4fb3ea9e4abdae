"""`proformer train`."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import Any

EXAMPLES = """examples:
  proformer train --train train.safetensors --validation validation.safetensors --out model \\
      --config '{model: {dim: 64, heads: 2, blocks: 2, kmer: 5}, training: {epochs: 5, batch_size: 128}}'
  proformer train --config run.yaml --train train.safetensors --validation validation.safetensors \\
      --out model --device cuda

The same command again goes on from the last checkpoint.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", default="{}", help="YAML file, or YAML text, with the keys model and training")
    parser.add_argument("--train", type=Path, required=True, help="store of training sequences")
    parser.add_argument("--validation", type=Path, required=True, help="store of validation sequences")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--checkpoint", type=Path, help="where to keep the checkpoint (default OUT/checkpoint.pt)")
    parser.add_argument("--checkpoint-minutes", type=float, default=10, help="minutes between checkpoints (default 10)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: as many as the process may use)")
    parser.add_argument("--tensorboard", type=Path, help="folder for a TensorBoard log")


def run(args: argparse.Namespace) -> None:
    """Train one model; its state stands beside the checkpoint until the folder is complete."""
    from proformer.training.lock import alone
    from proformer.training.progress import ProgressFile, progress_path

    checkpoint = args.checkpoint or args.out / "checkpoint.pt"
    state = ProgressFile(progress_path(checkpoint))
    with nullcontext() if state.silent else alone(checkpoint.with_suffix(".lock")), state:
        from proformer.training.run import train

        train(
            read_config(args.config, "--config"),
            args.train,
            args.validation,
            args.out,
            checkpoint,
            device=args.device,
            threads=args.threads,
            checkpoint_minutes=args.checkpoint_minutes,
            tensorboard=args.tensorboard,
            state=state,
        )


def read_config(text: str, option: str) -> dict[str, Any]:
    """Settings from YAML text that begins with a brace, or from a YAML file. Raises InputError for anything else."""
    import yaml

    from proformer.errors import InputError

    if not text.lstrip().startswith("{"):
        if not Path(text).is_file():
            raise InputError(f"{text}: no such config file")
        text = Path(text).read_text(encoding="utf-8")
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{option}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(config, dict):
        raise InputError(f"{option}: expected keys and values, such as model and training")
    return config
