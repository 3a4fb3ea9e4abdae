"""Hold the paper's claims on Fig. 2 or 3 against a run's grid table; write the verdicts as TSV and HTML."""

from __future__ import annotations

import argparse

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation import claims, claims_atac
from proformer.evaluation.statistics import checked, published_grid
from proformer.files import read_table, write_table, write_text
from proformer.provenance import log_job

# The claims on a figure and the name of its data set in the published table.
FIGURES = {"2": (claims.CLAIMS, "dream"), "3": (claims_atac.CLAIMS, claims_atac.DATASET)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", help="grid table of the paper (default: the one that comes with the library)")
    parser.add_argument("--run", required=True, help="grid table of the run")
    parser.add_argument("--dataset", default="dream", help="data set to judge (default: %(default)s)")
    parser.add_argument("--note", default="", help="what the run was, in a sentence")
    parser.add_argument("--simulated", action="store_true", help="the run's data are simulated")
    parser.add_argument("--figure", choices=FIGURES, default="2", help="whose claims (default: %(default)s)")
    parser.add_argument("--out", required=True, help="table to write")
    parser.add_argument("--html", required=True, help="page to write")
    args = parser.parse_args()
    log_job(vars(args))
    try:
        published = checked(read_table(args.published), args.published) if args.published else published_grid()
        listed, name = FIGURES[args.figure]
        name = args.dataset if args.dataset in set(published["dataset"]) else name
        run = checked(read_table(args.run), args.run)
        card = claims.report_card(published, run, args.dataset, listed, name, args.simulated)
        write_table(args.out, card)
        title = f"Report card: the claims on Figure {args.figure}"
        write_text(args.html, claims.to_html(card, args.note, title))
    except (InputError, OSError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
