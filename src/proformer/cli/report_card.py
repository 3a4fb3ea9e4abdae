"""`proformer report-card`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer report-card --run results/tables/dream/run/grid.tsv --out card.tsv --html card.html
  proformer report-card --figure 4 --run results/tables/dream/run/differences.tsv --out card.tsv --html card.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--figure", choices=("2", "3", "4"), default="2", help="whose claims (default: %(default)s)")
    add("--run", type=Path, required=True, dest="table", help="grid table of the run; Figure 4: its differences")
    add("--published", type=Path, help="grid table of the paper (default: the one that comes with the library)")
    add("--dataset", default="dream", help="data set to judge (default: %(default)s)")
    add("--simulated", action="store_true", help="the run's data are simulated")
    add("--note", default="", help="what the run was, in a sentence")
    add("--out", type=Path, required=True, help="table to write")
    add("--html", type=Path, required=True, help="page to write")


def run(args: argparse.Namespace) -> None:
    """Hold the paper's claims on a figure against a run."""
    from proformer.evaluation import claims, claims_atac, claims_scores
    from proformer.evaluation.statistics import checked, published_grid
    from proformer.files import read_table, write_table, write_text

    if args.figure == "4":
        card = claims_scores.report_card(read_table(args.table))
        card = claims.as_simulated(card) if args.simulated else card
    else:
        listed, name = {"2": (claims.CLAIMS, "dream"), "3": (claims_atac.CLAIMS, claims_atac.DATASET)}[args.figure]
        published = checked(read_table(args.published), args.published) if args.published else published_grid()
        name = args.dataset if args.dataset in set(published["dataset"]) else name
        run = checked(read_table(args.table), args.table)
        card = claims.report_card(published, run, args.dataset, listed, name, args.simulated)
    write_table(args.out, card)
    write_text(args.html, claims.to_html(card, args.note, f"Report card: the claims on Figure {args.figure}"))
