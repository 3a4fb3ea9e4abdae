"""Hold the paper's claims on Fig. 2 against a run's grid table; write the verdicts as TSV and HTML."""

from __future__ import annotations

import argparse

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.claims import report_card, to_html
from proformer.evaluation.statistics import checked, published_grid
from proformer.files import read_table, write_table, write_text

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", help="grid table of the paper (default: the one that comes with the library)")
    parser.add_argument("--run", required=True, help="grid table of the run")
    parser.add_argument("--dataset", default="dream", help="data set to judge (default: %(default)s)")
    parser.add_argument("--note", default="", help="what the run was, in a sentence")
    parser.add_argument("--out", required=True, help="table to write")
    parser.add_argument("--html", required=True, help="page to write")
    args = parser.parse_args()
    try:
        published = checked(read_table(args.published), args.published) if args.published else published_grid()
        card = report_card(published, checked(read_table(args.run), args.run), args.dataset)
        write_table(args.out, card)
        write_text(args.html, to_html(card, args.note))
    except (InputError, OSError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
