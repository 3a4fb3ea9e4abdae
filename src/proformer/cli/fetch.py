"""Verb for downloads: bring catalogued files to a folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from proformer.errors import InputError
from proformer.files import InputFolder, Output, OutputFolder, write_table
from proformer.settings import Count, Positive
from proformer.units import aligned


def fetch(
    names: Annotated[tuple[str, ...], "names of catalogue entries"],
    *,
    list_: Annotated[bool, "print the catalogue and stop"] = False,
    out: Annotated[OutputFolder | None, "folder for the files"] = None,
    mirror: Annotated[InputFolder | None, "folder of <host>/<path> copies to read (default: $PROFORMER_MIRROR)"] = None,
    catalogue: Annotated[tuple[Path, ...], "further catalogues; their entries replace those of the same name"] = (),
    provenance: Annotated[Output | None, "table to write: what came from where"] = None,
    attempts: Annotated[Count, "failures in a row that end a download"] = 6,
    timeout: Annotated[Positive, "seconds of silence that are a failure"] = 60.0,
) -> None:
    """Download catalogued data, resumed and checked against its digest.

    examples:
      proformer fetch --list
      proformer fetch dream-train-sample dream-plasmid --out data
      proformer fetch dream-train --out data --provenance data/provenance.tsv
      proformer fetch my-file --catalogue my_files.yaml --out data --mirror /shared/mirror

    A download that was stopped goes on where it stopped when the same command is given again.
    """
    from proformer.sources.catalogue import load_catalogue, lookup

    known = load_catalogue(*catalogue)
    if list_:
        rows = [("NAME", "BYTES", "CHECKED BY", "WHAT")]
        for source in known.values():
            check = source.algorithm or (source.publisher[0] if source.publisher else "nothing")
            rows.append((source.name, f"{source.size:,}" if source.size else "?", check, source.title))
        print(aligned(rows))
        return
    if not names or out is None:
        raise InputError("expected NAME and --out DIR, or --list")
    if mirror is None and "PROFORMER_MIRROR" in os.environ:
        mirror = InputFolder(os.environ["PROFORMER_MIRROR"])
    sources = [lookup(known, name) for name in dict.fromkeys(names)]
    by_filename: dict[str, str] = {}
    for source in sources:
        other = by_filename.setdefault(source.filename, source.name)
        if other != source.name:
            raise InputError(f"{other} and {source.name} would both be {out / source.filename}: fetch them apart")
    from proformer.sources.fetch import fetch as fetch_file

    how = {"already there": "already there, left alone", "mirror": "from the mirror", "network": "downloaded"}
    table = []
    for source in sources:
        file = out / source.filename
        with meter(source.name) as progress:
            row = fetch_file(source, file, mirror=mirror, attempts=attempts, timeout=timeout, progress=progress)
        verdict = "as expected" if row["expected"] else "nothing to compare with"
        print(
            f"{source.name}: {file}: {how[str(row['obtained_from'])]}; {row['size']:,} bytes; "
            f"{row['algorithm']} {row['found']}, {verdict} ({row['digest_from']})"
        )
        table.append(row)
    if provenance:
        import pandas as pd

        write_table(provenance, pd.DataFrame(table))


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
