"""The steps of `proformer atac`: options in, library calls, files and tables out."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from proformer.atac import contigs, reads
from proformer.atac import fragments as pairs
from proformer.atac import lengths as sizes
from proformer.atac import peaks as calling
from proformer.atac import quality as checks
from proformer.atac import signal as track
from proformer.atac import windows as drawing
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.files import read_table, write_table


def genome(args: argparse.Namespace) -> None:
    """Lay out the genome, and count its bases."""
    write_table(args.table, contigs.make_genome(args.genome, args.out))


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
        whole = int(read_table(args.pairs, ["pairs"])["pairs"].iloc[0]) if args.pairs else None
        summary = (args.logs / f"{args.sample}.bowtie2.txt").read_text()
        write_table(args.counts, reads.alignment_table(args.sample, whole, summary))
    print(f"{args.sample}: {rate:.2%} of the reads align to {args.genome_name}")


def mark(args: argparse.Namespace) -> None:
    """Mark duplicates."""
    reads.mark(args.bam, args.out, sample=args.sample, threads=args.threads, logs=args.logs)


def fragments(args: argparse.Namespace) -> None:
    """Filter."""
    if bool(args.bam) == bool(args.fragments):
        raise InputError("fragments: expected --bam or --fragments, one of them")
    opened = contigs.open_genome(args.genome)
    wanted = pairs.Filter(args.mapq, tuple(args.exclude), args.blacklist, args.contig_names)
    if args.bam:
        counts = pairs.from_bam(args.bam, opened, args.out, wanted, args.sample, args.threads)
    else:
        shifted = None if args.shifted is None else args.shifted == "yes"
        more = {"shifted": shifted, "threads": args.threads}
        counts = pairs.from_text(args.fragments, opened, args.out, wanted, args.sample, **more)
    write_table(args.counts, counts)
    print(counts.to_string(index=False))


def pool(args: argparse.Namespace) -> None:
    """Merge replicates."""
    print(f"{pairs.pool(args.fragments, args.out, args.threads)} fragments of {len(args.fragments)} samples")


def lengths(args: argparse.Namespace) -> None:
    """Count the fragments of each length, and warn of libraries that do not look like ATAC-seq."""
    found = {sample: sizes.count_lengths(path) for sample, path in _named(args).items()}
    write_table(args.out, pd.concat([sizes.length_table(counts, sample) for sample, counts in found.items()]))
    for sample, counts in found.items():
        print(f"{sample}: {sizes.unlike_atac(counts) or f'{counts.sum()} fragments'}")


def peaks(args: argparse.Namespace) -> None:
    """Call peaks."""
    size = args.genome_size
    if size is None:
        if args.genome_table is None:
            raise InputError("peaks: expected --genome-table or --genome-size")
        table = read_table(args.genome_table, ["contig", "acgt"], dtype={"contig": str})
        contigs.check_excluded(args.exclude, table["contig"])
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
    store = open_store(args.windows)
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
        "locus": checks.locus(store, opened_signal, opened, summits, args.pooled),
        "peaks": pd.DataFrame({"what": list(rows), "count": list(rows.values())}),
    }
    if args.fragments:
        found = [checks.fraction_in_peaks(path, called, sample) for sample, path in _named(args).items()]
        tables["frip"] = pd.concat(found)
    if args.annotation:
        sites = checks.read_sites(args.annotation, opened, args.contig_names)
        tables["tss"] = checks.tss_enrichment(opened_signal, opened, sites)
    if args.regions:
        tables["recall"] = checks.recall(pairs.read_bed(args.regions, opened, args.contig_names), called)
    for name, table in tables.items():
        write_table(args.out / f"{name}.tsv", table)


def tools(args: argparse.Namespace) -> None:
    """Collect the versions of programs from the steps' logs: step, tool, version."""
    rows = {
        (path.relative_to(args.logs).with_suffix("").parts[0], *line.split()[2:4])
        for path in sorted(args.logs.rglob("*.log"))
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith("# version ")
    }
    write_table(args.out, pd.DataFrame(sorted(rows), columns=["step", "tool", "version"]))


def _named(args: argparse.Namespace) -> dict[str, Path]:
    """The fragments of each sample."""
    if len({*args.samples}) != len(args.fragments):
        raise InputError(f"--samples: found {len({*args.samples})} names, expected one for each of --fragments")
    return dict(zip(args.samples, args.fragments, strict=True))
