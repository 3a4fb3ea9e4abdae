"""Draw one figure from its table: PREFIX.pdf, .svg, .png and .tsv, the numbers that are drawn.

convergence   an epochs table of one width and depth (Fig. 2b, 4a)
grid          a grid table as a heat map (Fig. 2c, 3b)
bars          a grid table by blocks and head (Fig. 2d)
violins       a grid table by --factor, with --tests as brackets (Fig. 2e-g)
architecture  a model's description, JSON (Fig. 1)
heads         the descriptions of one to three models, JSON (Fig. 2a)
locus         a locus table: reads, signal, summit, windows and their centres (Fig. 3a)
fragments     a table of fragment lengths
profile       two tables: the mean signal around summits, and its heat map
windows       a table of sampled windows
scores        a scores table beside the paper's numbers (Fig. 4b)
subsets       a scores table as a heat map of the subsets
density       a density table of one model: predicted against measured
peers         tables of scores on evaluation sets (Fig. 5)
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.statistics import FACTORS, checked
from proformer.figures import (
    architecture,
    bars,
    convergence,
    density,
    fragments,
    grid,
    locus,
    peers,
    profile,
    scores,
    style,
    violins,
    windows,
)
from proformer.files import read_table
from proformer.provenance import log_job

FIGURES = (
    "convergence",
    "grid",
    "bars",
    "violins",
    "architecture",
    "heads",
    "locus",
    "fragments",
    "profile",
    "windows",
    "scores",
    "subsets",
    "density",
    "peers",
)
# Those that take the table as it is.
PLAIN: dict[str, Any] = {"locus": locus.draw, "fragments": fragments.draw, "windows": windows.draw}
PLAIN |= {"convergence": convergence.draw, "density": density.draw}
PLAIN |= {"scores": scores.draw, "subsets": scores.draw_subsets}


def main(args: argparse.Namespace) -> None:
    """Read the table, draw, save."""
    words: dict[str, Any] = {"label": args.label} | ({} if args.letter is None else {"letter": args.letter})
    words |= {"final": args.final} if args.final else {}
    if args.figure in ("architecture", "heads"):
        models = [_description(path) for path in args.table]
        drawn = (
            architecture.draw_heads(models, **words)
            if args.figure == "heads"
            else architecture.draw(models[0], **words)
        )
    elif args.figure == "profile":
        if len(args.table) != 2:
            raise InputError(f"profile: found {len(args.table)} table(s), expected two: the profile and the heat map")
        drawn = profile.draw(*map(read_table, args.table), **words)
    elif args.figure == "peers":
        drawn = peers.draw(pd.concat(map(read_table, args.table), ignore_index=True), **words)
    else:
        table = _rows(read_table(args.table[0]), args.where, args.table[0])
        if args.figure in PLAIN:
            drawn = PLAIN[args.figure](table, **words)
        elif args.figure == "violins":
            tests = read_table(args.tests) if args.tests else None
            drawn = violins.draw(checked(table, args.table[0]), args.factor, tests, **words)
        else:
            module = grid if args.figure == "grid" else bars
            drawn = module.draw(checked(table, args.table[0]), **words)
    style.save(drawn[0], args.out, drawn[1])


def _description(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as handle:
            return json.load(handle)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: found {error.msg}, expected JSON") from None


def _rows(table: pd.DataFrame, conditions: list[str], path: str) -> pd.DataFrame:
    """Keep the rows that fulfil every COLUMN=VALUE[,VALUE...]."""
    for condition in conditions:
        column, _, values = condition.partition("=")
        if column not in table:
            raise InputError(f"{path}: found no column {column!r}, expected one of {', '.join(table)}")
        table = table[table[column].astype(str).isin(values.split(","))]
    if table.empty:
        raise InputError(
            f"{path}: found no rows{' with ' + ', '.join(conditions) if conditions else ''}, expected some"
        )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--table", nargs="+", required=True, help="table, or JSON description(s), to draw")
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE[,VALUE]", help="rows to draw")
    parser.add_argument("--tests", help="violins: tests table for the brackets")
    parser.add_argument("--factor", choices=FACTORS, default="blocks", help="violins: what to compare")
    parser.add_argument("--final", help="convergence: the head whose best epoch is marked, alone and in red")
    parser.add_argument("--label", default="", help='source, such as "published" (default: by the presence of seeds)')
    parser.add_argument("--letter", help="panel letter (default: the paper's)")
    parser.add_argument("--out", required=True, metavar="PREFIX", help="files to write, without suffix")
    args = parser.parse_args()
    log_job(vars(args))
    try:
        main(args)
    except (InputError, OSError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
