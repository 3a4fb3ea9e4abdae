"""`proformer score`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer score --predictions submission.json --truth filtered_test_data_with_MAUDE_expression.txt \\
      --subsets test_subset_ids --leaderboard public_leaderboard_ids --out scores.tsv
  proformer score --predictions a.tsv b.tsv.gz --names A B … --ranks ranks.tsv
  proformer score --predictions a.tsv --part public --partial --subsets … --leaderboard …   (without a truth file)

A file of predictions, plain or gz: a table of `proformer predict`, sequence<TAB>value, or JSON {"0": value, …}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--predictions", type=Path, nargs="+", required=True, help="one file per model")
    add("--names", nargs="+", help="names of the models (default: names of the files)")
    add("--truth", type=Path, help="sequence<TAB>measured value; needed but for the public part")
    add("--subsets", type=Path, nargs="+", default=[], help="test_subset_ids: folder, or CSV files")
    add("--leaderboard", type=Path, nargs="+", default=[], help="public_leaderboard_ids: folder, or JSON files")
    add("--part", choices=("private", "public", "all"), default="private", help="rows to score (default: %(default)s)")
    add("--partial", action="store_true", help="leave out subsets that the predictions do not cover")
    add("--samples", type=int, default=10_000, help="of the bootstrap (default: %(default)s); 0: none")
    add("--fraction", type=float, default=0.1, help="of the test data in a sample (default: %(default)s)")
    add("--seed", type=int, default=1, help="of the bootstrap (default: %(default)s)")
    add("--threads", type=int, help="CPU threads (default: all)")
    add("--simulated", action="store_true", help="simulated promoters: the scores of a perfect model beside")
    add("--out", type=Path, help="table: every number with its interval")
    add("--ranks", type=Path, help="table: models ranked by the bootstrap")
    add("--differences", type=Path, help="table: pairs of models compared on the same samples")
    add("--density", type=Path, help="table: predicted against measured, as counts in a grid")


def run(args: argparse.Namespace) -> None:
    """Score the files, print, write."""
    from proformer.errors import InputError
    from proformer.evaluation import bootstrap
    from proformer.evaluation.density import density_table
    from proformer.evaluation.dream import MEASURES, SCORES, WEIGHTS, read_benchmark, score_table, with_ceiling
    from proformer.evaluation.submissions import predictions_of
    from proformer.files import write_table

    names = args.names or [path.name.removesuffix(".gz").rpartition(".")[0] or path.name for path in args.predictions]
    if len(names) != len(args.predictions) or len(set(names)) != len(names):
        raise InputError(f"names: found {', '.join(names)}, expected a different one for each file of predictions")
    if not args.samples and (args.ranks or args.differences):
        raise InputError("samples: found 0, expected some for ranks and differences")
    benchmark = read_benchmark(args.part, args.truth, args.subsets, args.leaderboard)
    files = dict(zip(names, args.predictions, strict=True))
    benchmark, predictions = predictions_of(files, benchmark, args.partial)
    table = score_table(benchmark, predictions)
    if args.simulated:
        table = with_ceiling(table, benchmark)
    ranks = None
    if args.samples:
        options = (args.samples, args.fraction, args.seed, args.threads)
        resampled = bootstrap.resample(benchmark, predictions, *options)
        table, ranks = bootstrap.with_intervals(table, resampled), bootstrap.rank_table(resampled)
        if args.differences:
            write_table(args.differences, bootstrap.difference_table(table, resampled))
    if args.ranks and ranks is not None:
        write_table(args.ranks, ranks)
    if args.density:
        write_table(args.density, density_table(benchmark, predictions))
    if args.out:
        write_table(args.out, table)
    for model, mine in table.groupby("model", sort=False):
        numbers = mine[mine["measure"].isin(MEASURES)]
        wide = numbers.pivot(index="subset", columns="measure", values="value")[[*MEASURES]]
        wide = numbers.groupby("subset", sort=False)[["n", "weight", "note"]].first().join(wide)
        shown = wide[["n", "weight", *MEASURES]].to_string(float_format="%.4f", index_names=False)
        print(f"{model} ({args.part} part)")
        print("\n".join(map(" ".join, zip(shown.splitlines(), ["", *wide["note"]], strict=True))))
        for line in mine[mine["measure"].isin(SCORES)].itertuples():
            interval = f" ({line.low:.4f} to {line.high:.4f})" if args.samples else ""
            subsets = (
                f" of the subsets at hand, weights {line.weight:g} of {sum(WEIGHTS.values()):g}"
                if benchmark.missing
                else ""
            )
            print(f"{line.measure.replace('_', ' ').capitalize()}{subsets}: {line.value:.4f}{interval}")
        print()
    if ranks is not None and len(ranks) > 1:
        print(ranks.to_string(index=False, float_format="%.4f"))
