"""A simulated ATAC-seq experiment with known causes: genome, accessible regions, paired reads of Tn5 fragments.

Genome. Random bases of 38 % G and C, in contigs chr1 to chr4 and chrM. Every 3 kb or so lies an accessible region.
Around its centre the G+C content rises to 62 %, and sites of six transcription factors are planted, with 0 to 2
mismatches. A region's accessibility follows from its sites:

    p = 1 / (1 + exp(-(closed + Σ effect_m · exp(-1.2 · mismatches)))),   summed over the sites of the region.

Motifs that chance put elsewhere stay closed, as most do in cells. Some regions are promoters (`tss.bed`). Copies of
one repeat make reads that fit several places, artefacts attract reads for no good reason (`blacklist.bed`), and the
FASTA file has N at the ends of contigs and near a few regions, where a real assembly has gaps.

Fragments. Tn5 inserts as a dimer, copies the 9 bp between its cuts, and prefers G as the first base after a cut. From
insertions centred on t1 and t2 comes the fragment from t1 - 4 to t2 + 4, both included: shifting cut sites by +4 and
-5 (of half-open ends) gives t1 and t2 back (Buenrostro et al. 2013). Fragments come from the regions, in proportion to
p; from the background; from artefacts; from mitochondria; and from foreign DNA, which does not align. They are free of
nucleosomes (and their lengths carry the 10.4-bp turn of the helix) or hold one, two or three; in a region the free
ones lie on the centre and the others beside it. Part of the pairs are PCR copies of others, with errors of their own.
`reads` documents what the sequencer makes of a fragment.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.sequences import A, C, G, T, encode, reverse_complement
from proformer.simulate.promoters import stream

ORIGINS = ("region", "background", "artefact", "mitochondrion", "foreign")
SMALLEST_GENOME = 60_000  # bp
MARGIN = 700  # bp, at least, from a region's centre to the end of its stretch of the genome
REGION = 300  # bp, written as a region's extent
SITE_REACH = 140  # bp, at most, from a region's centre to the centre of a site
HELIX = 10.4  # bp a turn


@dataclass(frozen=True)
class Motif:
    """A transcription factor's consensus, what a perfect site adds to the opening, and its share of the sites."""

    name: str
    consensus: str
    effect: float
    share: float


@dataclass(frozen=True)
class Experiment:
    """What the genome, its regions and the fragments look like; lengths in bp, `spread` is a standard deviation."""

    motifs: tuple[Motif, ...] = (
        Motif("CTCF", "CCACCAGGGGGCGC", 2.4, 0.12),
        Motif("SP1", "GGGGCGGGGC", 1.4, 0.25),
        Motif("NRF1", "GCGCATGCGC", 1.8, 0.13),
        Motif("AP1", "ATGACTCAT", 1.6, 0.2),
        Motif("ETS", "ACCGGAAGTG", 1.2, 0.2),
        Motif("REST", "TTCAGCACCACGG", -1.5, 0.1),
    )
    sites: tuple[int, int] = (3, 7)  # of a region: fewest and most
    site_spread: float = 55.0
    mismatches: tuple[float, ...] = (0.6, 0.3, 0.1)  # shares of sites with 0, 1, 2
    mismatch: float = 1.2
    closed: float = -1.9
    contigs: tuple[float, ...] = (0.35, 0.3, 0.2, 0.15)  # shares of the genome
    mitochondrion: int = 6_000
    foreign: int = 20_000  # DNA that is not in the FASTA file
    spacing: int = 3_000  # of genome per region
    promoters: float = 0.4  # share of regions
    gc: tuple[float, float] = (0.38, 0.62)  # of the genome and of a region's centre
    gc_spread: float = 200.0
    repeat: int = 800
    copies: int = 4
    artefact: int = 400
    artefacts: int = 4
    gap: int = 60  # at the ends of contigs and near as many regions as there are contigs
    origins: tuple[float, ...] = (0.45, 0.35, 0.02, 0.15, 0.03)  # shares of fragments, see ORIGINS
    duplicates: float = 0.15  # share of pairs
    free_spread: float = 45.0  # of free fragments around a region's centre
    edge: tuple[float, float] = (40.0, 25.0)  # from the centre to the first nucleosome: mean, spread
    nucleosomes: tuple[float, ...] = (0.62, 0.25, 0.09, 0.04)  # shares of fragments with 0, 1, 2, 3, in regions
    background: tuple[float, ...] = (0.3, 0.45, 0.17, 0.08)  # elsewhere
    ladder: tuple[tuple[float, float], ...] = ((195.0, 22.0), (385.0, 32.0), (575.0, 42.0))  # length: mean, spread
    helix: float = 0.35  # depth of the wave
    preference: float = 3.0  # of Tn5 for G as the first base after a cut


EXPERIMENT = Experiment()


@dataclass(frozen=True)
class SimulatedGenome:
    """All contigs in one row of bases; positions in the tables are of that row, `contigs` says where each begins."""

    codes: np.ndarray  # uint8 [bp]
    unknown: np.ndarray  # bool [bp]: N in the FASTA file
    contigs: pd.DataFrame  # contig, length, offset; the last two: chrM and foreign DNA
    regions: pd.DataFrame  # region, centre, accessibility, strand (of a promoter, else ".")
    sites: pd.DataFrame  # region, start, end, motif, strand, mismatches
    artefacts: np.ndarray  # int64 [n], starts
    repeats: np.ndarray  # int64 [n], starts


def simulate_genome(size: int, seed: int) -> SimulatedGenome:
    """A genome of about `size` bp and its regions. Raises InputError below 60,000 bp or for a negative seed."""
    if size < SMALLEST_GENOME or seed < 0:
        found = f"found a genome of {size} bp with seed {seed}"
        raise InputError(f"{found}, expected at least {SMALLEST_GENOME} bp and a seed from 0 on")
    rng = stream(seed, 200)
    slots = np.array([int(size * share) // EXPERIMENT.spacing for share in EXPERIMENT.contigs])
    lengths = [*(slots * EXPERIMENT.spacing).tolist(), EXPERIMENT.mitochondrion, EXPERIMENT.foreign]
    names = [*(f"chr{i + 1}" for i in range(len(slots))), "chrM", "foreign"]
    offsets = np.cumsum(lengths) - lengths
    contigs = pd.DataFrame({"contig": names, "length": lengths, "offset": offsets})
    first = np.arange(slots.sum()) * EXPERIMENT.spacing  # of each stretch with one region
    centres = first + rng.integers(MARGIN, EXPERIMENT.spacing - MARGIN, len(first))
    codes = _bases(rng, sum(lengths), centres)
    sites = _plant(rng, codes, centres)
    effects = np.array([motif.effect for motif in EXPERIMENT.motifs])
    gain = effects[sites.pop("number")] * np.exp(-EXPERIMENT.mismatch * sites["mismatches"])
    opening = EXPERIMENT.closed + np.bincount(sites["region"] - 1, gain, minlength=len(centres))
    strand = np.where(rng.random(len(centres)) < EXPERIMENT.promoters, rng.choice(["+", "-"], len(centres)), ".")
    numbers = np.arange(1, len(centres) + 1)
    regions = {"region": numbers, "centre": centres, "accessibility": 1 / (1 + np.exp(-opening)), "strand": strand}
    inner = rng.permutation(np.setdiff1d(first, offsets))  # borders of stretches: free of regions
    repeats, artefacts = np.split(inner[: EXPERIMENT.copies + EXPERIMENT.artefacts], [EXPERIMENT.copies])
    element = rng.integers(0, 4, EXPERIMENT.repeat, dtype=np.uint8)
    codes[_ranges(repeats - EXPERIMENT.repeat // 2, EXPERIMENT.repeat)] = element
    unknown = np.zeros(len(codes), dtype=bool)
    gaps = centres[rng.choice(len(centres), len(slots), replace=False)] + rng.choice([-300, 300], len(slots))
    ends = np.concatenate([offsets[:-2], offsets[1:-1] - EXPERIMENT.gap])
    unknown[_ranges(np.concatenate([gaps, ends]), EXPERIMENT.gap)] = True
    starts = (np.sort(artefacts - EXPERIMENT.artefact // 2), np.sort(repeats - EXPERIMENT.repeat // 2))
    return SimulatedGenome(codes, unknown, contigs, pd.DataFrame(regions), sites, *starts)


def simulate_fragments(genome: SimulatedGenome, n: int, seed: int, library: int) -> pd.DataFrame:
    """n sequenced fragments of one library, in random order, copies included.

    Columns: start, length, reverse (read 1 lies at its right end), origin (a number, see ORIGINS), region (0: none),
    molecule (rows with the same number are PCR copies). Other libraries change nothing. Raises InputError for n < 1.
    """
    if n < 1:
        raise InputError(f"found {n} read pairs per library, expected at least 1")
    rng = stream(seed, 201, library)
    molecules = max(1, round(n * (1 - EXPERIMENT.duplicates)))
    origin = rng.choice(len(ORIGINS), molecules, p=EXPERIMENT.origins)
    weights = genome.regions["accessibility"] / genome.regions["accessibility"].sum()
    region = np.where(origin == 0, rng.choice(genome.regions["region"], molecules, p=weights), 0)
    length = _lengths(rng, origin == 0)
    centre = _centres(rng, genome, origin, region, length)
    offset, size = genome.contigs["offset"].to_numpy(), genome.contigs["length"].to_numpy()
    contig = np.searchsorted(offset, centre, side="right") - 1
    low, high = offset[contig], (offset + size)[contig]
    start = np.clip(centre - length // 2, low, high - length)
    t1, t2 = (_insert(rng, genome.codes, t, low, high) for t in (start + 4, start + length - 5))
    columns = {"start": t1 - 4, "length": t2 - t1 + 9, "reverse": rng.random(molecules) < 0.5}
    fragments = pd.DataFrame(columns | {"origin": origin, "region": region, "molecule": np.arange(molecules)})
    copies = np.concatenate([np.arange(molecules), rng.integers(0, molecules, n - molecules)])
    return fragments.iloc[rng.permutation(copies)].reset_index(drop=True)


def _ranges(starts: np.ndarray, length: int) -> np.ndarray:
    """Positions start, start + 1, … of each start: int64 [n, length]."""
    return starts[:, None] + np.arange(length)


def _bases(rng: np.random.Generator, n: int, centres: np.ndarray) -> np.ndarray:
    """Random bases with more G and C around the centres: uint8 [n]."""
    low, high = EXPERIMENT.gc
    at = _ranges(centres - MARGIN, 2 * MARGIN)
    gc = np.full(n, low)
    gc[at] += (high - low) * np.exp(-0.5 * ((at - centres[:, None]) / EXPERIMENT.gc_spread) ** 2)
    first = rng.random(n) < 0.5
    return np.where(rng.random(n) < gc, np.where(first, G, C), np.where(first, A, T)).astype(np.uint8)


def _plant(rng: np.random.Generator, codes: np.ndarray, centres: np.ndarray) -> pd.DataFrame:
    """Write sites into `codes`; returns region, start, end, motif, strand, mismatches, number (of the motif).

    The reach is cut into as many pieces as there may be sites, so that no two overlap.
    """
    most = EXPERIMENT.sites[1]
    piece = 2 * SITE_REACH // most
    rows = []
    for region, centre in enumerate(centres.tolist(), 1):
        taken: set[int] = set()
        for _ in range(rng.integers(EXPERIMENT.sites[0], most + 1)):
            place = min(max(int(rng.normal(0, EXPERIMENT.site_spread) + SITE_REACH) // piece, 0), most - 1)
            place = min(set(range(most)) - taken, key=lambda other: (abs(other - place), other))  # the nearest free one
            taken.add(place)
            number = int(rng.choice(len(EXPERIMENT.motifs), p=[motif.share for motif in EXPERIMENT.motifs]))
            site = encode(EXPERIMENT.motifs[number].consensus)
            mismatches = int(rng.choice(len(EXPERIMENT.mismatches), p=EXPERIMENT.mismatches))
            changed = rng.choice(len(site), mismatches, replace=False)
            site[changed] = (site[changed] + rng.integers(1, 4, mismatches)) % 4
            strand = "+-"[rng.integers(2)]
            start = centre - SITE_REACH + place * piece + int(rng.integers(0, piece - len(site) + 1))
            codes[start : start + len(site)] = site if strand == "+" else reverse_complement(site)
            rows.append((region, start, start + len(site), EXPERIMENT.motifs[number].name, strand, mismatches, number))
    names = ["region", "start", "end", "motif", "strand", "mismatches", "number"]
    return pd.DataFrame(rows, columns=names).sort_values("start", ignore_index=True)


def _lengths(rng: np.random.Generator, in_region: np.ndarray) -> np.ndarray:
    """Fragment lengths: int64 [n]."""
    n = len(in_region)
    free = np.arange(30, 160)
    p = np.exp(-free / 45) / (1 + np.exp(-(free - 42) / 5)) * (1 + EXPERIMENT.helix * np.cos(2 * np.pi * free / HELIX))
    lengths = rng.choice(free, n, p=p / p.sum())
    shares = (EXPERIMENT.nucleosomes, EXPERIMENT.background)
    held = np.where(in_region, *(rng.choice(len(p), n, p=p) for p in shares))
    for number, (mean, spread) in enumerate(EXPERIMENT.ladder, 1):
        lengths = np.where(held == number, np.rint(rng.normal(mean, spread, n)).astype(np.int64), lengths)
    return np.maximum(lengths, 30)


def _centres(
    rng: np.random.Generator, genome: SimulatedGenome, origin: np.ndarray, region: np.ndarray, length: np.ndarray
) -> np.ndarray:
    """Where the centre of each fragment would be, if Tn5 had no preference and contigs no ends: int64 [n]."""
    n = len(origin)
    offset, size = genome.contigs["offset"].to_numpy(), genome.contigs["length"].to_numpy()
    mine = np.where(origin == 3, len(size) - 2, len(size) - 1)
    anywhere = np.where(origin < 3, rng.integers(0, offset[-2], n), offset[mine] + rng.integers(0, size[mine], n))
    side, edge = rng.choice([-1, 1], n), rng.normal(*EXPERIMENT.edge, n)
    shift = np.where(length < 160, rng.normal(0, EXPERIMENT.free_spread, n), side * (edge + length / 2))
    centre = np.where(region, genome.regions["centre"].to_numpy()[region - 1] + np.rint(shift).astype(int), anywhere)
    spot = rng.choice(genome.artefacts, n) + rng.integers(0, EXPERIMENT.artefact, n)
    return np.where(origin == 2, spot, centre)


def _insert(
    rng: np.random.Generator, codes: np.ndarray, t: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Move insertions by up to 4 bp to where Tn5 likes to cut on both strands: int64 [n]."""
    near = np.clip(_ranges(t - 4, 9), (low + 4)[:, None], (high - 5)[:, None])
    liked = (codes[near - 4] == G).astype(int) + (codes[near + 4] == C)
    choice = np.argmax(liked * np.log(EXPERIMENT.preference) + rng.gumbel(size=near.shape), axis=1)
    return near[np.arange(len(t)), choice]
