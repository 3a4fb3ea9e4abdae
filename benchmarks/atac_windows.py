"""How long 100,000 windows take: sequences and signals from a genome-wide track, against bedtools and deepTools.

    python benchmarks/atac_windows.py --folder FOLDER

Writes, in FOLDER, a random genome of human size (one letter per base) and a bigWig of as many fragments as 80 million
reads make, around 80,000 summits; then times, on one core: ours (`make_windows`: sequences, signals, blacklist, keys
and the store), one bigWig query per window (the loop that most scripts have), and bedtools (`coverage` on the sorted
fragments themselves, which only counts where they are at hand; `getfasta` for the sequences). All agree on the
signals, or the program says so and stops.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
from harness import measures, publish

from proformer.atac.contigs import Genome, make_genome, open_genome
from proformer.atac.signal import Signal, write_signal
from proformer.atac.windows import Windows, draw, make_windows
from proformer.provenance import processor

CONTIGS = 23
REACH = 300


def write_inputs(folder: Path, size: int, fragments: int, summits: int) -> tuple[Genome, pd.DataFrame]:
    """The genome, its summits, and the sorted fragments; made once."""
    random = np.random.default_rng(1)
    length = size // CONTIGS
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "genome.fa.fai").exists():
        with open(folder / "source.fa", "wb") as handle:
            for contig in range(CONTIGS):
                letters = np.frombuffer(b"ACGT", dtype=np.uint8)[random.integers(0, 4, length, dtype=np.uint8)]
                lines = np.full((length // 50, 51), 10, dtype=np.uint8)
                lines[:, :50] = letters[: length // 50 * 50].reshape(-1, 50)
                handle.write(b">chr%02d\n" % contig + lines.tobytes())
        make_genome(folder / "source.fa", folder / "genome.fa")
    genome = open_genome(folder / "genome.fa")
    length = int(genome.lengths[0])
    places = [np.sort(random.integers(2000, length - 2000, summits // CONTIGS)) for _ in range(CONTIGS)]
    table = pd.concat([pd.DataFrame({"contig": c, "summit": p}) for c, p in enumerate(places)], ignore_index=True)
    if not (folder / "fragments.bed").exists():
        with open(folder / "fragments.bed.part", "w") as handle:
            for contig, place in enumerate(places):
                number = fragments // CONTIGS
                near = random.choice(place, number // 2) + random.normal(0, REACH / 2, number // 2).astype(np.int64)
                start = np.concatenate([near, random.integers(0, length - 700, number - number // 2)])
                end = start + random.integers(40, 600, number)
                rows = pd.DataFrame({"c": genome.names[contig], "s": np.maximum(start, 0), "e": end})
                rows.sort_values(["s", "e"]).to_csv(handle, sep="\t", header=False, index=False)
        (folder / "fragments.bed.part").rename(folder / "fragments.bed")
    return genome, table


def timed(what: str, work: Callable[[], np.ndarray | None]) -> tuple[dict[str, object], np.ndarray | None]:
    """Run once: wall and processor seconds, of children too."""
    start, before = time.perf_counter(), os.times()
    result = work()
    after = os.times()
    row = {"what": what, "seconds": time.perf_counter() - start, "processor_seconds": sum(after[:4]) - sum(before[:4])}
    print(row, flush=True)
    return row, result


def main(args: argparse.Namespace) -> None:
    """Make the inputs, time each way, compare, write the table."""
    genome, summits = write_inputs(args.folder, args.size, args.fragments, args.summits)
    track = args.folder / "signal.bw"
    rows = []
    if not track.exists():
        row, _ = timed(f"write the track of {args.fragments:,} fragments", lambda: write_signal(
            args.folder / "fragments.bed", genome, track))  # fmt: skip
        rows.append(row)
    plan = Windows(number=args.windows, transform="none")
    drawn = draw(summits, plan)
    contig, centre = drawn["contig"].to_numpy(), drawn["start"].to_numpy() + 40

    def ours() -> None:
        make_windows(summits, genome, Signal(track, genome), args.folder / "windows.safetensors", plan)

    def signals() -> np.ndarray:
        return Signal(track, genome).read(contig, centre, 20).mean(axis=1, dtype=np.float64)

    def per_window() -> np.ndarray:
        with pyBigWig.open(str(track)) as bigwig:
            return np.array([
                np.nan_to_num(bigwig.values(genome.names[c], int(s), int(s) + 20, numpy=True)).mean(dtype=np.float64)
                for c, s in zip(contig, centre, strict=True)
            ])  # fmt: skip

    def bedtools() -> np.ndarray:
        bed = pd.DataFrame(
            {"c": np.array(genome.names)[contig], "s": centre, "e": centre + 20, "n": range(len(centre))}
        )
        bed.sort_values(["c", "s"]).to_csv(args.folder / "windows.bed", sep="\t", header=False, index=False)
        done = subprocess.run(
            ["bedtools", "coverage", "-sorted", "-mean", "-a", args.folder / "windows.bed",
             "-b", args.folder / "fragments.bed"], check=True, capture_output=True, text=True
        )  # fmt: skip
        values = np.empty(len(bed))
        for line in done.stdout.splitlines():
            fields = line.split("\t")
            values[int(fields[3])] = float(fields[4])
        return values * 1e6 / (args.fragments // CONTIGS * CONTIGS)

    def sequences() -> None:
        command = ["bedtools", "getfasta", "-fi", args.folder / "genome.fa", "-bed", args.folder / "windows.bed"]
        subprocess.run([*command, "-fo", args.folder / "windows.fa"], check=True)

    row, _ = timed(f"ours: {args.windows:,} windows, sequences and signals, to the store", ours)
    row["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append(row)
    row, mine = timed("ours: the signals alone", signals)
    rows.append(row)
    for what, way in (("pyBigWig, a query per window", per_window), ("bedtools coverage -mean -sorted", bedtools)):
        row, other = timed(what, way)
        worst = float(np.abs(mine - other).max() / np.abs(mine).max())
        rows.append(row | {"largest_difference": worst})
        if worst > 1e-5:
            raise SystemExit(f"{what}: differs by {worst:.2g} of the largest signal")
    if args.deeptools:
        command = [args.deeptools, "BED-file", "-b", track, "--BED", args.folder / "windows.3.bed", "-p", "1"]
        command += ["-o", args.folder / "deeptools.npz"]
        pd.read_csv(args.folder / "windows.bed", sep="\t", header=None, usecols=[0, 1, 2]).to_csv(
            args.folder / "windows.3.bed", sep="\t", header=False, index=False
        )
        row, _ = timed("deepTools multiBigwigSummary", lambda: subprocess.run(command, check=True) and None)
        rows.append(row)
    row, _ = timed("bedtools getfasta", sequences)
    rows.append(row)
    bars = measures("what", {"processor_seconds": "processor seconds"})
    publish("atac_windows", pd.DataFrame(rows).assign(machine=processor()), args.out, bars)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for the genome and the track (8 GB)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    parser.add_argument("--deeptools", help="path of deepTools' multiBigwigSummary (default: left out)")
    parser.add_argument("--size", type=int, default=3_000_000_000, help="bp of the genome (default: %(default)s)")
    parser.add_argument("--fragments", type=int, default=40_000_000, help="80 million reads are 40 million pairs")
    parser.add_argument("--summits", type=int, default=80_000)
    parser.add_argument("--windows", type=int, default=100_000)
    main(parser.parse_args())
