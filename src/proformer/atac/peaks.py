"""Peaks: called with MACS2 as the authors' lab does or from cut sites, and read from any BED."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome, translate
from proformer.atac.fragments import bed_lines, cut_sites, read_fragments
from proformer.atac.lengths import count_lengths, unlike_atac
from proformer.atac.tools import Command, announce, pipeline
from proformer.errors import InputError
from proformer.files import deliver, existing, scratch
from proformer.units import whole_number

# bampe: the authors' lab (MACS2's BEDPE is its BAMPE, read from fragments); cutsites: ENCODE.
MODES = {
    "bampe": ["-f", "BEDPE", "-q", "0.05", "--keep-dup", "1", "--call-summits"],
    "cutsites": ["-f", "BED", "--shift", "-75", "--extsize", "150", "--nomodel", "--keep-dup", "all", "--call-summits"],
}


def call_peaks(fragments: Path, out: Path, mode: str, genome_size: float) -> int:
    """Call peaks into `out`/{atac_peaks.narrowPeak, atac_peaks.xls, atac_summits.bed}; returns the number of summits.

    `genome_size`: the effective one, in bp (`-g`). Raises InputError when MACS2 finds no peak.
    """
    if not 1 <= genome_size < 1e12:
        raise InputError(f"peaks: found a genome size of {genome_size:g} bp, expected a positive number")
    announce("macs2")
    with scratch(out / "macs2") as folder:
        treatment = existing(fragments)
        if mode == "cutsites":
            treatment = folder / "cuts.bed.gz"
            write_cuts(fragments, treatment)
        command: Command = ["macs2", "callpeak", "-t", treatment, "-g", f"{genome_size:.0f}", "-n", "atac"]
        pipeline([*command, "--outdir", folder, *MODES[mode], "--tempdir", folder])
        summits = (folder / "atac_summits.bed").read_text().count("\n")
        if not summits:
            reason = unlike_atac(count_lengths(fragments)) or "too few fragments?"
            raise InputError(f"{fragments}: MACS2 finds no peak ({mode}); {reason}")
        for name in ("atac_peaks.narrowPeak", "atac_peaks.xls", "atac_summits.bed"):
            deliver(folder / name, out / name)
    return summits


def write_cuts(fragments: Path, out: Path) -> None:
    """Both cut sites of each fragment as stranded reads of one base: what MACS2 takes as tags."""
    with gzip.open(out, "wt", compresslevel=1) as handle:
        for contig, starts, ends in read_fragments(fragments):
            position = cut_sites(starts, ends)
            strand = np.repeat(["+", "-"], len(starts))
            table = pd.DataFrame({"c": contig, "s": position, "e": position + 1, "n": ".", "v": 0, "d": strand})
            table[table["s"] >= 0].to_csv(handle, sep="\t", header=False, index=False)


def read_summits(path: Path, genome: Genome, contig_names: str | None = None) -> pd.DataFrame:
    """Summits of a narrowPeak file (tenth column) or of any BED (the middle): contig (index in the genome), summit.

    Raises InputError, with the line: no peak in the file, not BED, or a summit outside its contig.
    """
    if existing(path).stat().st_size == 0:
        raise InputError(f"{path}: the peak file is empty, expected at least one peak")
    rows = []
    for number, line, fields in bed_lines(path):
        start, end = map(whole_number, [*fields, "", ""][1:3])
        given = fields[9] if len(fields) >= 10 else "-1"
        offset = -1 if given == "-1" else whole_number(given)
        if start is None or end is None or offset is None:
            raise InputError(f"{path}, line {number}: found {line[:60]!r}, expected contig, start, end")
        rows.append((fields[0], start + offset if offset >= 0 else (start + end) // 2, number))
    if not rows:
        raise InputError(f"{path}: the peak file has no peak, expected at least one")
    table = pd.DataFrame(rows, columns=["contig", "summit", "line"])
    names = translate(table["contig"], contig_names, genome.names, path)
    table["contig"] = genome.index(names.get(name, "") for name in table["contig"])
    table = table[table["contig"] >= 0]
    outside = table["summit"] >= genome.lengths[table["contig"]]
    if outside.any():
        row = table[outside].iloc[0]
        name, length = genome.names[row["contig"]], genome.lengths[row["contig"]]
        raise InputError(f"{path}, line {row['line']}: found a summit at {row['summit']}, {name} has {length} bp")
    return table.drop(columns="line").drop_duplicates(ignore_index=True)
