"""Fragments: what reads, BAM files and fragment files have in common. A sorted BED of contig, start and end, gzipped.

A fragment is the genome between the outer ends of a proper pair, from 0, half-open, not moved to the cut sites.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome, check_excluded, check_lengths, translate
from proformer.atac.reads import check_sorted
from proformer.atac.tools import Command, announce, compressed, output_of
from proformer.datasets.text import blocks, open_text
from proformer.errors import InputError
from proformer.files import deliver, existing, scratch
from proformer.units import whole_number

PROPER, FIRST_MATE, DUPLICATE, NOT_PRIMARY = 2, 64, 1024, 256 | 2048
CHUNK = 1 << 20
SHIFT = (4, -5)  # from a fragment's ends to the middle of the 9 bp that Tn5 duplicates (Buenrostro et al. 2013)

# The first file has the genome's name and length of each contig, and "" where it is left out on purpose.
_COMMON = r"""
function fail(found, expected) {
    printf "error: %s, line %d: found %s, expected %s\n", name, FNR, found, expected > "/dev/stderr"
    failed = 1
    exit 3
}
function keep(contig, start, end) {
    if (!(contig in map)) lost[contig]++
    else if (map[contig] != "") print map[contig], start, end
}
END { if (!failed) for (contig in lost) printf "warning: %s: contig %s with %d fragments is not in the genome\n", \
    name, contig, lost[contig] > "/dev/stderr" }
NR == FNR { map[$1] = $2; size[$1] = $3; next }
"""
_FROM_BAM = r"""
{ start = ($4 < $8 ? $4 : $8) - 1; keep($3, start, start + ($9 < 0 ? -$9 : $9)) }
"""
_FROM_TEXT = r"""
/^#/ || /^track/ || /^browser/ || /^$/ { next }
$2 !~ /^[0-9]+$/ || $3 !~ /^[0-9]+$/ || (pairs && ($4 != $1 || $6 !~ /^[0-9]+$/)) {
    fail("\"" substr($0, 1, 60) "\"", pairs ? "two ends on one contig" : "contig, start and end")
}
{
    start = $2 + 0; end = $3 + 0
    if (pairs) { start = $5 < start ? $5 : start; end = $6 > end ? $6 : end }
    if ($1 in size && end > size[$1] + 0) fail("an end at " end, $1 " with " size[$1] " bp, as in the genome")
    if (shifted) { start -= 4; end += 5; if (start < 0) start = 0 }
    if (start >= end) fail("start " start " and end " end, "a fragment")
    if ($1 in size && end > size[$1] + 0) end = size[$1]
    keep($1, start, end)
}
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
    lengths = check_sorted(bam)
    names = translate(lengths, wanted.contig_names, genome.names, bam)
    check_lengths(bam, lengths, names, genome)
    check_excluded(wanted.exclude, lengths, genome.names)
    steps = {
        "pairs": ["-f", str(FIRST_MATE), "-F", str(NOT_PRIMARY)],
        "proper pairs": ["-f", str(FIRST_MATE | PROPER), "-F", str(NOT_PRIMARY)],
        f"MAPQ ≥ {wanted.mapq}": ["-e", f"mapq >= {wanted.mapq} && [MQ] >= {wanted.mapq}"],
        "no duplicates": ["-F", str(NOT_PRIMARY | DUPLICATE)],
    }
    view: Command = ["samtools", "view", "-@", str(threads)]
    options: list[str] = []
    counts = {}
    for step, more in steps.items():
        options = more if more[0] == "-f" else [*options, *more]
        counts[step] = int(output_of([*view, "-c", *options, bam]))
    if counts["proper pairs"] and not (counts["no duplicates"] or int(output_of([*view, "-c", "-d", "MQ", bam]))):
        raise InputError(f"{bam}: found no MQ tag (the mate's quality), expected it; `proformer atac mark` adds it")
    kept = _keep([*view, *options, bam], _FROM_BAM, {"name": bam}, names, genome, out, wanted, threads)
    return _table(sample, counts | kept)


def from_text(
    path: Path, genome: Genome, out: Path, wanted: Filter, sample: str, *, shifted: bool | None = None, threads: int = 1
) -> pd.DataFrame:
    """Write the fragments of a BED, BEDPE or 10x fragments.tsv file (plain or gz) that pass the filter.

    `shifted`: the ends are moved to the cut sites already, as 10x does; None: when the name ends in .tsv or .tsv.gz.
    Barcodes are not looked at, each line is one fragment; counts as of `from_bam`.
    """
    announce("bedtools")
    found, pairs, total = _contigs_of(path)
    shifted = path.name.removesuffix(".gz").endswith(".tsv") if shifted is None else shifted
    names = translate(found, wanted.contig_names, genome.names, path)
    check_excluded(wanted.exclude, found, genome.names)
    variables = {"name": path, "pairs": int(pairs), "shifted": int(shifted)}
    kept = _keep(["gzip", "-dcf", path], _FROM_TEXT, variables, names, genome, out, wanted, threads)
    return _table(sample, {"pairs": total, **kept})


def _keep(
    source: Command,
    program: str,
    variables: dict[str, object],
    names: dict[str, str],
    genome: Genome,
    out: Path,
    wanted: Filter,
    threads: int,
) -> dict[str, int]:
    """Write the wanted fragments that an awk program makes of the source's lines; returns how many each step left."""
    excluded = set(wanted.exclude)
    with scratch(out) as folder:
        rows = [(old, "" if {old, new} & excluded else new, genome.length(new)) for old, new in names.items()]
        rows += [(name, "", 1 << 62) for name in excluded - names.keys()]
        (folder / "names").write_text("".join(f"{old}\t{new}\t{length}\n" for old, new, length in rows) or "\t\n")
        options = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
        awk: Command = ["awk", "-F", "\t", "-v", "OFS=\t", *options, _COMMON + program, folder / "names", "-"]
        kept = folder / "fragments.gz"
        compressed(kept, source, awk, sorting(folder, threads))
        counts = {"contigs": count_lines(kept)}
        if wanted.blacklist:
            bed = read_bed(wanted.blacklist, genome, wanted.contig_names)
            bed.to_csv(folder / "blacklist.bed", sep="\t", header=False, index=False)
            whole, kept = kept, folder / "off_the_blacklist.gz"
            compressed(kept, ["bedtools", "intersect", "-v", "-a", whole, "-b", folder / "blacklist.bed"])
            counts["off the blacklist"] = count_lines(kept)
        if not list(counts.values())[-1]:
            raise InputError(f"{variables['name']}: no fragment passes the filter ({counts})")
        deliver(kept, out)
    return counts


def pool(parts: Sequence[Path], out: Path, threads: int = 1) -> int:
    """Merge the fragments of replicates into one sorted file; returns how many there are."""
    for part in parts:
        next(read_fragments(part), None)
    with scratch(out) as folder:
        compressed(out, ["gzip", "-dc", *parts], sorting(folder, threads))
    return count_lines(out)


def sorting(folder: Path, threads: int) -> Command:
    """`sort` by contig (bytes), start and end, its temporary files compressed in `folder`."""
    keys = ["-k1,1", "-k2,2n", "-k3,3n"]
    return ["sort", *keys, "-S", "1G", "-T", folder, "--parallel", str(threads), "--compress-program", "gzip"]


def read_fragments(path: Path, genome: Genome | None = None) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield (contig, starts, ends; int64 [n]) block by block; a contig's blocks follow each other.

    Raises InputError, with the line, for what `from_bam`, `from_text` and `pool` do not write: an end before its start,
    or fragments that are not sorted; where a genome is given, also for a place that it does not have.
    """
    types = {"contig": str, "start": np.int64, "end": np.int64}
    keywords: dict[str, Any] = {
        "sep": "\t",
        "header": None,
        "names": [*types],
        "dtype": types,
        "quoting": csv.QUOTE_NONE,
        "keep_default_na": False,  # a contig may be called NA
    }
    line, contig, last = 1, "", 0
    try:
        with pd.read_csv(existing(path), usecols=[0, 1, 2], chunksize=CHUNK, **keywords) as reader:
            for table in reader:
                for _, rows in table.groupby((table["contig"] != table["contig"].shift()).cumsum()):
                    name, starts, ends = str(rows["contig"].iloc[0]), rows["start"].to_numpy(), rows["end"].to_numpy()
                    size = np.iinfo(np.int64).max if genome is None else genome.length(name)
                    before = last if name == contig else 0
                    wrong = (np.diff(starts, prepend=before) < 0) | (ends <= starts) | (ends > size) | (name < contig)
                    if wrong.any():
                        row = int(np.argmax(wrong))
                        found = f"{name}, {starts[row]} to {ends[row]}"
                        expected = "fragments sorted by contig, start and end" + (
                            f" within {size} bp" if genome else ""
                        )
                        raise InputError(f"{path}, line {line + row}: found {found}; expected {expected}")
                    yield name, starts, ends
                    line, contig, last = line + len(rows), name, int(starts[-1])
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a file of fragments: {' '.join(str(error).split())}") from None
    if line == 1:
        raise InputError(f"{path}: found no fragment, expected at least one")


def cut_sites(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The two bases of each fragment where the transposase cut, +4 and -5 from its ends: int64 [2n]."""
    return np.concatenate([starts + SHIFT[0], ends + SHIFT[1] - 1])


def bed_lines(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Number, text and fields of the lines of a BED file, plain or gz, but for comments, track and blank lines."""
    number = 0
    for text in blocks(path):
        for line in text.decode("utf-8", "replace").split("\n")[:-1]:
            number += 1
            if line.strip() and not line.startswith(("#", "track", "browser")):
                yield number, line, line.rstrip("\r").split("\t")


def read_bed(path: Path, genome: Genome, contig_names: str | None = None) -> pd.DataFrame:
    """Contig (the genome's name), start and end of a BED file, plain or gz; other contigs are left out."""
    rows = []
    for number, line, fields in bed_lines(path):
        start, end = map(whole_number, [*fields, "", ""][1:3])
        if start is None or end is None:
            raise InputError(f"{path}, line {number}: found {line[:60]!r}, expected contig, start and end")
        rows.append((fields[0], start, end))
    table = pd.DataFrame(rows, columns=["contig", "start", "end"])
    names = translate(table["contig"], contig_names, genome.names, path)
    table["contig"] = table["contig"].map(names)
    return table.dropna(subset="contig").sort_values(["contig", "start", "end"], ignore_index=True)


def overlaps(starts: np.ndarray, ends: np.ndarray, others: pd.DataFrame) -> np.ndarray:
    """Whether each interval shares a base with one of `others` (start, end) on the same contig: bool [n]."""
    others = others.sort_values("start")
    first, last = others["start"].to_numpy(np.int64), np.maximum.accumulate(others["end"].to_numpy(np.int64))
    # Of the intervals that begin before ours ends, one reaches farthest.
    before = np.searchsorted(first, ends, side="left")
    return np.concatenate([[-1], last])[before] > starts


def count_lines(path: Path) -> int:
    """Lines of a file, plain or gz; 0 when it is empty."""
    try:
        with open_text(path) as handle:
            return sum(piece.count(b"\n") for piece in iter(lambda: handle.read(1 << 22), b""))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gz file is damaged or cut short ({error})") from None


def _contigs_of(path: Path) -> tuple[list[str], bool, int]:
    """The distinct contigs of a fragments file, whether it is BEDPE, and how many fragments it has."""
    names: dict[str, None] = {}
    pairs, total = None, 0
    for text in blocks(path):
        lines = [line for line in text.split(b"\n") if line and not line.startswith((b"#", b"track", b"browser"))]
        if pairs is None and lines:
            fields = lines[0].split(b"\t")
            pairs = len(fields) >= 6 and fields[4].isdigit() and fields[5].strip().isdigit()
        names |= dict.fromkeys(line.partition(b"\t")[0].decode("utf-8", "replace") for line in lines)
        total += len(lines)
    if not names:
        raise InputError(f"{path}: found no fragment, expected at least one")
    return list(names), bool(pairs), total


def _table(sample: str, counts: dict[str, int]) -> pd.DataFrame:
    table = pd.DataFrame({"sample": sample, "step": list(counts), "count": list(counts.values())})
    return table.assign(share=table["count"] / max(counts["pairs"], 1))
