"""`proformer status`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer status                              the run in results/
  proformer status --results results/paper
  proformer status --configfile config/paper.yaml --watch
  proformer status --results results/paper --only failed silent
  proformer status --json | python -m json.tool

Only files are read, so it works on any machine that sees the results, and while nothing runs.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    run = parser.add_mutually_exclusive_group()
    run.add_argument("--results", type=Path, default=Path("results"), help="a run's results (default: results)")
    run.add_argument("--configfile", nargs="+", help="the run's configuration files, as for snakemake, instead")
    parser.add_argument("--only", nargs="+", metavar="STATE", help="list only points in these states")
    parser.add_argument(
        "--silent", type=float, default=10, metavar="MINUTES", help="a running point is silent after (default 10)"
    )
    parser.add_argument("--watch", nargs="?", type=float, const=5, metavar="SECONDS", help="look again every (5)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--tsv", action="store_true", help="a table for programs")
    form.add_argument("--json", action="store_true", help="everything, for programs")


def run(args: argparse.Namespace) -> None:
    """Look once, or again and again until everything is done."""
    import shutil
    import sys
    import time

    from proformer import status
    from proformer.errors import InputError
    from proformer.points import training_jobs

    if unknown := sorted(set(args.only or ()) - {*status.STATES}):
        raise InputError(f"--only {unknown[0]}: expected some of {', '.join(status.STATES)}")
    if args.configfile:
        from proformer.planning.configuration import read_configuration

        config, _ = read_configuration(args.configfile)
        results, jobs = Path(config["results"]), training_jobs(config)
    else:
        results, jobs = args.results, status.read_jobs(args.results / "jobs.json")
    while True:
        points = status.look(results, jobs, args.silent)
        listed = [point for point in points if not args.only or point.state in args.only]
        if args.tsv:
            print(status.as_tsv(listed))
        elif args.json:
            print(status.as_json(listed, status.summarise(points)))
        elif args.watch is None:
            print(f"{status.as_text(listed)}\n{status.total_line(points)}")
        else:
            rows = max(1, shutil.get_terminal_size().lines - 6)
            clear = "\033[H\033[J" if sys.stdout.isatty() else ""
            print(f"{clear}{results} at {time.strftime('%H:%M:%S')}\n{status.as_text(listed, rows)}")
            print(status.total_line(points), flush=True)
        if args.watch is None or all(point.state == "done" for point in points):
            return
        try:
            time.sleep(args.watch)
        except KeyboardInterrupt:
            return
