"""From FASTQ to alignments: mates checked, adapters trimmed, aligned, sorted and marked in one stream."""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from proformer.atac.tools import Command, announce, pipeline, scratch
from proformer.datasets.text import blocks, open_text
from proformer.errors import InputError
from proformer.files import atomic

_PROBE_BYTES = 100 << 20
_PROBE_PAIRS = 25_000


def check_mates(read1: Path, read2: Path) -> int:
    """Number of read pairs in two FASTQ files (plain or gz), both read to their end at the same time.

    Raises InputError: a file missing, empty or cut short; another number of mates, or of another read.
    """
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(_count, (read1, read2))
    if first != second:
        raise InputError(f"{read2}: found {second} reads, expected {first}, as many as their mates in {read1}")
    names = [_first_name(path) for path in (read1, read2)]
    if names[0] != names[1]:
        raise InputError(f"{read2}: found read {names[1]!r} first, expected {names[0]!r} as in {read1}")
    return first


def _count(path: Path) -> int:
    lines = sum(piece.count(b"\n") for piece in blocks(path))
    if lines % 4:
        raise InputError(f"{path}: found {lines} lines, expected a multiple of 4: the FASTQ file is cut short")
    return lines // 4


def _first_name(path: Path) -> str:
    with open_text(path) as handle:
        line = handle.readline().decode("utf-8", "replace")
    if not line.startswith("@"):
        raise InputError(f"{path}, line 1: found {line[:40].strip()!r}, expected FASTQ: @name")
    return re.sub(r"[/.][12]$", "", line[1:].split()[0]) if line[1:].split() else ""


def trim(reads: tuple[Path, Path], outs: tuple[Path, Path], report: Path, threads: int) -> None:
    """Cut the adapters off with fastp (found by the overlap of the mates); pairs shorter than 15 are dropped.

    `report` is fastp's JSON; its HTML page goes beside it. Bases are not filtered by quality: Bowtie2 sees it.
    """
    announce("fastp")
    report.parent.mkdir(parents=True, exist_ok=True)
    with scratch(outs[0]) as folder:
        parts = [folder / f"{mate}.fastq.gz" for mate in (1, 2)]
        command: list[str | Path] = [
            "fastp",
            "--in1",
            reads[0],
            "--in2",
            reads[1],
            "--out1",
            parts[0],
            "--out2",
            parts[1],
        ]
        command += ["--detect_adapter_for_pe", "--disable_quality_filtering", "--length_required", "15"]
        pages: list[str | Path] = ["--json", report, "--html", report.with_suffix(".html")]
        pipeline([*command, *pages, "--thread", str(min(threads, 16)), "--compression", "3"])
        if not json.loads(report.read_text())["summary"]["after_filtering"]["total_reads"]:
            raise InputError(f"{reads[0]}: fastp leaves no read of 15 bases or more")
        for part, out in zip(parts, outs, strict=True):
            part.replace(out)


def build_index(genome: Path, prefix: Path, threads: int) -> None:
    """Build the Bowtie2 index `prefix`.*.bt2 (.bt2l above 4 Gb). Needs about twice the FASTA's size on the disk."""
    announce("bowtie2-build")
    prefix.parent.mkdir(parents=True, exist_ok=True)
    needed, free = 2 * genome.stat().st_size + (16 << 20), shutil.disk_usage(prefix.parent).free
    if free < needed:
        raise InputError(
            f"{prefix.parent}: {free / 1e6:.0f} MB free, about {needed / 1e6:.0f} MB needed for the index of {genome}"
        )
    with scratch(prefix) as folder:
        pipeline(["bowtie2-build", "--quiet", "--threads", str(threads), genome, folder / prefix.name])
        for part in folder.iterdir():
            part.replace(prefix.parent / part.name)


def align(
    reads: tuple[Path, Path],
    index: Path,
    out: Path,
    *,
    sample: str,
    genome_name: str,
    min_rate: float = 0.3,
    threads: int = 1,
    logs: Path,
) -> float:
    """Align pairs with Bowtie2 (fragments up to 2,000), sort and mark duplicates in one stream; returns the rate.

    Writes the sorted BAM `out` and its index, and Bowtie2's and markdup's own words to `logs`/SAMPLE.{bowtie2,markdup}.
    Raises InputError when less than `min_rate` of the reads align: probably another genome. Of large files, the first
    25,000 pairs are tried before the rest.
    """
    announce("bowtie2", "samtools")
    logs.mkdir(parents=True, exist_ok=True)
    messages = logs / f"{sample}.bowtie2.txt"
    command: list[str | Path] = [
        "bowtie2",
        "-X",
        "2000",
        "-x",
        index,
        "-p",
        str(threads),
        "-1",
        reads[0],
        "-2",
        reads[1],
    ]
    command += ["--rg-id", sample, "--rg", f"SM:{sample}"]

    def judge() -> float:
        rate = float(bowtie2_summary(messages.read_text())["overall_rate"])
        if rate < min_rate:
            raise InputError(
                f"{reads[0]}: {rate:.1%} of the reads align to the genome {genome_name}, expected at least "
                f"{min_rate:.0%} (min_alignment_rate); is it the right genome?"
            )
        return rate

    if reads[0].stat().st_size > _PROBE_BYTES:
        pipeline([*command, "-u", str(_PROBE_PAIRS)], ["samtools", "view", "-c"], messages=messages)
        judge()
    with scratch(out) as folder, atomic(out) as temporary:
        pipeline(
            command, *_sorted_and_marked(folder, threads, logs / f"{sample}.markdup.txt", temporary), messages=messages
        )
        rate = judge()
    _index(out)
    return rate


def mark(bam: Path, out: Path, *, sample: str, threads: int = 1, logs: Path) -> None:
    """Mark the duplicates of a user's BAM, which must be sorted by position, as `align` does for its own."""
    announce("samtools")
    check_sorted(bam)
    logs.mkdir(parents=True, exist_ok=True)
    with scratch(out) as folder, atomic(out) as temporary:
        collate: Command = ["samtools", "collate", "-O", "-u", "-@", str(threads), bam, folder / "collate"]
        pipeline(collate, *_sorted_and_marked(folder, threads, logs / f"{sample}.markdup.txt", temporary))
    _index(out)


def check_sorted(bam: Path) -> list[str]:
    """The contigs of a BAM that its header says to be sorted by position; InputError when not."""
    import pysam

    try:
        with pysam.AlignmentFile(str(bam), "rb") as handle:
            order = handle.header.to_dict().get("HD", {}).get("SO", "unsorted")
            contigs = list(handle.references)
    except (OSError, ValueError) as error:
        raise InputError(f"{bam}: not a readable BAM file: {' '.join(str(error).split())}") from None
    if order != "coordinate":
        raise InputError(
            f"{bam}: found the sort order {order!r}, expected 'coordinate'; samtools sort -o NEW.bam {bam}"
        )
    return contigs


def _sorted_and_marked(folder: Path, threads: int, stats: Path, out: Path) -> list[Command]:
    extra = ["-@", str(max(threads - 1, 0))]
    return [
        ["samtools", "fixmate", "-m", "-u", "-", "-"],
        ["samtools", "sort", "-u", *extra, "-T", folder / "sort", "-"],
        ["samtools", "markdup", *extra, "-f", stats, "-T", folder / "mark", "-O", "bam", "-", out],
    ]


def _index(bam: Path) -> None:
    index = Path(f"{bam}.bai")
    with atomic(index) as temporary:
        pipeline(["samtools", "index", "-o", temporary, bam])


def bowtie2_summary(text: str) -> dict[str, float]:
    """Counts of pairs by how they aligned, and the overall rate (0 to 1), from Bowtie2's summary."""
    patterns = {
        "pairs": r"(\d+) \(.*\) were paired",
        "concordant_once": r"(\d+) \(.*\) aligned concordantly exactly 1 time",
        "concordant_more": r"(\d+) \(.*\) aligned concordantly >1 times",
        "discordant": r"(\d+) \(.*\) aligned discordantly",
    }
    rate = re.search(r"([\d.]+)% overall alignment rate", text)
    if rate is None:
        raise InputError(f"bowtie2: no summary in what it says: {text.strip()[-80:]!r}")
    found = {name: re.search(pattern, text) for name, pattern in patterns.items()}
    counts = {name: float(match.group(1)) if match else 0.0 for name, match in found.items()}
    return counts | {"overall_rate": float(rate.group(1)) / 100}


def alignment_table(sample: str, pairs: int | None, summary: str) -> pd.DataFrame:
    """What became of a library's pairs: sample, step, count, share (of the pairs before trimming)."""
    counts = bowtie2_summary(summary)
    rate, aligned = counts.pop("overall_rate"), counts.pop("pairs")
    whole = pairs or aligned
    rows = {
        "pairs": whole,
        "after trimming": aligned,
        **counts,
        "overall alignment rate, reads": round(2 * aligned * rate),
    }
    table = pd.DataFrame({"sample": sample, "step": list(rows), "count": [int(count) for count in rows.values()]})
    return table.assign(share=[*(table["count"][:-1] / whole), rate])
