"""From FASTQ to alignments: mates checked, adapters trimmed, aligned, sorted and marked in one stream."""

import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.atac.tools import Command, announce, output_of, pipeline
from proformer.datasets.text import blocks, open_text
from proformer.errors import InputError
from proformer.files import atomic, deliver, existing, scratch

_PROBE_BYTES = 100 << 20
_PROBE_PAIRS = 25_000
_COMPARED = 1000  # reads of both files: the same sequences are no mates


def check_mates(read1: Path, read2: Path) -> int:
    """Number of read pairs in two FASTQ files (plain or gz), both read to their end at the same time.

    Raises InputError: a file missing, empty or cut short; a record that is none; the same file or the same reads twice;
    another number of mates, or of another read.
    """
    if existing(read1).samefile(existing(read2)):
        raise InputError(f"{read2}: is the same file as {read1}, expected the other mates")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(_count, (read1, read2))
    if first != second:
        raise InputError(f"{read2}: found {second} reads, expected {first}, as many as their mates in {read1}")
    one, two = (_first_reads(path) for path in (read1, read2))
    if one[0][0] != two[0][0]:
        raise InputError(f"{read2}: found read {two[0][0]!r} first, expected {one[0][0]!r} as in {read1}")
    if [sequence for _, sequence in one] == [sequence for _, sequence in two]:
        raise InputError(f"{read2}: found the same sequences as in {read1}, expected their mates")
    return first


def _count(path: Path) -> int:
    """Number of records, each of four lines: @name, sequence, +, as many qualities as bases."""
    reads, rest = 0, b""
    for piece in blocks(path):
        text = np.frombuffer(rest + piece, dtype=np.uint8)
        newlines = np.flatnonzero(text == ord("\n"))
        ends = newlines[: len(newlines) // 4 * 4].reshape(-1, 4)
        starts = np.concatenate([[0], ends.ravel()[:-1] + 1]).reshape(-1, 4) if len(ends) else ends
        lengths = ends - starts
        marks = (text[starts[:, 0]] != ord("@")) | (text[starts[:, 2]] != ord("+"))
        for wrong, line, expected in (
            (marks, 1, "a FASTQ record: @name, sequence, +, qualities"),
            (lengths[:, 1] != lengths[:, 3], 4, "as many qualities as bases"),
        ):
            if wrong.any():
                row = int(np.argmax(wrong))
                found = text[starts[row, line - 1] : ends[row, line - 1]][:40].tobytes().decode("utf-8", "replace")
                raise InputError(f"{path}, line {4 * (reads + row) + line}: found {found!r}, expected {expected}")
        reads += len(ends)
        rest = text[ends[-1, 3] + 1 if len(ends) else 0 :].tobytes()
    if rest:
        lines = 4 * reads + rest.count(b"\n")
        raise InputError(f"{path}: found {lines} lines, expected a multiple of 4: the FASTQ file is cut short")
    return reads


def _first_reads(path: Path) -> list[tuple[str, bytes]]:
    """Name, without the number of the mate, and sequence of the first reads."""
    with open_text(path) as handle:
        lines = list(islice(handle, 4 * _COMPARED))
    names = (line[1:].decode("utf-8", "replace").split() for line in lines[::4])
    return [
        (re.sub(r"[/.][12]$", "", (name or [""])[0]), bases) for name, bases in zip(names, lines[1::4], strict=True)
    ]


def trim(reads: tuple[Path, Path], outs: tuple[Path, Path], report: Path, threads: int) -> None:
    """Cut the adapters off with fastp (found by the overlap of the mates); pairs shorter than 15 are dropped.

    `report` is fastp's JSON; its HTML page goes beside it. Bases are not filtered by quality: Bowtie2 sees it.
    """
    announce("fastp")
    with scratch(outs[0]) as folder:
        one, two, page = folder / "1.fastq.gz", folder / "2.fastq.gz", folder / "page.html"
        files: Command = ["--in1", existing(reads[0]), "--in2", existing(reads[1]), "--out1", one, "--out2", two]
        options = ["--detect_adapter_for_pe", "--disable_quality_filtering", "--length_required", "15"]
        options += ["--thread", str(min(threads, 16)), "--compression", "3"]
        pipeline(["fastp", *files, *options, "--json", folder / "report.json", "--html", page])
        if not json.loads((folder / "report.json").read_text())["summary"]["after_filtering"]["total_reads"]:
            raise InputError(f"{reads[0]}: fastp leaves no read of 15 bases or more")
        outputs = (*outs, report, report.with_suffix(".html"))
        for part, out in zip((one, two, folder / "report.json", page), outputs, strict=True):
            deliver(part, out)


def build_index(genome: Path, prefix: Path, threads: int) -> None:
    """Build the Bowtie2 index `prefix`.*.bt2 (.bt2l above 4 Gb). Needs about twice the FASTA's size on the disk."""
    announce("bowtie2-build")
    prefix.parent.mkdir(parents=True, exist_ok=True)
    needed, free = 2 * existing(genome).stat().st_size + (16 << 20), shutil.disk_usage(prefix.parent).free
    if free < needed:
        raise InputError(
            f"{prefix.parent}: {free / 1e6:.0f} MB free, about {needed / 1e6:.0f} MB needed for the index of {genome}"
        )
    with scratch(prefix) as folder:
        pipeline(["bowtie2-build", "--quiet", "--threads", str(threads), genome, folder / prefix.name])
        for part in folder.iterdir():
            deliver(part, prefix.parent / part.name)


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

    Writes the sorted BAM `out` and its index, and Bowtie2's and markdup's messages to `logs`/SAMPLE.{bowtie2,markdup}.
    Raises InputError when less than `min_rate` of the reads align: probably another genome. Of large files, the first
    25,000 pairs are tried before the rest.
    """
    announce("bowtie2", "samtools")
    logs.mkdir(parents=True, exist_ok=True)
    messages = logs / f"{sample}.bowtie2.txt"
    command: Command = ["bowtie2", "-X", "2000", "-x", index, "-p", str(threads)]
    command = [*command, "-1", existing(reads[0]), "-2", existing(reads[1]), "--rg-id", sample, "--rg", f"SM:{sample}"]

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
    _sorted_and_marked(command, out, threads, logs / f"{sample}.markdup.txt", messages, judge)
    return judge()


def mark(bam: Path, out: Path, *, sample: str, threads: int = 1, logs: Path) -> None:
    """Mark the duplicates of a user's BAM, which must be sorted by position, as `align` does for its own."""
    announce("samtools")
    check_sorted(bam)
    logs.mkdir(parents=True, exist_ok=True)
    with scratch(out.with_name(f"{out.name}.collate")) as folder:
        collate: Command = ["samtools", "collate", "-O", "-u", "-@", str(threads), bam, folder / "collate"]
        _sorted_and_marked(collate, out, threads, logs / f"{sample}.markdup.txt")


def check_sorted(bam: Path) -> dict[str, int]:
    """The contigs and their lengths of a BAM that its header says to be sorted by position; InputError when not."""
    try:
        header = [line.split("\t") for line in output_of(["samtools", "view", "-H", existing(bam)]).splitlines()]
        tags = [
            (line[0], dict(field.split(":", 1) for field in line[1:])) for line in header if line[0] in ("@HD", "@SQ")
        ]
        order = next((found.get("SO") for kind, found in tags if kind == "@HD"), None) or "unsorted"
        contigs = {found["SN"]: int(found["LN"]) for kind, found in tags if kind == "@SQ"}
    except (InputError, ValueError, KeyError) as error:
        raise InputError(f"{bam}: not a readable BAM file: {' '.join(str(error).split())}") from None
    if order != "coordinate":
        raise InputError(
            f"{bam}: found the sort order {order!r}, expected 'coordinate'; samtools sort -o NEW.bam {bam}"
        )
    return contigs


def _sorted_and_marked(
    source: Command,
    out: Path,
    threads: int,
    stats: Path,
    messages: Path | None = None,
    judge: Callable[[], object] = lambda: None,
) -> None:
    """Sort the alignments of a program, mark their duplicates, and, once `judge` has seen its messages, index them."""
    extra = ["-@", str(max(threads - 1, 0))]
    with scratch(out) as folder, atomic(out) as temporary, atomic(Path(f"{out}.bai")) as index:
        commands: list[Command] = [
            ["samtools", "fixmate", "-m", "-u", "-", "-"],
            ["samtools", "sort", "-u", *extra, "-T", folder / "sort", "-"],
            ["samtools", "markdup", *extra, "-f", stats, "-T", folder / "mark", "-O", "bam", "-", temporary],
        ]
        pipeline(source, *commands, messages=messages)
        judge()
        pipeline(["samtools", "index", "-o", index, temporary])


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
    rows = {"pairs": whole, "after trimming": aligned, **counts}
    rows["overall alignment rate, reads"] = round(2 * aligned * rate)
    table = pd.DataFrame({"sample": sample, "step": list(rows), "count": [int(count) for count in rows.values()]})
    return table.assign(share=[*(table["count"][:-1] / whole), rate])
