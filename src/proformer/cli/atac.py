"""`proformer atac STEP`: ATAC-seq from reads to windows, one step at a time."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from proformer.files import Output, OutputFolder

EXAMPLES = """examples (a whole experiment, step by step):
  proformer atac genome --genome R64.fa.gz --out genome.fa --table genome.tsv
  proformer atac index --genome genome.fa --out index/genome
  proformer atac check --reads A_1.fastq.gz A_2.fastq.gz --out A.pairs.tsv --sample A
  proformer atac trim --reads A_1.fastq.gz A_2.fastq.gz --out A_1.cut.fastq.gz A_2.cut.fastq.gz --report A.fastp.json
  proformer atac align --reads A_1.cut.fastq.gz A_2.cut.fastq.gz --index index/genome --sample A --out A.bam --logs logs
  proformer atac fragments --bam A.bam --genome genome.fa --sample A --out A.bed.gz --counts A.tsv --exclude Mito
  proformer atac pool --fragments A.bed.gz B.bed.gz --out pooled.bed.gz
  proformer atac peaks --fragments pooled.bed.gz --genome-table genome.tsv --out peaks
  proformer atac signal --fragments pooled.bed.gz --genome genome.fa --out signal.bw
  proformer atac windows --peaks peaks/atac_peaks.narrowPeak --signal signal.bw --genome genome.fa \\
      --out windows.safetensors
`proformer atac STEP --help` says what a step takes.
"""
Option = tuple[str, dict[str, Any]]


def option(name: str, text: str, **keywords: Any) -> Option:
    """An option; it is required, unless `default` gives its value when it is left out."""
    text = f"{text} (default {keywords['default']})" if keywords.get("default") else text
    return name, {"required": "default" not in keywords, "help": text} | keywords


def source(name: str, text: str, **keywords: Any) -> Option:
    """An option that names a file to read."""
    return option(name, text, type=Path, **keywords)


def result(name: str, text: str, **keywords: Any) -> Option:
    """An option that names a file to write."""
    return option(name, text, type=Output, **keywords)


def folder(name: str, text: str) -> Option:
    """An option that names a folder to write into."""
    return option(name, text, type=OutputFolder, metavar="DIR")


READS = source("--reads", "FASTQ, plain or gz", nargs=2, metavar=("READ1", "READ2"))
SAMPLE = option("--sample", "name of the library")
THREADS = option("--threads", "threads of the programs", type=int, default=1)
LOGS = folder("--logs", "folder for the programs' messages")
EXCLUDE = option("--exclude", "contigs to leave out", nargs="*", default=[], metavar="CONTIG")
GENOME = source("--genome", "FASTA that `genome` made")
NAMES = option("--contig-names", "add-chr, strip-chr, or a table: name there, the genome's name", default=None)
BLACKLIST = source("--blacklist", "BED of regions to leave out", default=None)
POOLED = source("--fragments", "pooled fragments (gz)")
PEAKS, SIGNAL = source("--peaks", "narrowPeak or BED"), source("--signal", "bigWig")
SAMPLES = (
    source("--fragments", "fragments of each sample", nargs="*", default=[]),
    option("--samples", "their names", nargs="*", default=[]),
)
STEPS: dict[str, tuple[str, *tuple[Option, ...]]] = {
    "genome": (
        "lay out a FASTA file for reading by position",
        source("--genome", "FASTA, plain or gz"),
        result("--out", "plain FASTA; its index is OUT.fai"),
        result("--table", "table of contigs: length, known bases"),
    ),
    "index": (
        "build the Bowtie2 index",
        *(source("--genome", "FASTA"), THREADS),
        result("--out", "prefix of the index files", metavar="PREFIX"),
    ),
    "check": (
        "count the pairs of two FASTQ files and check that mates fit",
        *(READS, SAMPLE),
        result("--out", "table: sample, pairs"),
    ),
    "trim": (
        "cut adapters off with fastp",
        *(READS, THREADS),
        result("--out", "trimmed FASTQ (gz)", nargs=2),
        result("--report", "fastp's report (JSON; HTML beside it)"),
    ),
    "align": (
        "align with Bowtie2, sort, mark duplicates, in one stream",
        *(READS, SAMPLE, LOGS, THREADS),
        source("--index", "prefix of the index files", metavar="PREFIX"),
        result("--out", "sorted BAM; its index is OUT.bai"),
        option("--genome-name", "what messages call the genome", default="(not named)"),
        option("--min-rate", "stop below this share of aligned reads", type=float, default=0.3),
        source("--pairs", "table of `check`, for the share before trimming", default=None),
        result("--counts", "table of what became of the pairs", default=None),
    ),
    "mark": (
        "mark the duplicates of a sorted BAM of your own",
        *(SAMPLE, LOGS, THREADS),
        source("--bam", "BAM, sorted by position"),
        result("--out", "BAM; its index is OUT.bai"),
    ),
    "fragments": (
        "filter a BAM or a fragments file (BED, BEDPE, 10x) into fragments",
        *(SAMPLE, GENOME, NAMES, BLACKLIST, EXCLUDE, THREADS),
        source("--bam", "sorted BAM with marked duplicates", default=None),
        source("--fragments", "or: BED, BEDPE or 10x fragments.tsv, plain or gz", default=None),
        option("--shifted", "the ends are cut sites (left out: .tsv's are)", choices=("yes", "no"), default=None),
        option("--mapq", "least mapping quality of both mates", type=int, default=30),
        result("--out", "sorted BED (gz)"),
        result("--counts", "table of pairs left after each step"),
    ),
    "pool": (
        "merge the fragments of replicates",
        source("--fragments", "files that `fragments` made", nargs="+"),
        *(result("--out", "sorted BED (gz)"), THREADS),
    ),
    "lengths": (
        "count fragments by length, and say whether they look like ATAC-seq",
        *SAMPLES,
        result("--out", "table: sample, length, count"),
    ),
    "peaks": (
        "call peaks with MACS2",
        *(POOLED, EXCLUDE),
        option("--mode", "fragments or cut sites", choices=("bampe", "cutsites"), default="bampe"),
        source("--genome-table", "table that `genome` made: known bases are the genome's size", default=None),
        option("--genome-size", "effective size in bp, in place of the table", type=float, default=None),
        folder("--out", "folder for the peaks"),
    ),
    "signal": (
        "pile fragments or cut sites up into a bigWig",
        *(POOLED, GENOME),
        option("--mode", "what is piled up", choices=("fragments", "cutsites"), default="fragments"),
        result("--out", "bigWig"),
    ),
    "windows": (
        "draw windows around summits into an encoded store",
        *(PEAKS, SIGNAL, GENOME, NAMES, BLACKLIST),
        result("--out", "the store (.safetensors)"),
        result("--counts", "table of what was left out", default=None),
        option("--number", "windows to draw", type=int, default=100_000),
        option("--length", "nucleotides of each", type=int, default=100),
        option("--reach", "bp around a summit in which they lie", type=int, default=1000),
        option("--centre", "bp in the middle whose mean signal is the target", type=int, default=20),
        option("--seed", "of the draw", type=int, default=1),
        option("--max-n", "unknown bases allowed", type=int, default=0),
        option("--transform", "of the target", choices=("none", "log1p"), default="log1p"),
    ),
    "quality": (
        "FRiP, signal around summits, one locus, TSS enrichment, recall",
        *(*SAMPLES, PEAKS, SIGNAL, GENOME, NAMES),
        source("--pooled", "pooled fragments, for the locus", default=None),
        source("--windows", "store of windows"),
        source("--annotation", "GTF or BED of transcription start sites", default=None),
        source("--regions", "BED of regions known to be accessible (a simulation's)", default=None),
        folder("--out", "folder for the tables"),
    ),
    "tools": (
        "collect the versions of programs from the steps' logs",
        source("--logs", "folder of the steps' logs", metavar="DIR"),
        result("--out", "table: step, tool, version"),
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the steps and their options."""
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    for name, (summary, *options) in STEPS.items():
        step = steps.add_parser(name, help=summary, description=summary)
        for flag, keywords in options:
            step.add_argument(flag, **keywords)


def atac(args: argparse.Namespace) -> None:
    """Take an ATAC-seq experiment from reads to windows, step by step."""
    from proformer.atac import steps

    getattr(steps, args.step)(args)
