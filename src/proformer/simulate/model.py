"""A biophysical model of a yeast promoter: transcription factors bind, chromatin opens, expression saturates.

It is a generator of test data, not a fit: the consensus sequences are those that the DREAM challenge planted (Rafi
et al., Methods, "Motif Perturbation", "Motif Tiling"). The numbers give random promoters the range and the spread of
the published ones, but a signal that a small model learns from a thousand of them and that carries over to the designed
sets: a site with a mismatch or two still acts, and chromatin modulates more than it switches. G and C lower expression,
as they favour nucleosomes (Tillo & Hughes 2009), but most of the signal is in motifs: Skn7 activates and Mot3
represses, by sites of as many bases and as much G+C.

For one insert of length L, a factor f with a site of width w at start i on strand s (+ or -):

1. Mismatch energy          S(i,s) = m_f · #mismatches to the consensus, in kT (an N of the consensus costs nothing);
   statistical weight       q(i,s) = K_f · exp(-S(i,s)), 0 when the site holds an N of the sequence.
2. Gain of a bound protein  g(i,s) = strand_f(s) · [1 + slope_f·(d - 40)/40 + helix_f·cos(2π(d - phase_f)/10.5)],
   where d is the distance of the site's centre from the insert's 3' end (towards the start of transcription).
3. Binding polynomial       Z_f = 1 + Σ q(i,s) + ω_f · Σ q(i)·q(j) over pairs of starts 8..24 nt apart (q(i) = both
   strands); ω_f > 0 for Hsf1 only, so that neighbouring sites do more than their sum.
   Occupancy                θ_f = 1 - 1/Z_f;
   expected gain            A_f = [Σ n_f·q·g + ω_f · Σ q(i)·q(j)·(g(i) + g(j))] / Z_f, n_f proteins per site (3 for the
   Hsf1 trimer).
4. Chromatin (nucleosome)   o = σ(h_0 + Σ h_f · A_f): Reb1 and poly-A open it, Ume6 closes it.
5. Activity                 x = b_0 + b_GC · (GC - 0.47) + Σ a_f · A_f · (1 for a pioneer, o for every other factor).
6. Expression, in bins      E = E_low + (E_high - E_low) · σ(x),   σ(t) = 1 / (1 + e^-t).

The *additive* variant has no pairs (ω = 0) and a fixed opening o = `mean_opening`: what a model of independent sites
would say. Everything is elementwise arithmetic in a fixed order: threads and chunk sizes change no bit.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from proformer.sequences import N, encode, reverse_complement

WORD = 8  # the longest word that is looked up at once: 4^8 entries stay in a core's cache
MOST_LETTERS = 2 * WORD
# The code of N in a word's index: beyond every table, so that the lookup is clipped to the last entry, which is 0.
LETTERS = np.array([0, 1, 2, 3, 4 ** (WORD + 1)], dtype=np.int64)
HELIX = 10.5  # nt per turn of DNA


@dataclass(frozen=True)
class Factor:
    """How one transcription factor acts; symbols of the module's equations in brackets."""

    name: str
    activation: float  # a_f
    opening: float = 0.0  # h_f
    forward: float = 1.0  # strand_f(+)
    reverse: float = 1.0  # strand_f(-)
    slope: float = 0.0
    helix: float = 0.0
    phase: float = 0.0  # nt
    pioneer: bool = False  # acts in closed chromatin, too
    cooperativity: float = 0.0  # ω_f


@dataclass(frozen=True)
class Site:
    """What a factor binds."""

    factor: str
    consensus: str
    affinity: float  # K_f: the weight of the consensus
    mismatch: float  # m_f, kT
    proteins: int = 1  # n_f
    planted: float = 0.0  # expected number in a random promoter, beside those that chance makes


@dataclass(frozen=True)
class Parameters:
    """All numbers of the model."""

    factors: tuple[Factor, ...] = (
        Factor("Reb1", 1.6, 1.2, slope=0.2, pioneer=True),
        Factor("Hsf1", 2.4, slope=-0.2, cooperativity=10.0),
        Factor("polyA", 0.1, 0.1, reverse=0.8, slope=0.2, helix=0.1, pioneer=True),
        Factor("Skn7", 3.0, reverse=0.8, helix=0.2),
        Factor("Mga1", 0.3, reverse=0.6, slope=-0.2, helix=0.2, phase=3.0),
        Factor("Ume6", -1.2, -1.2, pioneer=True),
        Factor("Mot3", -3.0, slope=-0.2),
        Factor("Azf1", 1.4, reverse=0.5, slope=-0.2, helix=0.2, phase=6.0),
    )
    sites: tuple[Site, ...] = (
        Site("Reb1", "TTACCCG", 10.0, 2.4, planted=0.35),
        Site("Hsf1", "ATGGAACA", 3.0, 2.0, planted=0.15),
        Site("Hsf1", "TTCTAGAANNTTCT", 30.0, 1.6, proteins=3, planted=0.05),
        Site("polyA", "AAAAA", 0.8, 2.5),
        Site("Skn7", "GTCTGGCCC", 30.0, 2.0, planted=1.4),
        Site("Mga1", "TTCT", 0.4, 3.0),
        Site("Ume6", "AGCCGCC", 10.0, 2.5, planted=0.2),
        Site("Mot3", "GCAGGCACG", 30.0, 2.0, planted=0.75),
        Site("Azf1", "TAAAAGAAA", 30.0, 2.0, planted=0.1),
    )
    nearest_partner: int = 8  # distance of the starts of a cooperating pair, nt
    farthest_partner: int = 24
    closed: float = -0.3  # h_0
    basal: float = -0.3  # b_0
    gc_effect: float = -5.0  # b_GC: G and C favour nucleosomes everywhere
    gc_mean: float = 0.47
    mean_opening: float = 0.5
    lowest: float = 2.0  # E_low, bins
    highest: float = 17.0  # E_high, bins


PARAMETERS = Parameters()


class State(NamedTuple):
    """What the model says of n promoters."""

    expression: np.ndarray  # float64 [n], noise-free, in bins 0..17
    occupancy: np.ndarray  # float32 [factors, n], in the order of `Parameters.factors`
    opening: np.ndarray  # float64 [n]


def logistic(x: np.ndarray) -> np.ndarray:
    """σ(x), elementwise."""
    return 1.0 / (1.0 + np.exp(-x))


@cache
def _table(word: bytes, mismatch: float, affinity: float) -> np.ndarray:
    """The weights of all words as long as `word` (codes; N matches all): float32 [4^length + 1], the last one 0."""
    energy = np.zeros(1)
    for letter in word:
        energy = (energy[:, None] + np.where((np.arange(4) == letter) | (letter == N), 0.0, mismatch)).ravel()
    return np.append(affinity * np.exp(-energy), 0.0).astype(np.float32)


def _words(codes: np.ndarray) -> dict[int, np.ndarray]:
    """The index of the word of each length at each start: length k -> int64 [L - k + 1, n]."""
    words = {1: LETTERS[codes]}
    for k in range(2, min(WORD, len(codes)) + 1):
        words[k] = words[k - 1][:-1] * 4 + words[1][k - 1 :]
    return words


def oriented(site: Site, strand: int) -> np.ndarray:
    """The consensus as codes along the insert, for a site on the strand +1 or -1: uint8 [w]."""
    motif = encode(site.consensus)
    return motif if strand > 0 else reverse_complement(motif)


def _weights(words: dict[int, np.ndarray], site: Site, strand: int) -> np.ndarray:
    """q of a site on a strand (+1 or -1) at each start: float32 [L - w + 1, n]."""
    motif = oriented(site, strand)
    width = len(motif)
    if width <= WORD:
        return _table(motif.tobytes(), site.mismatch, site.affinity).take(words[width], mode="clip")
    tail = np.full(WORD, N, dtype=np.uint8)  # the second word ends with the site and ignores what the first one saw
    tail[MOST_LETTERS - width :] = motif[WORD:]
    head_weights = _table(motif[:WORD].tobytes(), site.mismatch, site.affinity)
    tail_weights = _table(tail.tobytes(), site.mismatch, 1.0)
    index = words[WORD]
    return head_weights.take(index[: WORD - width], mode="clip") * tail_weights.take(index[width - WORD :], mode="clip")


def gain(factor: Factor, width: int, length: int, strand: int) -> np.ndarray:
    """g of a bound protein at each start of a site of `width` in an insert of `length`: float32 [starts]."""
    distance = length - (np.arange(length - width + 1) + width / 2)
    phase = 2 * np.pi * (distance - factor.phase) / HELIX
    curve = 1.0 + factor.slope * (distance - 40) / 40 + factor.helix * np.cos(phase)
    return ((factor.forward if strand > 0 else factor.reverse) * curve).astype(np.float32)


def _partners(values: np.ndarray, nearest: int, farthest: int) -> np.ndarray:
    """For each start, the sum of `values` [starts, n] over the starts `nearest`..`farthest` further on."""
    total = np.zeros((len(values) + 1, values.shape[1]), dtype=values.dtype)
    np.cumsum(values, axis=0, out=total[1:])
    start = np.arange(len(values))
    return total[np.minimum(start + farthest + 1, len(values))] - total[np.minimum(start + nearest, len(values))]


def _bind(
    words: dict[int, np.ndarray], factor: Factor, parameters: Parameters, cooperative: bool
) -> tuple[np.ndarray, np.ndarray]:
    """θ_f and A_f: float32 [n] each."""
    length, count = words[1].shape
    states = np.ones(count, dtype=np.float32)  # Z
    gained = np.zeros(count, dtype=np.float32)
    for site in parameters.sites:
        if site.factor != factor.name or len(site.consensus) > length:
            continue
        both = np.zeros((length - len(site.consensus) + 1, count), dtype=np.float32)
        both_gained = np.zeros_like(both)
        for strand in (1, -1):
            weights = _weights(words, site, strand)
            both += weights
            both_gained += weights * gain(factor, len(site.consensus), length, strand)[:, None]
        states += both.sum(axis=0)
        gained += np.float32(site.proteins) * both_gained.sum(axis=0)
        if cooperative and factor.cooperativity and site.proteins == 1:
            omega, reach = np.float32(factor.cooperativity), (parameters.nearest_partner, parameters.farthest_partner)
            partners = _partners(both, *reach)
            states += omega * (both * partners).sum(axis=0)
            gained += omega * (both_gained * partners + both * _partners(both_gained, *reach)).sum(axis=0)
    return 1 - 1 / states, gained / states


def gc_content(codes: np.ndarray) -> np.ndarray:
    """Share of G and C among the known bases of codes [L, n]: float64 [n]; 0 where nothing is known."""
    strong = ((codes == 1) | (codes == 2)).sum(axis=0)
    return strong / np.maximum((codes < N).sum(axis=0), 1)


def evaluate(codes: np.ndarray, parameters: Parameters = PARAMETERS, *, additive: bool = False) -> State:
    """Noise-free expression of inserts, flanks left out.

    `codes`: uint8 [L, n], one insert per *column* (A 0, C 1, G 2, T 3, N 4), its 3' end in the last row; shorter
    inserts have N above them. `additive`: the variant without cooperation and chromatin.
    """
    words = _words(codes)
    logit = np.full(codes.shape[1], parameters.closed)
    occupancy, gained = [], []
    for factor in parameters.factors:
        theta, effect = _bind(words, factor, parameters, cooperative=not additive)
        occupancy.append(theta)
        gained.append(effect)
        logit += factor.opening * effect
    opening = np.full_like(logit, parameters.mean_opening) if additive else logistic(logit)
    activity = parameters.basal + parameters.gc_effect * (gc_content(codes) - parameters.gc_mean)
    for factor, effect in zip(parameters.factors, gained, strict=True):
        activity += factor.activation * effect * (1.0 if factor.pioneer else opening)
    expression = parameters.lowest + (parameters.highest - parameters.lowest) * logistic(activity)
    return State(expression, np.stack(occupancy), opening)
