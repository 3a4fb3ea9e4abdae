"""`proformer plan`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer plan                                          the demo
  proformer plan --configfile config/paper.yaml           GPU hours at the rate of the released training
  proformer plan --configfile config/paper.yaml --tflops 200
  proformer plan --configfile config/paper.yaml --rates rates.tsv
  proformer plan --configfile config/sample.yaml --rates results

Configuration files are read as Snakemake reads them: on top of config.yaml, in their order. Nothing is started.
--rates takes a table with the columns training_flops (per sequence) and sequences_per_second (of one device), or the
results of a run, whose models were timed while they trained.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--configfile", nargs="+", default=[], help="configuration files, as for snakemake")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("--rates", type=Path, help="measured rates: a table, or the results of a run")
    rate.add_argument("--rate", type=float, help="sequences/s that every model trains at, on one device")
    rate.add_argument("--tflops", type=float, help="TFLOP/s that every model reaches, on one device")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--tsv", action="store_true", help="a line per training, for programs")
    form.add_argument("--json", action="store_true", help="everything, for programs")


def run(args: argparse.Namespace) -> None:
    """Print the plan."""
    import json

    from proformer.errors import InputError
    from proformer.planning import plan, rates
    from proformer.planning.configuration import read_configuration

    for name in ("rate", "tflops"):
        if getattr(args, name) is not None and not getattr(args, name) > 0:
            raise InputError(f"--{name} {getattr(args, name):g}: expected more than 0")
    config, root = read_configuration(args.configfile)
    rate = rates.released() if config["device"] != "cpu" else None
    if args.rates:
        rate = rates.measured(args.rates)
    elif args.rate:
        rate = rates.given(args.rate)
    elif args.tflops:
        rate = rates.sustained(args.tflops)
    made = plan.make_plan(config, rate, plan.read_samples_of(config, root))
    if args.tsv:
        import pandas as pd

        print(pd.DataFrame(plan.as_dict(made)["trainings"]).to_csv(sep="\t", index=False), end="")
    else:
        print(json.dumps(plan.as_dict(made), indent=1) if args.json else plan.as_text(made))
