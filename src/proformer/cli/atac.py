"""`proformer atac STEP`: ATAC-seq from reads to windows, one step at a time."""

from __future__ import annotations

import argparse
from pathlib import Path

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
STEPS = {
    "genome": "lay out a FASTA file for reading by position",
    "index": "build the Bowtie2 index",
    "check": "count the pairs of two FASTQ files and check that mates fit",
    "trim": "cut adapters off with fastp",
    "align": "align with Bowtie2, sort, mark duplicates, in one stream",
    "mark": "mark the duplicates of a sorted BAM of your own",
    "fragments": "filter a BAM or a fragments file (BED, BEDPE, 10x) into fragments",
    "pool": "merge the fragments of replicates",
    "peaks": "call peaks with MACS2",
    "signal": "pile fragments or cut sites up into a bigWig",
    "windows": "draw windows around summits into an encoded store",
    "quality": "fragment lengths, FRiP, signal around summits, one locus, TSS enrichment, recall",
    "tools": "collect the versions of programs from the steps' logs",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the steps and their options."""
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    for name, summary in STEPS.items():
        step = steps.add_parser(name, help=summary, description=summary)
        globals()[f"_{name}_options"](step)
    for name in ("index", "trim", "align", "mark", "fragments", "pool"):
        steps.choices[name].add_argument("--threads", type=int, default=1, help="threads of the programs (default 1)")


def _genome_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--genome", type=Path, required=True, help="FASTA, plain or gz")
    step.add_argument("--out", type=Path, required=True, help="plain FASTA; its index is OUT.fai")
    step.add_argument("--table", type=Path, required=True, help="table of contigs: length, known bases")


def _index_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--genome", type=Path, required=True, help="FASTA")
    step.add_argument("--out", type=Path, required=True, metavar="PREFIX", help="prefix of the index files")


def _reads_options(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--reads", type=Path, nargs=2, required=True, metavar=("READ1", "READ2"), help="FASTQ, plain or gz"
    )


def _check_options(step: argparse.ArgumentParser) -> None:
    _reads_options(step)
    step.add_argument("--sample", required=True)
    step.add_argument("--out", type=Path, required=True, help="table: sample, pairs")


def _trim_options(step: argparse.ArgumentParser) -> None:
    _reads_options(step)
    step.add_argument("--out", type=Path, nargs=2, required=True, help="trimmed FASTQ (gz)")
    step.add_argument("--report", type=Path, required=True, help="fastp's report (JSON; HTML beside it)")


def _align_options(step: argparse.ArgumentParser) -> None:
    _reads_options(step)
    step.add_argument("--index", type=Path, required=True, metavar="PREFIX", help="prefix of the index files")
    step.add_argument("--sample", required=True)
    step.add_argument("--out", type=Path, required=True, help="sorted BAM; its index is OUT.bai")
    step.add_argument("--logs", type=Path, required=True, metavar="DIR", help="folder for the programs' own words")
    step.add_argument("--genome-name", default="(not named)", help="what messages call the genome")
    step.add_argument(
        "--min-rate", type=float, default=0.3, help="stop below this share of aligned reads (default 0.3)"
    )
    step.add_argument("--pairs", type=Path, help="table of `check`, for the share before trimming")
    step.add_argument("--counts", type=Path, help="table of what became of the pairs")


def _mark_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--bam", type=Path, required=True)
    step.add_argument("--sample", required=True)
    step.add_argument("--out", type=Path, required=True, help="BAM; its index is OUT.bai")
    step.add_argument("--logs", type=Path, required=True, metavar="DIR", help="folder for the programs' own words")


def _names_options(step: argparse.ArgumentParser, blacklist: bool = True) -> None:
    step.add_argument("--genome", type=Path, required=True, help="FASTA that `genome` made")
    step.add_argument("--contig-names", help="add-chr, strip-chr, or a table of two columns: name there, genome's name")
    if blacklist:
        step.add_argument("--blacklist", type=Path, help="BED of regions to leave out")


def _fragments_options(step: argparse.ArgumentParser) -> None:
    source = step.add_mutually_exclusive_group(required=True)
    source.add_argument("--bam", type=Path, help="sorted BAM with marked duplicates")
    source.add_argument("--fragments", type=Path, help="BED, BEDPE or 10x fragments.tsv, plain or gz")
    step.add_argument("--shifted", choices=("yes", "no"), help="ends of --fragments are cut sites (default: .tsv is)")
    step.add_argument("--sample", required=True)
    step.add_argument("--out", type=Path, required=True, help="sorted BED (gz)")
    step.add_argument("--counts", type=Path, required=True, help="table of pairs left after each step")
    step.add_argument("--mapq", type=int, default=30, help="least mapping quality of both mates (default 30)")
    step.add_argument("--exclude", nargs="*", default=[], metavar="CONTIG", help="contigs to leave out")
    _names_options(step)


def _pool_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--fragments", type=Path, nargs="+", required=True, help="files that `fragments` made")
    step.add_argument("--out", type=Path, required=True, help="sorted BED (gz)")


def _peaks_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--fragments", type=Path, required=True, help="pooled fragments (gz)")
    step.add_argument("--mode", choices=("bampe", "cutsites"), default="bampe", help="fragments or cut sites")
    step.add_argument(
        "--genome-table", type=Path, help="table that `genome` made: its known bases are the genome's size"
    )
    step.add_argument("--exclude", nargs="*", default=[], metavar="CONTIG", help="contigs that do not count")
    step.add_argument("--genome-size", type=float, help="effective genome size in bp, in place of the table")
    step.add_argument("--out", type=Path, required=True, metavar="DIR")


def _signal_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--fragments", type=Path, required=True, help="pooled fragments (gz)")
    step.add_argument("--genome", type=Path, required=True, help="FASTA that `genome` made")
    step.add_argument("--mode", choices=("fragments", "cutsites"), default="fragments", help="what is piled up")
    step.add_argument("--out", type=Path, required=True, help="bigWig")


def _windows_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--peaks", type=Path, required=True, help="narrowPeak or BED")
    step.add_argument("--signal", type=Path, required=True, help="bigWig")
    step.add_argument("--out", type=Path, required=True, help="the store (.safetensors)")
    step.add_argument("--counts", type=Path, help="table of what was left out")
    for name, value, what in (
        ("number", 100_000, "windows to draw"),
        ("length", 100, "nucleotides of each"),
        ("reach", 1000, "bp around a summit in which they lie"),
        ("centre", 20, "bp in the middle whose mean signal is the target"),
        ("seed", 1, "of the draw"),
        ("max-n", 0, "unknown bases allowed"),
    ):
        step.add_argument(f"--{name}", type=int, default=value, help=f"{what} (default {value})")
    step.add_argument("--transform", choices=("none", "log1p"), default="log1p", help="of the target (default log1p)")
    _names_options(step)


def _quality_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--fragments", type=Path, nargs="*", default=[], help="fragments of each sample")
    step.add_argument("--samples", nargs="*", default=[], help="their names")
    step.add_argument("--pooled", type=Path, help="pooled fragments, for the locus")
    step.add_argument("--peaks", type=Path, required=True, help="narrowPeak or BED")
    step.add_argument("--signal", type=Path, required=True, help="bigWig")
    step.add_argument("--windows", type=Path, required=True, help="store of windows")
    step.add_argument("--annotation", type=Path, help="GTF or BED of transcription start sites")
    step.add_argument("--regions", type=Path, help="BED of regions known to be accessible (a simulation's)")
    step.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tables")
    _names_options(step, blacklist=False)


def _tools_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--logs", type=Path, required=True, metavar="DIR", help="folder of the steps' logs")
    step.add_argument("--out", type=Path, required=True, help="table: step, tool, version")


def atac(args: argparse.Namespace) -> None:
    """Take an ATAC-seq experiment from reads to windows, step by step."""
    from proformer.atac import steps

    getattr(steps, args.step)(args)
