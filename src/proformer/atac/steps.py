"""The steps of `proformer atac`: options in, library calls, files and tables out."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from proformer.atac import contigs, reads
from proformer.atac import fragments as pairs
from proformer.atac import peaks as calling
from proformer.atac import quality as checks
from proformer.atac import signal as track
from proformer.atac import windows as drawing
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.files import read_table, write_table


def genome(args: argparse.Namespace) -> None:
    """Lay out the genome, and count its bases."""
    contigs.make_genome(args.genome, args.out)
    write_table(args.table, contigs.count_bases(contigs.open_genome(args.out)))


def index(args: argparse.Namespace) -> None:
    """Build the Bowtie2 index."""
    reads.build_index(args.genome, args.out, args.threads)


def check(args: argparse.Namespace) -> None:
    """Count pairs."""
    write_table(args.out, pd.DataFrame({"sample": [args.sample], "pairs": [reads.check_mates(*args.reads)]}))


def trim(args: argparse.Namespace) -> None:
    """Cut adapters off."""
    reads.trim(tuple(args.reads), tuple(args.out), args.report, args.threads)


def align(args: argparse.Namespace) -> None:
    """Align one library."""
    rate = reads.align(
        tuple(args.reads),
        args.index,
        args.out,
        sample=args.sample,
        genome_name=args.genome_name,
        min_rate=args.min_rate,
        threads=args.threads,
        logs=args.logs,
    )
    if args.counts:
        whole = int(read_table(args.pairs)["pairs"].iloc[0]) if args.pairs else None
        summary = (args.logs / f"{args.sample}.bowtie2.txt").read_text()
        write_table(args.counts, reads.alignment_table(args.sample, whole, summary))
    print(f"{args.sample}: {rate:.2%} of the reads align to {args.genome_name}")


def mark(args: argparse.Namespace) -> None:
    """Mark duplicates."""
    reads.mark(args.bam, args.out, sample=args.sample, threads=args.threads, logs=args.logs)


def fragments(args: argparse.Namespace) -> None:
    """Filter."""
    opened = contigs.open_genome(args.genome)
    wanted = pairs.Filter(args.mapq, tuple(args.exclude), args.blacklist, args.contig_names)
    if args.bam:
        counts = pairs.from_bam(args.bam, opened, args.out, wanted, args.sample, args.threads)
    else:
        shifted = None if args.shifted is None else args.shifted == "yes"
        counts = pairs.from_text(
            args.fragments, opened, args.out, wanted, args.sample, shifted=shifted, threads=args.threads
        )
    write_table(args.counts, counts)
    print(counts.to_string(index=False))


def pool(args: argparse.Namespace) -> None:
    """Merge replicates."""
    print(f"{pairs.pool(args.fragments, args.out, args.threads)} fragments of {len(args.fragments)} samples")


def peaks(args: argparse.Namespace) -> None:
    """Call peaks."""
    size = args.genome_size
    if size is None:
        if args.genome_table is None:
            raise InputError("peaks: expected --genome-table or --genome-size")
        table = pd.read_csv(args.genome_table, sep="\t", dtype={"contig": str})
        size = float(table.loc[~table["contig"].isin(args.exclude), "acgt"].sum())
    print(f"{calling.call_peaks(args.fragments, args.out, args.mode, size)} summits; genome size {size:.0f}")


def signal(args: argparse.Namespace) -> None:
    """Write the bigWig."""
    number = track.write_signal(args.fragments, contigs.open_genome(args.genome), args.out, args.mode)
    print(f"{number} {args.mode}")


def windows(args: argparse.Namespace) -> None:
    """Draw windows."""
    opened = contigs.open_genome(args.genome)
    keys = ("number", "length", "reach", "centre", "seed", "transform", "max_n")
    counts = drawing.make_windows(
        calling.read_summits(args.peaks, opened, args.contig_names),
        opened,
        track.Signal(args.signal, opened, args.contig_names),
        args.out,
        drawing.Windows(**{key: getattr(args, key) for key in keys}),
        blacklist=args.blacklist,
        contig_names=args.contig_names,
    )
    if args.counts:
        write_table(args.counts, counts)
    print(counts.to_string(index=False))


def quality(args: argparse.Namespace) -> None:
    """Write the tables of quality and those behind the figures."""
    opened = contigs.open_genome(args.genome)
    opened_signal = track.Signal(args.signal, opened, args.contig_names)
    summits = calling.read_summits(args.peaks, opened, args.contig_names)
    called = pairs.read_bed(args.peaks, opened, args.contig_names)
    tables = dict(zip(("profile", "heatmap"), checks.around_summits(opened_signal, opened, summits), strict=True))
    store = open_store(args.windows)
    tables["window_summary"] = checks.window_summary(store)
    tables["locus"] = checks.locus(store, opened_signal, opened, summits, args.pooled or Path("none"))
    widths = (called["end"] - called["start"]).to_numpy()
    rows = {
        "summits": len(summits),
        "peaks": len(called.drop_duplicates()),
        "median width of a peak": int(pd.Series(widths).median()),
    }
    tables["peaks"] = pd.DataFrame({"what": list(rows), "count": list(rows.values())})
    if args.fragments:
        found = [
            checks.fragment_lengths(path, called, sample)
            for path, sample in zip(args.fragments, args.samples, strict=True)
        ]
        tables["fragment_lengths"], tables["frip"] = (
            pd.concat(part, ignore_index=True) for part in zip(*found, strict=True)
        )
    if args.annotation:
        tables["tss"] = checks.tss_enrichment(
            opened_signal, opened, checks.read_sites(args.annotation, opened, args.contig_names)
        )
    if args.regions:
        tables["recall"] = checks.recall(pairs.read_bed(args.regions, opened, args.contig_names), called)
    for name, table in tables.items():
        write_table(args.out / f"{name}.tsv", table)


def tools(args: argparse.Namespace) -> None:
    """Collect what the steps' logs say of versions: step, tool, version."""
    rows = {
        (path.relative_to(args.logs).with_suffix("").parts[0], *line.split()[2:4])
        for path in sorted(args.logs.rglob("*.log"))
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith("# version ")
    }
    write_table(args.out, pd.DataFrame(sorted(rows), columns=["step", "tool", "version"]))
