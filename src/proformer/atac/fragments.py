"""Fragments: what reads, BAM files and fragment files have in common. A sorted BED of contig, start and end, gzipped.

A fragment is the genome between the outer ends of a proper pair, from 0, half-open, not moved to the cut sites.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome, translate
from proformer.atac.reads import check_sorted
from proformer.atac.tools import C_LOCALE, Command, announce, compressed, pipeline, scratch
from proformer.datasets.text import blocks, open_text
from proformer.errors import InputError

PROPER, FIRST_MATE, DUPLICATE, NOT_PRIMARY = 2, 64, 1024, 256 | 2048
CHUNK = 1 << 20
SHIFT = (4, -5)  # from a fragment's ends to the middle of the 9 bp that Tn5 duplicates (Buenrostro et al. 2013)

# The first file translates contig names and leaves out the unwanted.
_FROM_BAM = r"""
NR == FNR { map[$1] = $2; next }
$3 in map { start = ($4 < $8 ? $4 : $8) - 1; print map[$3], start, start + ($9 < 0 ? -$9 : $9) }
"""
_FROM_TEXT = r"""
NR == FNR { map[$1] = $2; next }
/^#/ || /^track/ || /^browser/ || /^$/ { next }
$2 !~ /^[0-9]+$/ || $3 !~ /^[0-9]+$/ || (pairs && ($4 != $1 || $6 !~ /^[0-9]+$/)) {
    printf "error: %s, line %d: found \"%s\", expected %s\n", name, FNR, substr($0, 1, 60), \
        (pairs ? "two ends on one contig" : "contig, start and end") > "/dev/stderr"
    exit 3
}
{
    start = $2; end = $3
    if (pairs) { start = $5 < start ? $5 : start; end = $6 > end ? $6 : end }
    if (shifted) { start -= 4; end += 5; if (start < 0) start = 0 }
    if (start >= end) {
        printf "error: %s, line %d: found start %d and end %d, expected a fragment\n", name, FNR, start, end \
            > "/dev/stderr"
        exit 3
    }
}
$1 in map { print map[$1], start, end }
"""


@dataclass(frozen=True)
class Filter:
    """What a fragment must be: both mates at `mapq` or better, on none of `exclude`, off the `blacklist` (BED)."""

    mapq: int = 30
    exclude: tuple[str, ...] = ()
    blacklist: Path | None = None
    contig_names: str | None = None


def from_bam(bam: Path, genome: Genome, out: Path, wanted: Filter, sample: str, threads: int = 1) -> pd.DataFrame:
    """Write the fragments of a sorted BAM with marked duplicates that pass the filter; returns counts per step.

    Columns of the counts: sample, step, count (pairs), share (of all pairs). Both mates pass or neither does.
    """
    announce("samtools", "bedtools")
    names = translate(check_sorted(bam), wanted.contig_names, genome.names, bam)
    steps = {
        "pairs": ["-f", str(FIRST_MATE), "-F", str(NOT_PRIMARY)],
        "proper pairs": ["-f", str(FIRST_MATE | PROPER), "-F", str(NOT_PRIMARY)],
        f"MAPQ ≥ {wanted.mapq}": ["-e", f"mapq >= {wanted.mapq} && [MQ] >= {wanted.mapq}"],
        "no duplicates": ["-F", str(NOT_PRIMARY | DUPLICATE)],
    }
    options: list[str] = []
    counts = {}
    for step, more in steps.items():
        options = more if more[0] == "-f" else [*options, *more]
        counts[step] = int(_output(["samtools", "view", "-c", "-@", str(threads), *options, bam]))
    view: Command = ["samtools", "view", "-@", str(threads), *options, bam]
    kept = _keep(view, _FROM_BAM, [], names, genome, out, wanted, threads)
    return _table(sample, counts | kept)


def from_text(
    path: Path, genome: Genome, out: Path, wanted: Filter, sample: str, *, shifted: bool | None = None, threads: int = 1
) -> pd.DataFrame:
    """Write the fragments of a BED, BEDPE or 10x fragments.tsv file (plain or gz) that pass the filter.

    `shifted`: the ends are moved to the cut sites already, as 10x does; None: when the name ends in .tsv or .tsv.gz.
    Barcodes are not looked at, each line is one fragment; counts as of `from_bam`.
    """
    announce("bedtools")
    names, pairs = _contigs_of(path)
    shifted = path.name.removesuffix(".gz").endswith(".tsv") if shifted is None else shifted
    mapped = translate(names, wanted.contig_names, genome.names, path)
    options = ["-v", f"name={path}", "-v", f"pairs={int(pairs)}", "-v", f"shifted={int(shifted)}"]
    kept = _keep(["gzip", "-dcf", path], _FROM_TEXT, options, mapped, genome, out, wanted, threads)
    total = sum(1 for piece in blocks(path) for line in piece.splitlines() if line and not line.startswith(b"#"))
    return _table(sample, {"pairs": total, **kept})


def _keep(
    source: Command,
    program: str,
    options: list[str],
    names: dict[str, str],
    genome: Genome,
    out: Path,
    wanted: Filter,
    threads: int,
) -> dict[str, int]:
    excluded = set(wanted.exclude)
    with scratch(out) as folder:
        chosen = {old: new for old, new in names.items() if not {old, new} & excluded}
        (folder / "names").write_text("".join(f"{old}\t{new}\n" for old, new in chosen.items()) or "\t\n")
        awk: Command = ["awk", "-F", "\t", "-v", "OFS=\t", *options, program, folder / "names", "-"]
        counts = {}
        whole = folder / "fragments.gz" if wanted.blacklist else out
        compressed(whole, source, awk, sorting(folder, threads))
        counts["contigs"] = count_lines(whole)
        if wanted.blacklist:
            bed = read_bed(wanted.blacklist, genome, wanted.contig_names)
            bed.to_csv(folder / "blacklist.bed", sep="\t", header=False, index=False)
            compressed(out, ["bedtools", "intersect", "-v", "-a", whole, "-b", folder / "blacklist.bed"])
            counts["off the blacklist"] = count_lines(out)
    if not list(counts.values())[-1]:
        out.unlink()
        raise InputError(f"{source[-1]}: no fragment passes the filter ({counts})")
    return counts


def pool(parts: Sequence[Path], out: Path, threads: int = 1) -> int:
    """Merge the fragments of replicates into one sorted file; returns how many there are."""
    with scratch(out) as folder:
        compressed(out, ["gzip", "-dc", *parts], sorting(folder, threads))
    return count_lines(out)


def sorting(folder: Path, threads: int) -> Command:
    """`sort` by contig (bytes), start and end, its temporary files compressed in `folder`."""
    keys = ["-k1,1", "-k2,2n", "-k3,3n"]
    return ["sort", *keys, "-S", "1G", "-T", folder, "--parallel", str(threads), "--compress-program", "gzip"]


def read_fragments(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield (contig, starts, ends; int64 [n]) block by block; a contig's blocks follow each other."""
    with pd.read_csv(
        path, sep="\t", header=None, names=["contig", "start", "end"], dtype={"contig": str}, chunksize=CHUNK
    ) as reader:
        for table in reader:
            names = table["contig"].to_numpy(dtype=object)
            cuts = np.flatnonzero(names[1:] != names[:-1]) + 1
            starts, ends = (np.split(table[column].to_numpy(np.int64), cuts) for column in ("start", "end"))
            yield from zip(names[np.concatenate([[0], cuts])], starts, ends, strict=True)


def cut_sites(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The two bases of each fragment where the transposase cut, +4 and -5 from its ends: int64 [2n]."""
    return np.concatenate([starts + SHIFT[0], ends + SHIFT[1] - 1])


def bed_lines(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Number, text and fields of the lines of a BED file, plain or gz, but for comments, track and blank lines."""
    number = 0
    for text in blocks(path):
        for line in text.decode("utf-8", "replace").splitlines():
            number += 1
            if line.strip() and not line.startswith(("#", "track", "browser")):
                yield number, line, line.split("\t")


def read_bed(path: Path, genome: Genome, contig_names: str | None = None) -> pd.DataFrame:
    """Contig (the genome's name), start and end of a BED file, plain or gz; other contigs are left out."""
    rows = []
    for number, line, fields in bed_lines(path):
        if len(fields) < 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise InputError(f"{path}, line {number}: found {line[:60]!r}, expected contig, start and end")
        rows.append((fields[0], int(fields[1]), int(fields[2])))
    table = pd.DataFrame(rows, columns=["contig", "start", "end"])
    names = translate(table["contig"], contig_names, genome.names, path)
    table["contig"] = table["contig"].map(names)
    return table.dropna(subset="contig").sort_values(["contig", "start", "end"], ignore_index=True)


def count_lines(path: Path) -> int:
    """Lines of a file, plain or gz; 0 when it is empty."""
    with open_text(path) as handle:
        return sum(piece.count(b"\n") for piece in iter(lambda: handle.read(1 << 22), b""))


def _contigs_of(path: Path) -> tuple[list[str], bool]:
    """The distinct contigs of a fragments file, and whether it is BEDPE."""
    names: dict[str, None] = {}
    pairs = None
    for text in blocks(path):
        lines = [line for line in text.split(b"\n") if line and not line.startswith((b"#", b"track", b"browser"))]
        if pairs is None and lines:
            fields = lines[0].split(b"\t")
            pairs = len(fields) >= 6 and fields[4].isdigit() and fields[5].strip().isdigit()
        names |= dict.fromkeys(line.partition(b"\t")[0].decode() for line in lines)
    if not names:
        raise InputError(f"{path}: found no fragment, expected at least one")
    return list(names), bool(pairs)


def _output(command: Command) -> str:
    with tempfile.TemporaryFile() as handle:
        pipeline(command, output=handle, environment=C_LOCALE)
        handle.seek(0)
        return handle.read().decode()


def _table(sample: str, counts: dict[str, int]) -> pd.DataFrame:
    table = pd.DataFrame({"sample": sample, "step": list(counts), "count": list(counts.values())})
    return table.assign(share=table["count"] / max(counts["pairs"], 1))
