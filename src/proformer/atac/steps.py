"""The steps of `proformer atac`, whose options are those of these functions: library calls, files and tables out."""

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd

from proformer.atac import contigs
from proformer.atac import fragments as filtering
from proformer.atac import lengths as sizes
from proformer.atac import peaks as calling
from proformer.atac import quality as checks
from proformer.atac import reads as fastq
from proformer.atac import signal as track
from proformer.atac import windows as drawing
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.files import InputFolder, Output, OutputFolder, read_table, write_table
from proformer.settings import Count, CountOrZero, Length, MappingQuality, Positive, Seed, Share
from proformer.settings import Threads as ThreadCount

Reads = Annotated[tuple[Path, Path], "FASTQ, plain or gz: of read 1, of read 2"]
Sample = Annotated[str, "name of the library"]
Threads = Annotated[ThreadCount, "threads of the programs"]
Logs = Annotated[OutputFolder, "folder for the programs' messages"]
GenomeFile = Annotated[Path, "FASTA that `genome` made"]
ContigNames = Annotated[str | None, "add-chr, strip-chr, or a table: name there, the genome's name"]
Exclude = Annotated[tuple[str, ...], "contigs to leave out"]
Blacklist = Annotated[Path | None, "BED of regions to leave out"]
Pooled = Annotated[Path, "pooled fragments (gz)"]
Peaks = Annotated[Path, "narrowPeak or BED"]
SignalFile = Annotated[Path, "bigWig"]
SampleFragments = Annotated[tuple[Path, ...], "fragments of each sample"]
SampleNames = Annotated[tuple[str, ...], "their names"]


def genome(
    *,
    genome: Annotated[Path, "FASTA, plain or gz"],
    out: Annotated[Output, "plain FASTA; its index is OUT.fai"],
    table: Annotated[Output, "table of contigs: length, known bases"],
) -> None:
    """Lay out a FASTA file for reading by position."""
    write_table(table, contigs.make_genome(genome, out))


def index(
    *, genome: Annotated[Path, "FASTA"], out: Annotated[Output, "prefix of the index files"], threads: Threads = 1
) -> None:
    """Build the Bowtie2 index."""
    fastq.build_index(genome, out, threads)


def check(*, reads: Reads, sample: Sample, out: Annotated[Output, "table: sample, pairs"]) -> None:
    """Count the pairs of two FASTQ files and check that mates fit."""
    write_table(out, pd.DataFrame({"sample": [sample], "pairs": [fastq.check_mates(*reads)]}))


def trim(
    *,
    reads: Reads,
    out: Annotated[tuple[Output, Output], "trimmed FASTQ (gz)"],
    report: Annotated[Output, "fastp's report (JSON; HTML beside it)"],
    threads: Threads = 1,
) -> None:
    """Cut adapters off with fastp."""
    fastq.trim(reads, out, report, threads)


def align(
    *,
    reads: Reads,
    index: Annotated[Path, "prefix of the index files"],
    sample: Sample,
    out: Annotated[Output, "sorted BAM; its index is OUT.bai"],
    logs: Logs,
    genome_name: Annotated[str, "what messages call the genome"] = "(not named)",
    min_rate: Annotated[Share, "stop below this share of aligned reads"] = 0.3,
    pairs: Annotated[Path | None, "table of `check`, for the share before trimming"] = None,
    counts: Annotated[Output | None, "table of what became of the pairs"] = None,
    threads: Threads = 1,
) -> None:
    """Align with Bowtie2, sort, mark duplicates, in one stream."""
    names = {"sample": sample, "genome_name": genome_name}
    rate = fastq.align(reads, index, out, min_rate=min_rate, threads=threads, logs=logs, **names)
    if counts:
        whole = int(read_table(pairs, ["pairs"])["pairs"].iloc[0]) if pairs else None
        write_table(counts, fastq.alignment_table(sample, whole, (logs / f"{sample}.bowtie2.txt").read_text()))
    print(f"{sample}: {rate:.2%} of the reads align to {genome_name}")


def mark(
    *,
    bam: Annotated[Path, "BAM, sorted by position"],
    sample: Sample,
    out: Annotated[Output, "BAM; its index is OUT.bai"],
    logs: Logs,
    threads: Threads = 1,
) -> None:
    """Mark the duplicates of a sorted BAM of your own."""
    fastq.mark(bam, out, sample=sample, threads=threads, logs=logs)


def fragments(
    *,
    sample: Sample,
    genome: GenomeFile,
    out: Annotated[Output, "sorted BED (gz)"],
    counts: Annotated[Output, "table of pairs left after each step"],
    bam: Annotated[Path | None, "sorted BAM with marked duplicates"] = None,
    fragments: Annotated[Path | None, "or: BED, BEDPE or 10x fragments.tsv, plain or gz"] = None,
    shifted: Annotated[Literal["yes", "no"] | None, "the ends are cut sites (left out: .tsv's are)"] = None,
    mapq: Annotated[MappingQuality, "least mapping quality of both mates"] = 30,
    contig_names: ContigNames = None,
    exclude: Exclude = (),
    blacklist: Blacklist = None,
    threads: Threads = 1,
) -> None:
    """Filter a BAM or a fragments file (BED, BEDPE, 10x) into fragments."""
    if bool(bam) == bool(fragments):
        raise InputError("fragments: expected --bam or --fragments, one of them")
    opened = contigs.open_genome(genome)
    wanted = filtering.Filter(mapq, exclude, blacklist, contig_names)
    if bam:
        table = filtering.from_bam(bam, opened, out, wanted, sample, threads)
    elif fragments:
        moved = None if shifted is None else shifted == "yes"
        table = filtering.from_text(fragments, opened, out, wanted, sample, shifted=moved, threads=threads)
    write_table(counts, table)
    print(table.to_string(index=False))


def pool(
    *,
    fragments: Annotated[tuple[Path, ...], "files that `fragments` made"],
    out: Annotated[Output, "sorted BED (gz)"],
    threads: Threads = 1,
) -> None:
    """Merge the fragments of replicates."""
    print(f"{filtering.pool(fragments, out, threads)} fragments of {len(fragments)} samples")


def lengths(
    *,
    fragments: SampleFragments = (),
    samples: SampleNames = (),
    out: Annotated[Output, "table: sample, length, count"],
) -> None:
    """Count fragments by length, and say whether they look like ATAC-seq."""
    found = {sample: sizes.count_lengths(path) for sample, path in _named(samples, fragments).items()}
    write_table(out, pd.concat([sizes.length_table(counts, sample) for sample, counts in found.items()]))
    for sample, counts in found.items():
        print(f"{sample}: {sizes.unlike_atac(counts) or f'{counts.sum()} fragments'}")


def peaks(
    *,
    fragments: Pooled,
    out: Annotated[OutputFolder, "folder for the peaks"],
    mode: Annotated[Literal["bampe", "cutsites"], "fragments or cut sites"] = "bampe",
    genome_table: Annotated[Path | None, "table that `genome` made: known bases are the genome's size"] = None,
    genome_size: Annotated[Positive | None, "effective size in bp, in place of the table"] = None,
    exclude: Exclude = (),
) -> None:
    """Call peaks with MACS2."""
    if genome_size is None:
        if genome_table is None:
            raise InputError("peaks: expected --genome-table or --genome-size")
        table = read_table(genome_table, ["contig", "acgt"], dtype={"contig": str})
        contigs.check_excluded(exclude, table["contig"])
        genome_size = float(table.loc[~table["contig"].isin(exclude), "acgt"].sum())
    print(f"{calling.call_peaks(fragments, out, mode, genome_size)} summits; genome size {genome_size:.0f}")


def signal(
    *,
    fragments: Pooled,
    genome: GenomeFile,
    out: Annotated[Output, "bigWig"],
    mode: Annotated[
        Literal["fragments", "cutsites", "counts"], "what is piled up; counts: +4/-4, not scaled"
    ] = "fragments",
) -> None:
    """Pile fragments or cut sites up into a bigWig."""
    print(f"{track.write_signal(fragments, contigs.open_genome(genome), out, mode)} {mode}")


def windows(
    *,
    peaks: Peaks,
    signal: SignalFile,
    genome: GenomeFile,
    out: Annotated[Output, "the store (.safetensors)"],
    counts: Annotated[Output | None, "table of what was left out"] = None,
    contig_names: ContigNames = None,
    blacklist: Blacklist = None,
    number: Annotated[Count, "windows to draw"] = 100_000,
    length: Annotated[Length, "nucleotides of each"] = 100,
    reach: Annotated[Count, "bp around a summit in which they lie"] = 1000,
    centre: Annotated[Count, "bp in the middle whose mean signal is the target"] = 20,
    seed: Annotated[Seed, "of the draw"] = 1,
    max_n: Annotated[CountOrZero, "unknown bases allowed"] = 0,
    transform: Annotated[Literal["none", "log1p"], "of the target"] = "log1p",
) -> None:
    """Draw windows around summits into an encoded store."""
    opened = contigs.open_genome(genome)
    summits = calling.read_summits(peaks, opened, contig_names)
    opened_signal = track.Signal(signal, opened, contig_names)
    plan = drawing.Windows(number, length, reach, centre, seed, transform, max_n)
    table = drawing.make_windows(
        summits, opened, opened_signal, out, plan, blacklist=blacklist, contig_names=contig_names
    )
    write_table(counts, table)
    print(table.to_string(index=False))


def quality(
    *,
    peaks: Peaks,
    signal: SignalFile,
    windows: Annotated[Path, "store of windows"],
    genome: GenomeFile,
    out: Annotated[OutputFolder, "folder for the tables"],
    pooled: Annotated[Path | None, "pooled fragments, for the locus"] = None,
    fragments: SampleFragments = (),
    samples: SampleNames = (),
    annotation: Annotated[Path | None, "GTF or BED of transcription start sites"] = None,
    regions: Annotated[Path | None, "BED of regions known to be accessible (a simulation's)"] = None,
    contig_names: ContigNames = None,
) -> None:
    """FRiP, signal around summits, one locus, TSS enrichment, recall."""
    opened = contigs.open_genome(genome)
    opened_signal = track.Signal(signal, opened, contig_names)
    summits = calling.read_summits(peaks, opened, contig_names)
    called = filtering.read_bed(peaks, opened, contig_names)
    store = open_store(windows)
    profile, heatmap = checks.around_summits(opened_signal, opened, summits)
    rows = {
        "summits": len(summits),
        "peaks": len(called.drop_duplicates()),
        "median width of a peak": int((called["end"] - called["start"]).median()),
    }
    tables = {
        "profile": profile,
        "heatmap": heatmap,
        "window_summary": checks.window_summary(store),
        "locus": checks.locus(store, opened_signal, opened, summits, pooled or Path()),
        "peaks": pd.DataFrame({"what": list(rows), "count": list(rows.values())}),
    }
    if fragments:
        found = [checks.fraction_in_peaks(path, called, sample) for sample, path in _named(samples, fragments).items()]
        tables["frip"] = pd.concat(found)
    if annotation:
        sites = checks.read_sites(annotation, opened, contig_names)
        tables["tss"] = checks.tss_enrichment(opened_signal, opened, sites)
    if regions:
        tables["recall"] = checks.recall(filtering.read_bed(regions, opened, contig_names), called)
    for name, table in tables.items():
        write_table(out / f"{name}.tsv", table)


def tools(
    *, logs: Annotated[InputFolder, "folder of the steps' logs"], out: Annotated[Output, "table: step, tool, version"]
) -> None:
    """Collect the versions of programs from the steps' logs."""
    rows = {
        (path.relative_to(logs).with_suffix("").parts[0], *line.split()[2:4])
        for path in sorted(logs.rglob("*.log"))
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith("# version ")
    }
    write_table(out, pd.DataFrame(sorted(rows), columns=["step", "tool", "version"]))


def _named(samples: tuple[str, ...], fragments: tuple[Path, ...]) -> dict[str, Path]:
    """The fragments of each sample."""
    if not len({*samples}) == len(samples) == len(fragments):
        raise InputError(f"--samples: found {' '.join(samples)}, expected another name for each of --fragments")
    return dict(zip(samples, fragments, strict=True))
