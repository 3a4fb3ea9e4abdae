"""Hold the paper's claims on Fig. 4b against a run's differences between models; write the verdicts as TSV and HTML."""

from __future__ import annotations

import argparse

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation import claims, claims_scores
from proformer.files import read_table, write_table, write_text
from proformer.provenance import log_job

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--differences", required=True, help="table of `proformer score --differences`")
    parser.add_argument("--note", default="", help="what the run was, in a sentence")
    parser.add_argument("--simulated", action="store_true", help="the run's data are simulated")
    parser.add_argument("--out", required=True, help="table to write")
    parser.add_argument("--html", required=True, help="page to write")
    args = parser.parse_args()
    log_job(vars(args))
    try:
        card = claims_scores.report_card(read_table(args.differences))
        card = claims.as_simulated(card) if args.simulated else card
        write_table(args.out, card)
        write_text(args.html, claims.to_html(card, args.note, "Report card: the claims on Figure 4"))
    except (InputError, OSError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
