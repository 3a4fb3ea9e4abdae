"""`proformer benchmark`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer benchmark --out rates.tsv                     a minute or two; then
  proformer plan --configfile config/paper.yaml --rates rates.tsv
  proformer benchmark --out rates.tsv --device cuda --precision bf16

Short trainings on random sequences, and beside each what plain matrix products reach on the same device.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, required=True, help="table of rates, as `proformer plan --rates` takes it")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: as many as the process may use)")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32", help="default: %(default)s")
    parser.add_argument(
        "--shapes", nargs="+", default=["64/2/1", "64/2/2", "128/4/2", "256/8/2", "512/8/4"], metavar="W/H/N",
        help="width/heads/blocks (default: %(default)s)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Measure this machine."""
    from proformer.errors import InputError
    from proformer.files import write_table
    from proformer.planning.benchmark import measure

    try:
        shapes = [(int(d), int(h), int(n)) for d, h, n in (shape.split("/") for shape in args.shapes)]
    except ValueError:
        raise InputError(f"--shapes {' '.join(args.shapes)}: expected width/heads/blocks, such as 64/2/2") from None
    write_table(args.out, measure(args.device, args.threads, shapes, [args.precision]))
    print(f"rates in {args.out}")
