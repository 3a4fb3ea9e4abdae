"""Simulated coverage with known causes: tracks of several cell types, two replicates of each, and their peaks.

The genome and its regions are those of `simulate.atac`: motifs are planted around the centres of regions. Cell types
weigh the motifs differently (a factor of 0 to 2, drawn per type and motif), so that regions open in some of them:

    p = 1 / (1 + exp(-(closed + Σ factor · effect_m · exp(-1.2 · mismatches)))),   summed over the sites of the region.

A region's coverage is a bell around its centre, with a narrow one over each of its sites that opens the cell type's
chromatin, together in proportion to p; the background lies beneath. Reads come from there by a Poisson process and
cover `READ` bp each; a replicate is another draw. Coverage is in units of its mean. Peaks are regions in whose middle
the first replicate has significantly more reads than its background, as a peak caller finds them. Variants are all
changes of a letter of two sites, those of a contig that open their regions the most; what is measured is how they
change the mean opening of the cell types, log2, with an error.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
from scipy import stats
from scipy.special import expit

from proformer.files import atomic, write_text
from proformer.sequences import ALPHABET, encode, reverse_complement
from proformer.simulate.atac import EXPERIMENT, SimulatedGenome, simulate_genome
from proformer.simulate.experiment import fasta
from proformer.simulate.promoters import stream

CLOSED = -3.5  # log odds of a region without sites
READ = 36  # bp that a read covers
REGION_SPREAD, SITE_SPREAD = 60.0, 12.0  # bp: standard deviations of the bells
SITES = 0.6  # share of a region's coverage that its sites have, where there are any that open
DEPTH = 0.5  # reads per bp in the middle of a region that is open for certain
BACKGROUND = 0.01  # reads per bp
CALLED = 1e-4  # a peak's p
ERROR = 0.1  # standard deviation of measured effects of variants
CORE = 150  # bp on each side of a region's centre in which its reads are counted


@dataclass(frozen=True)
class Tracks:
    """Of each of T cell types: reads per base as expected, and of two replicates as drawn: float64 [T, bp].

    opening: of each region, float64 [T, regions]. weights: of motifs, float64 [T, motifs].
    """

    genome: SimulatedGenome
    opening: np.ndarray
    weights: np.ndarray
    expected: np.ndarray
    replicates: tuple[np.ndarray, np.ndarray]


def simulate_tracks(size: int, tasks: int, seed: int) -> Tracks:
    """A genome of about `size` bp, and the coverage of `tasks` cell types. Raises InputError as `simulate_genome`."""
    genome = simulate_genome(size, seed)
    weights = stream(seed, 400).uniform(0, 2, (tasks, len(EXPERIMENT.motifs)))
    names = [motif.name for motif in EXPERIMENT.motifs]
    effect = np.array([motif.effect for motif in EXPERIMENT.motifs])
    motif = genome.sites["motif"].map(names.index).to_numpy()
    gain = effect[motif] * np.exp(-EXPERIMENT.mismatch * genome.sites["mismatches"].to_numpy())
    region = genome.sites["region"].to_numpy() - 1
    centres = genome.regions["centre"].to_numpy()
    opening = np.empty((tasks, len(centres)))
    rates = np.full((tasks, len(genome.codes)), BACKGROUND)
    middle = ((genome.sites["start"] + genome.sites["end"]) // 2).to_numpy()
    for task in range(tasks):
        own = weights[task, motif] * gain
        opening[task] = 1 / (1 + np.exp(-(CLOSED + np.bincount(region, own, minlength=len(centres)))))
        share = np.maximum(own, 0)
        total = np.bincount(region, share, minlength=len(centres))
        bells = DEPTH * opening[task] * np.where(total > 0, 1 - SITES, 1)
        _add_bells(rates[task], centres, bells, REGION_SPREAD)
        narrow = DEPTH * SITES * (opening[task] / np.maximum(total, 1e-9))[region] * share
        _add_bells(rates[task], middle, narrow, SITE_SPREAD)
    rates[:, genome.unknown] = 0
    draws = tuple(stream(seed, 401, number).poisson(rates).astype(float) for number in (1, 2))
    return Tracks(genome, opening, weights, _cover(rates), (_cover(draws[0]), _cover(draws[1])))


def simulate_variants(tracks: Tracks, contig: str, seed: int) -> list[pd.DataFrame]:
    """Measured effects of all changes of each of two sites of a contig: Chrom, Pos (from 1), Ref, Alt, Value."""
    genome, sites = tracks.genome, tracks.genome.sites
    names = [motif.name for motif in EXPERIMENT.motifs]
    motif, region = sites["motif"].map(names.index).to_numpy(), sites["region"].to_numpy()
    effect = np.array([each.effect for each in EXPERIMENT.motifs])[motif]
    opens = tracks.weights[:, motif] * effect * np.exp(-EXPERIMENT.mismatch * sites["mismatches"].to_numpy())
    total = CLOSED + np.stack([np.bincount(region, own)[region] for own in opens])  # [T, sites]
    lost = (expit(total) - expit(total - opens)).mean(axis=0)
    offset, length = genome.contigs.set_index("contig").loc[contig, ["offset", "length"]]
    inside = sites["start"].between(offset, offset + length - 1).to_numpy()
    found = []
    for number in np.argsort(-np.where(inside, lost, -1), kind="stable")[:2].tolist():
        site, consensus = sites.iloc[number], encode(EXPERIMENT.motifs[motif[number]].consensus)
        consensus = consensus if site["strand"] == "+" else reverse_complement(consensus)
        place, alternative = np.divmod(np.arange(4 * len(consensus)), 4)
        reference = genome.codes[site["start"] + place]
        place, alternative, reference = (each[reference != alternative] for each in (place, alternative, reference))
        fits = consensus[place]
        mismatches = site["mismatches"] + (reference == fits).astype(int) - (alternative == fits)
        gain = tracks.weights[:, [motif[number]]] * effect[number] * np.exp(-EXPERIMENT.mismatch * mismatches)
        before, own = total[:, [number]], opens[:, [number]]
        value = np.log2(expit(before - own + gain).mean(axis=0) / expit(before).mean())
        value += stream(seed, 402, number).normal(0, ERROR, len(place))
        letters = ([ALPHABET[code] for code in codes] for codes in (reference, alternative))
        columns = zip(
            ("Pos", "Ref", "Alt", "Value"), (site["start"] - offset + place + 1, *letters, value), strict=True
        )
        found.append(pd.DataFrame({"Chrom": contig, **dict(columns)}))
    return found


def write_tracks(tracks: Tracks, out: Path, seed: int = 1) -> None:
    """Write genome.fa, gaps.bed, regions.tsv, variants1.tsv and variants2.tsv (of chr3); and for each cell type N
    cellN.bw, cellN_2.bw (the second replicate), cellN_expected.bw and cellN.bed (peaks)."""
    genome, contigs = tracks.genome, tracks.genome.contigs.iloc[:-1]  # all but foreign DNA
    write_text(out / "genome.fa", fasta(genome))
    names = [f"cell{task + 1}" for task in range(len(tracks.expected))]
    contig = np.searchsorted(contigs["offset"], genome.regions["centre"], side="right") - 1
    start = genome.regions["centre"].to_numpy() - contigs["offset"].to_numpy()[contig]
    regions = pd.DataFrame({"contig": contigs["contig"].to_numpy()[contig], "centre": start})
    for task, name in enumerate(names):
        for suffix, values in zip(("", "_2", "_expected"), (*tracks.replicates, tracks.expected), strict=True):
            _write_bigwig(out / f"{name}{suffix}.bw", contigs, values[task] / values[task].mean())
        found = _called(tracks.replicates[0][task], genome.regions["centre"].to_numpy())
        lines = [f"{row.contig}\t{row.centre - CORE}\t{row.centre + CORE}\n" for row in regions[found].itertuples()]
        write_text(out / f"{name}.bed", "".join(lines))
        regions[name] = tracks.opening[task]
    write_text(out / "regions.tsv", regions.to_csv(sep="\t", index=False, float_format="%.6g"))
    for number, table in enumerate(simulate_variants(tracks, "chr3", seed), 1):
        text = "##Value\tlog2 of the mean opening, alternative by reference\n#"
        text += table.to_csv(sep="\t", index=False, float_format="%.4f")
        write_text(out / f"variants{number}.tsv", text)
    edge = np.flatnonzero(np.diff(np.concatenate([[0], genome.unknown.astype(np.int8), [0]])))
    gaps = []
    for first, last in edge.reshape(-1, 2):
        place = int(np.searchsorted(contigs["offset"], first, side="right")) - 1
        offset, name = contigs["offset"].iloc[place], contigs["contig"].iloc[place]
        gaps.append(f"{name}\t{first - offset}\t{min(last - offset, contigs['length'].iloc[place])}\n")
    write_text(out / "gaps.bed", "".join(gaps))


def _add_bells(rates: np.ndarray, centres: np.ndarray, heights: np.ndarray, spread: float) -> None:
    """Add normal curves of these heights to a track, cut at three standard deviations."""
    reach = np.arange(-int(3 * spread), int(3 * spread) + 1)
    values = heights[:, None] * np.exp(-0.5 * (reach / spread) ** 2)
    np.add.at(rates, np.clip(centres[:, None] + reach, 0, len(rates) - 1), values)


def _cover(counts: np.ndarray) -> np.ndarray:
    """Reads that begin at each base of tracks [T, bp] to how many cover it."""
    total = np.cumsum(np.pad(counts, ((0, 0), (READ, 0))), axis=1)
    return total[:, READ:] - total[:, :-READ]


def _called(coverage: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Regions with more reads around their centres than the background explains: bool [n]."""
    reads = coverage[centres[:, None] + np.arange(-CORE, CORE)].sum(axis=1) / READ
    return stats.poisson.sf(reads, BACKGROUND * 2 * CORE) < CALLED


def _write_bigwig(path: Path, contigs: pd.DataFrame, values: np.ndarray) -> None:
    """Write one track, whose runs of equal values are single entries, and bases of 0 none."""
    order = contigs.sort_values("contig")
    with atomic(path) as temporary:
        bigwig = pyBigWig.open(str(temporary), "w")
        bigwig.addHeader(list(zip(order["contig"], order["length"].tolist(), strict=True)), maxZooms=5)
        for row in order.itertuples():
            own = values[row.offset : row.offset + row.length].astype(np.float32)
            starts = np.concatenate([[0], np.flatnonzero(np.diff(own)) + 1])
            ends = np.append(starts[1:], len(own))
            kept = own[starts] > 0
            bigwig.addEntries(
                np.full(int(kept.sum()), row.contig),
                starts[kept],
                ends=ends[kept],
                values=own[starts[kept]].astype(np.float64),
                validate=False,
            )
        bigwig.close()
