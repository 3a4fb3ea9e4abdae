"""Windows outside peaks with the peaks' G+C content, on which the enzyme's bias is seen alone (ChromBPNet)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome
from proformer.datasets import places
from proformer.errors import InputError

CHUNK = 1 << 14  # windows whose letters are read at once


def matched_nonpeaks(
    genome: Genome,
    peaks: Path,
    window: int = 2114,
    stride: int = 1000,
    per_peak: float = 2.0,
    blacklist: Path | None = None,
    seed: int = 1,
    contig_names: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Windows of the genome, `stride` bp apart, that lie half a window or more from every peak and listed region.

    For each peak, on its contig, so many are drawn of those whose share of G and C, to two decimals, is that of the
    window around its summit, or the nearest to it (one hundredth away, two, …). None is drawn twice. Returns the
    windows as narrowPeak rows, summits in the middle, in the order of the genome; and the counts: what, count.

    Raises InputError where there is no peak, or no window.
    """
    called = places.read_intervals(peaks, genome, contig_names)
    listed = places.read_intervals(blacklist, genome, contig_names) if blacklist else called[:0]
    around = places.centred(called, window)
    inside = (around["start"] >= 0) & (around["start"] + window <= genome.lengths[around["contig"]])
    around = around[inside & ~_near(around, listed, window)].reset_index(drop=True)
    free = _candidates(genome, window, stride)
    free = free[~_near(free, pd.concat([called, listed]), window)].reset_index(drop=True)
    if around.empty or free.empty:
        raise InputError(f"{peaks}: found {len(around)} windows of peaks and {len(free)} others, expected some of both")
    strong, wanted = _share(genome, free, window), _share(genome, around, window)
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for contig in np.unique(around["contig"]):
        there = np.flatnonzero(free["contig"] == contig)
        own = wanted[(around["contig"] == contig).to_numpy()]
        chosen += _drawn(there, strong[there], np.resize(random.permutation(own), round(per_peak * len(own))), random)
    rows = free.iloc[sorted(chosen)]
    starts = rows["start"].to_numpy()
    names = np.array(genome.names)[rows["contig"]]
    bed = pd.DataFrame({"contig": names, "start": starts, "end": starts + window})
    bed = bed.assign(**dict.fromkeys("abcdef", "."), summit=window // 2)
    counts = {"peaks": len(called), "with a whole window, not listed": len(around), "free windows": len(free)}
    counts |= {"drawn": len(bed), "lacking": round(per_peak * len(around)) - len(bed)}
    return bed, pd.DataFrame({"what": list(counts), "count": list(counts.values())})


def _candidates(genome: Genome, window: int, stride: int) -> pd.DataFrame:
    """All windows inside contigs, `stride` apart."""
    starts = [np.arange(0, max(0, length - window + 1), stride) for length in genome.lengths.tolist()]
    contig = np.repeat(np.arange(len(starts)), [len(each) for each in starts])
    return pd.DataFrame({"contig": contig, "start": np.concatenate(starts)})


def _near(windows: pd.DataFrame, regions: pd.DataFrame, window: int) -> np.ndarray:
    """Which windows overlap a region that is widened by half a window on both sides: bool [n]."""
    found, margin = np.zeros(len(windows), dtype=bool), window // 2
    for contig, own in regions.groupby("contig"):
        rows = np.flatnonzero(windows["contig"] == contig)
        wide = places.union(own.assign(start=own["start"] - margin, end=own["end"] + margin))
        start = windows["start"].to_numpy()[rows]
        before = np.searchsorted(wide["start"].to_numpy(), start + window)  # stretches that begin before its end
        found[rows] = (before > 0) & (wide["end"].to_numpy()[np.maximum(before - 1, 0)] > start)
    return found


def _share(genome: Genome, windows: pd.DataFrame, window: int) -> np.ndarray:
    """G and C of each window, in hundredths: int64 [n]."""

    def pieces() -> Iterator[np.ndarray]:
        for first in range(0, len(windows), CHUNK):
            part = windows.iloc[first : first + CHUNK]
            codes = genome.codes(part["contig"].to_numpy(), part["start"].to_numpy(), window)
            yield ((codes == 1) | (codes == 2)).mean(axis=1)

    return np.rint(100 * np.concatenate(list(pieces()))).astype(np.int64)


def _drawn(rows: np.ndarray, shares: np.ndarray, wanted: np.ndarray, random: np.random.Generator) -> list[int]:
    """Draw a row for each wanted share: one that has it, or the nearest; fewer where rows run out."""
    pools = {share: random.permutation(rows[shares == share]).tolist() for share in np.unique(shares).tolist()}
    found = []
    for share in wanted.tolist():
        if not pools:
            break
        nearest = min(pools, key=lambda other: (abs(other - share), -other))
        found.append(pools[nearest].pop())
        if not pools[nearest]:
            del pools[nearest]
    return found
