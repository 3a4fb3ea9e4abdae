"""`proformer fetch`: bring catalogued files to a folder."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from proformer.errors import InputError

if TYPE_CHECKING:
    from proformer.sources import Source

EXAMPLES = """examples:
  proformer fetch --list
  proformer fetch dream-train-sample dream-plasmid --out data
  proformer fetch dream-train --out data --provenance data/provenance.tsv
  proformer fetch my-file --catalogue my_files.yaml --out data --mirror /shared/mirror

A download that was stopped goes on where it stopped when the same command is given again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `proformer fetch`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of catalogue entries")
    parser.add_argument("--list", action="store_true", help="print the catalogue and stop")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--mirror",
        type=Path,
        metavar="DIR",
        default=os.environ.get("PROFORMER_MIRROR"),
        help="folder of <host>/<path> copies that is read in place of the network (default: $PROFORMER_MIRROR)",
    )
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="a further catalogue; its entries replace those of the same name",
    )
    parser.add_argument("--provenance", type=Path, metavar="FILE.tsv", help="write a table of what came from where")
    parser.add_argument("--attempts", type=int, default=6, help="failures in a row that end a download (default: 6)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds of silence that are a failure (default: 60)")


def run(args: argparse.Namespace) -> None:
    """Fetch the named files one after the other; the first that fails ends the run."""
    from proformer.sources import load_catalogue, lookup

    catalogue = load_catalogue(*args.catalogue)
    if args.list:
        print(as_table(catalogue))
        return
    if not args.names or args.out is None:
        raise InputError("expected NAME and --out DIR, or --list")
    sources = [lookup(catalogue, name) for name in dict.fromkeys(args.names)]
    by_filename: dict[str, str] = {}
    for source in sources:
        other = by_filename.setdefault(source.filename, source.name)
        if other != source.name:
            raise InputError(f"{other} and {source.name} would both be {args.out / source.filename}: fetch them apart")
    rows = [_fetch(source, args) for source in sources]
    if args.provenance:
        import pandas as pd

        from proformer.files import write_table

        write_table(args.provenance, pd.DataFrame(rows))


def _fetch(source: Source, args: argparse.Namespace) -> dict[str, object]:
    from proformer.sources.fetch import fetch

    out = args.out / source.filename
    with meter(source.name) as progress:
        row = fetch(source, out, mirror=args.mirror, attempts=args.attempts, timeout=args.timeout, progress=progress)
    how = {"already there": "already there, left alone", "mirror": "from the mirror", "network": "downloaded"}
    verdict = "as expected" if row["expected"] else "nothing to compare with"
    print(
        f"{source.name}: {out}: {how[str(row['obtained_from'])]}; {row['size']:,} bytes; "
        f"{row['algorithm']} {row['found']}, {verdict} ({row['digest_from']})"
    )
    return row


def as_table(catalogue: Mapping[str, Source]) -> str:
    """The catalogue as aligned text, one line per source."""
    rows = [("NAME", "BYTES", "CHECKED BY", "WHAT")]
    for source in catalogue.values():
        check = source.algorithm or (source.publisher[0] if source.publisher else "nothing")
        rows.append((source.name, f"{source.size:,}" if source.size else "?", check, source.title))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}" for row in rows)


@contextmanager
def meter(name: str, every: float = 10.0) -> Iterator[Callable[[int, int | None], None]]:
    """Progress on standard error: a bar on a terminal, else a plain line every `every` seconds."""
    from tqdm import tqdm

    bar: tqdm | None = None
    due = time.monotonic() + every

    def show(done: int, total: int | None) -> None:
        nonlocal bar, due
        if sys.stderr.isatty():
            if bar is None:
                bar = tqdm(desc=name, total=total, initial=done, unit="B", unit_scale=True, leave=False)
            bar.update(done - bar.n)
        elif time.monotonic() >= due:
            due = time.monotonic() + every
            of = f" of {total / 1e6:.1f}" if total else ""
            print(f"{name}: {done / 1e6:.1f}{of} MB", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
