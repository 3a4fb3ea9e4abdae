"""What the simulator of promoters knows and models should have learnt: its binding sites, and what each letter does."""

from collections import Counter

import numpy as np

from proformer.explain.attribution import mutagenesis
from proformer.explain.letters import LETTERS
from proformer.sequences import N, encode, reverse_complement
from proformer.simulate.model import PARAMETERS
from proformer.simulate.perfect import perfect_codes

PERFECT = "perfect model"  # what tables call the simulator among models
SHORTEST = 7  # letters of a site that is more than chance


def truth(codes: np.ndarray) -> np.ndarray:
    """Noise-free expression of codes uint8 [N, L], as `Attributor.predict` has it: float64 [N, 1]."""
    return perfect_codes(codes)[:, None]


def true_scores(codes: np.ndarray) -> np.ndarray:
    """In-silico mutagenesis of the simulator itself: float32 [N, 1, L, 4]."""
    return mutagenesis(truth, codes)


def site_positions(codes: np.ndarray) -> np.ndarray:
    """Which letters of codes uint8 [N, L] are part of a binding site, a whole one, on either strand: bool [N, L]."""
    found = np.zeros(codes.shape, bool)
    for site in PARAMETERS.sites:
        forward = encode(site.consensus)
        if len(forward) < SHORTEST:
            continue
        for motif in (forward, reverse_complement(forward)):
            windows = np.lib.stride_tricks.sliding_window_view(codes, len(motif), axis=1)
            rows, starts = np.nonzero(((windows == motif) | (motif == N)).all(axis=2))
            for column in np.flatnonzero(motif < N):
                found[rows, starts + column] = True
    return found


def planted_motifs() -> dict[str, np.ndarray]:
    """The motif of each site: the share that a letter has of the four letters' statistical weights, float64 [w, 4].

    Its name is the factor's, with the width where a factor has several.
    """
    motifs = {}
    factors = Counter(site.factor for site in PARAMETERS.sites)
    for site in PARAMETERS.sites:
        rows = []
        for letter in encode(site.consensus):
            weight = np.exp(-site.mismatch * ((np.arange(LETTERS) != letter) & (letter != N)))
            rows.append(weight / weight.sum())
        name = site.factor if factors[site.factor] == 1 else f"{site.factor}_{len(site.consensus)}"
        motifs[name] = np.array(rows)
    return motifs
