"""`proformer VERB …`: each verb is a module of this package with `add_arguments(parser)` and `run(args)`.

Only the verb that was asked for is imported, and verbs import numpy and torch inside `run`, so `--help` is instant.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

VERBS = {
    "fetch": "download catalogued data, resumed and checked against its digest",
    "simulate": "write simulated promoters in the file formats of the DREAM challenge",
    "simulate-atac": "write a simulated genome and the paired reads of an ATAC-seq experiment on it",
    "simulate-vaishnav": "write simulated evaluation sets in the file formats of Vaishnav et al.",
    "atac": "take an ATAC-seq experiment from reads to windows, step by step",
    "prepare": "turn a published sequence file into an encoded store",
    "split": "draw training and validation parts of a store",
    "measured": "read a published table of measured promoters, to predict and to score on",
    "nearest": "count the sequences that are nearly those of a training store",
    "train": "train one model",
    "train-pack": "train several small models by one job",
    "benchmark": "measure how fast this machine trains, for `plan`",
    "plan": "say what a configuration will take, before anything is started",
    "status": "say how far a run is, from its files",
    "predict": "predict expression for sequences",
    "evaluate": "compare predictions with measurements",
    "collect": "collect trained points into the tables of a grid",
    "test-grid": "test a grid table as the paper does: rank tests, means by level, spread over seeds",
    "score": "score predictions for the DREAM test set, subset by subset, and rank models",
    "peers": "score several models on one evaluation set, with intervals and paired tests",
    "public-test": "write the sequences of the DREAM test set whose values are public",
    "report-card": "hold the paper's claims on a figure against a run",
    "join": "join tables with the same columns",
    "describe": "describe models for Figures 1 and 2a, as they are built",
    "draw": "draw figures from their tables",
    "pages": "turn tables into pages that sort by their columns",
    "versions": "write what made the results: versions, hardware, revision, configuration",
    "compare": "print everything that was measured of a run's models, side by side",
    "import-weights": "turn weights of the original TensorFlow model into a model folder",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. Returns 0, or 2 after a one-line message when the input was wrong."""
    from proformer import __version__
    from proformer.errors import InputError
    from proformer.provenance import log_job

    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser("proformer", description="Expression from promoter sequences.")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for verb, summary in VERBS.items():
        sub = verbs.add_parser(
            verb, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if verb == asked:
            module = importlib.import_module(f"proformer.cli.{verb.replace('-', '_')}")
            sub.epilog = module.EXAMPLES
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    args = parser.parse_args(arguments)
    try:
        log_job({name: value for name, value in vars(args).items() if name != "run"})
        args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (InputError, OSError) as error:
        print(f"proformer {args.verb}: error: {error}", file=sys.stderr)
        return 2
    return 0
