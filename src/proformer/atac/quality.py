"""Tables that say how good an experiment is, and those behind the figures of the signal."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome, translate
from proformer.atac.fragments import bed_lines, overlaps, read_fragments
from proformer.atac.signal import Signal
from proformer.datasets.store import Store
from proformer.errors import InputError
from proformer.sequences import C, G
from proformer.units import whole_number

_MOST = 20_000  # summits, TSSs or windows in a summary


def fraction_in_peaks(fragments: Path, peaks: pd.DataFrame, sample: str) -> pd.DataFrame:
    """The fragments that share a base with one of `peaks` (contig, start, end): sample, fragments, in_peaks, frip."""
    on = dict(list(peaks.groupby("contig")))
    total = inside = 0
    for contig, starts, ends in read_fragments(fragments):
        total += len(starts)
        inside += int(overlaps(starts, ends, on[contig]).sum()) if contig in on else 0
    return pd.DataFrame({"sample": [sample], "fragments": total, "in_peaks": inside, "frip": inside / max(total, 1)})


def around_summits(
    signal: Signal, genome: Genome, summits: pd.DataFrame, reach: int = 1000, rows: int = 500, bins: int = 100
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The signal from -reach to reach bp of the summits: its profile (position, mean, q25, q75) and a heat map (row,
    bin: the middle in bp, signal) of `rows` summits, strongest first. Summits nearer than that to an end are left out.
    """
    summits = _away_from_ends(summits, "summit", genome, reach)
    if len(summits) > _MOST:
        summits = summits.iloc[np.sort(np.random.default_rng(1).permutation(len(summits))[:_MOST])]
    values = signal.read(summits["contig"].to_numpy(), summits["summit"].to_numpy() - reach, 2 * reach + 1)
    profile = pd.DataFrame({"position": np.arange(-reach, reach + 1), "mean": np.nan, "q25": np.nan, "q75": np.nan})
    if len(values):
        profile["mean"] = values.mean(axis=0)
        profile["q25"], profile["q75"] = np.quantile(values, [0.25, 0.75], axis=0)
    order = np.argsort(-values.sum(axis=1), kind="stable")
    order = order[np.unique(np.linspace(0, len(order) - 1, min(rows, len(order))).astype(int))]
    width = 2 * reach // bins
    binned = values[order, : bins * width].reshape(len(order), bins, width).mean(axis=2)
    middles = np.arange(bins) * width - reach + width // 2
    heat = pd.DataFrame({"row": np.repeat(np.arange(len(order)), bins), "bin": np.tile(middles, len(order))})
    return profile, heat.assign(signal=binned.ravel())


def _away_from_ends(places: pd.DataFrame, column: str, genome: Genome, reach: int) -> pd.DataFrame:
    """The rows whose position is `reach` bp or more from both ends of its contig."""
    return places[(places[column] >= reach) & (places[column] + reach < genome.lengths[places["contig"]])]


def tss_enrichment(signal: Signal, genome: Genome, sites: pd.DataFrame, reach: int = 2000) -> pd.DataFrame:
    """Mean signal around transcription start sites over that of the outermost 100 bp on both sides (ENCODE):
    position, signal, enrichment; in the direction of transcription. The score of a library is the largest enrichment.

    `sites`: contig (index), position, strand.
    """
    inner = _away_from_ends(sites, "position", genome, reach)
    if inner.empty:
        raise InputError(f"annotation: none of {len(sites)} start sites is {reach} bp or more from its contig's ends")
    inner = inner.iloc[np.random.default_rng(1).permutation(len(inner))[:_MOST]]
    values = signal.read(inner["contig"].to_numpy(), inner["position"].to_numpy() - reach, 2 * reach + 1)
    backward = inner["strand"].to_numpy() == "-"
    values[backward] = values[backward, ::-1]
    mean = values.mean(axis=0, dtype=np.float64)
    background = np.concatenate([mean[:100], mean[-100:]]).mean()
    enrichment = mean / background if background > 0 else np.full(len(mean), np.nan)
    return pd.DataFrame({"position": np.arange(-reach, reach + 1), "signal": mean, "enrichment": enrichment})


def read_sites(path: Path, genome: Genome, contig_names: str | None = None) -> pd.DataFrame:
    """Transcription start sites of a GTF (lines of genes, else of transcripts) or a BED: contig, position, strand."""
    rows: dict[str, list[tuple[str, int, str]]] = {"gene": [], "transcript": [], "bed": []}
    for number, line, fields in bed_lines(path):
        gtf = len(fields) >= 8 and whole_number(fields[3]) is not None and fields[6] in "+-."
        kind, numbers = (fields[2], fields[3:5]) if gtf else ("bed", [*fields, "", ""][1:3])
        start, end = map(whole_number, numbers)
        if start is None or end is None:
            raise InputError(f"{path}, line {number}: found {line[:60]!r}, expected GTF or BED")
        strand = fields[6] if gtf else (fields[5] if len(fields) > 5 else "+")
        if kind in rows:
            rows[kind].append((fields[0], end - 1 if strand == "-" else start - gtf, strand))
    found = rows["bed"] or rows["gene"] or rows["transcript"]
    if not found:
        raise InputError(f"{path}: found no gene, expected GTF with genes or transcripts, or BED")
    table = pd.DataFrame(found, columns=["contig", "position", "strand"]).drop_duplicates(ignore_index=True)
    names = translate(table["contig"], contig_names, genome.names, path)
    table["contig"] = genome.index(names.get(name, "") for name in table["contig"])
    return table[table["contig"] >= 0].reset_index(drop=True)


def recall(regions: pd.DataFrame, peaks: pd.DataFrame) -> pd.DataFrame:
    """How many of the planted regions a peak covers in part, and how many peaks lie on one: what, number, found, share.

    Both tables: contig, start, end.
    """
    rows = []
    for what, ours, others in (("planted regions", regions, peaks), ("peaks", peaks, regions)):
        ours, on = ours.drop_duplicates(["contig", "start", "end"]), dict(list(others.groupby("contig")))
        hit = sum(
            int(overlaps(mine["start"].to_numpy(), mine["end"].to_numpy(), on[contig]).sum())
            for contig, mine in ours.groupby("contig")
            if contig in on
        )
        rows.append((what, len(ours), hit, hit / max(len(ours), 1)))
    return pd.DataFrame(rows, columns=["what", "number", "found", "share"])


def window_summary(store: Store) -> pd.DataFrame:
    """Distance to the summit (bp), GC content (0 to 1) and target of up to 20,000 windows of a store."""
    rows = np.sort(np.random.default_rng(1).permutation(len(store))[:_MOST])
    codes = np.asarray(store.codes[rows])
    gc = ((codes == C) | (codes == G)).mean(axis=1)
    return pd.DataFrame({"distance": store.columns["distance"][rows], "gc": gc, "target": store.target[rows, 0, 0]})


def locus(store: Store, signal: Signal, genome: Genome, summits: pd.DataFrame, fragments: Path) -> pd.DataFrame:
    """One real locus for Figure 3a: track (reads, signal, summit, window, centre), contig, start, end, value.

    The region is the reach around the summit nearest to the window of the strongest target; values are the signal's
    height, and the windows' untransformed means of their centres.
    """
    plan = store.meta["windows"]
    length, centre, half = plan["length"], plan["centre"], plan["reach"] // 2 + plan["length"]
    best = int(np.argmax(store.target))
    contig = int(store.columns["contig"][best])
    middle = int(store.columns["start"][best] + length // 2 - store.columns["distance"][best])
    low, high = max(middle - half, 0), min(middle + half, int(genome.lengths[contig]))
    name = genome.names[contig]
    rows: list[tuple[str, int, int, float]] = []
    for found, starts, ends in read_fragments(fragments) if fragments.is_file() else ():
        if found == name:
            near = (ends > low) & (starts < high)
            rows += [("reads", int(s), int(e), 1.0) for s, e in zip(starts[near], ends[near], strict=True)]
    depth = signal.read(np.array([contig]), np.array([low]), high - low)[0]
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(depth)) + 1, [len(depth)]])
    rows += [("signal", int(low + a), int(low + b), float(depth[a])) for a, b in pairwise(cuts)]
    here = summits[(summits["contig"] == contig) & summits["summit"].between(low, high - 1)]
    rows += [("summit", int(s), int(s) + 1, float(depth[int(s) - low])) for s in here["summit"]]
    starts = np.asarray(store.columns["start"])
    inside = np.flatnonzero((store.columns["contig"] == contig) & (starts >= low) & (starts + length <= high))
    for start in sorted(starts[inside], key=lambda start: (start != starts[best], start)):
        margin = (length - centre) // 2
        mean = float(depth[start + margin - low : start + margin + centre - low].mean())
        rows.append(("window", int(start), int(start) + length, mean))
        rows.append(("centre", int(start) + margin, int(start) + margin + centre, mean))
    table = pd.DataFrame(rows, columns=["track", "start", "end", "value"])
    table.insert(1, "contig", name)
    return table
