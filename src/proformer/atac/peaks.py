"""Peaks: called with MACS2 as the authors' lab does or from cut sites, and read from any BED."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome, translate
from proformer.atac.fragments import bed_lines, read_fragments
from proformer.atac.tools import announce, pipeline, scratch
from proformer.errors import InputError

# bampe: the authors' lab (MACS2's BEDPE is its BAMPE, read from fragments); cutsites: ENCODE.
MODES = {
    "bampe": ["-f", "BEDPE", "-q", "0.05", "--keep-dup", "1", "--call-summits"],
    "cutsites": ["-f", "BED", "--shift", "-75", "--extsize", "150", "--nomodel", "--keep-dup", "all", "--call-summits"],
}


def call_peaks(fragments: Path, out: Path, mode: str, genome_size: float) -> int:
    """Call peaks into `out`/{atac_peaks.narrowPeak, atac_peaks.xls, atac_summits.bed}; returns the number of summits.

    `genome_size`: the effective one, in bp (`-g`). Raises InputError when MACS2 finds no peak.
    """
    announce("macs2")
    out.mkdir(parents=True, exist_ok=True)
    with scratch(out / "macs2") as folder:
        treatment = fragments
        if mode == "cutsites":
            treatment = folder / "cuts.bed.gz"
            write_cuts(fragments, treatment)
        command: list[str | Path] = [
            "macs2",
            "callpeak",
            "-t",
            treatment,
            "-g",
            f"{genome_size:.0f}",
            "-n",
            "atac",
            "--outdir",
            folder,
        ]
        pipeline([*command, *MODES[mode], "--tempdir", folder])
        summits = (folder / "atac_summits.bed").read_text().count("\n")
        if not summits:
            raise InputError(f"{fragments}: MACS2 finds no peak ({mode}); too few fragments?")
        for name in ("atac_peaks.narrowPeak", "atac_peaks.xls", "atac_summits.bed"):
            (folder / name).replace(out / name)
    return summits


def write_cuts(fragments: Path, out: Path) -> None:
    """Both ends of each fragment, moved by +4 and -5, as stranded reads of one base: what MACS2 takes as tags."""
    with gzip.open(out, "wt", compresslevel=1) as handle:
        for contig, starts, ends in read_fragments(fragments):
            position = np.concatenate([starts + 4, ends - 6])
            strand = np.repeat(["+", "-"], len(starts))
            table = pd.DataFrame({"c": contig, "s": position, "e": position + 1, "n": ".", "v": 0, "d": strand})
            table[table["s"] >= 0].to_csv(handle, sep="\t", header=False, index=False)


def read_summits(path: Path, genome: Genome, contig_names: str | None = None) -> pd.DataFrame:
    """Summits of a narrowPeak file (tenth column) or of any BED (the middle): contig (index in the genome), summit.

    Raises InputError, with the line: no peak in the file, not BED, or a summit outside its contig.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: the peak file is empty, expected at least one peak")
    names: list[str] = []
    summits: list[int] = []
    lines: list[int] = []
    for number, line, fields in bed_lines(path):
        try:
            start, end = int(fields[1]), int(fields[2])
            offset = int(fields[9]) if len(fields) >= 10 else -1
        except (ValueError, IndexError):
            raise InputError(f"{path}, line {number}: found {line[:60]!r}, expected contig, start, end") from None
        names.append(fields[0])
        summits.append(start + offset if offset >= 0 else (start + end) // 2)
        lines.append(number)
    if not names:
        raise InputError(f"{path}: the peak file has no peak, expected at least one")
    mapped = translate(names, contig_names, genome.names, path)
    table = pd.DataFrame(
        {"contig": genome.index(mapped.get(name, "") for name in names), "summit": summits, "line": lines}
    )
    table = table[table["contig"] >= 0]
    outside = (table["summit"] < 0) | (table["summit"] >= genome.lengths[table["contig"]])
    if outside.any():
        row = table[outside].iloc[0]
        name, length = genome.names[row["contig"]], genome.lengths[row["contig"]]
        raise InputError(f"{path}, line {row['line']}: found a summit at {row['summit']}, {name} has {length} bp")
    return table.drop(columns="line").drop_duplicates(ignore_index=True)
