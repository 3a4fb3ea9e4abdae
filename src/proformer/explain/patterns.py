"""Motifs that models attend to: TF-MoDISco (Shrikumar et al. 2018) gathers stretches of high scores into patterns.

It is an extra, modisco-lite, which the default installation leaves out: `make explain`.
"""

import numpy as np

from proformer.errors import InputError
from proformer.explain.letters import LETTERS
from proformer.sequences import N

LONG = 500  # nt, from which on modisco's own settings hold; they are for windows of 2 kb
# Shorter windows and flanks for promoters, which have little room around a site.
SHORT = {"sliding_window_size": 11, "flank_size": 4, "trim_to_window_size": 14, "initial_flank_to_add": 2}
FEWEST = 40  # stretches of a pattern


def discover(codes: np.ndarray, scores: np.ndarray, most: int = 2000) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Patterns in scores float [N, L, 4] of codes uint8 [N, L]: their motifs, float64 [w, 4], and numbers of stretches.

    Names: pos_0, pos_1, … raise the prediction, neg_0, … lower it. most: stretches that are compared. Raises InputError
    where modisco is not installed, and where it finds no stretch that stands out.
    """
    try:
        from modiscolite.tfmodisco import TFMoDISco
    except ImportError:
        raise InputError(
            "modisco: not installed; `make explain`, or pip install 'proformer[explain]', installs it"
        ) from None
    one_hot = (codes[..., None] == np.arange(LETTERS)).astype(np.float32)
    centred = np.where(codes[..., None] < N, scores - scores.mean(axis=2, keepdims=True), 0).astype(np.float32)
    settings = SHORT if codes.shape[1] < LONG else {}
    try:
        found = TFMoDISco(
            one_hot=one_hot,
            hypothetical_contribs=centred,
            max_seqlets_per_metacluster=most,
            min_metacluster_size=FEWEST,
            **settings,
        )
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise InputError(
            f"modisco: found no patterns in {len(codes)} sequences ({error}), expected more sequences"
        ) from None
    motifs, sizes = {}, {}
    for sign, patterns in zip(("pos", "neg"), found, strict=True):
        for number, pattern in enumerate(patterns or ()):
            matrix = np.asarray(pattern.sequence, dtype=np.float64)
            motifs[f"{sign}_{number}"] = matrix / matrix.sum(axis=1, keepdims=True)
            sizes[f"{sign}_{number}"] = len(pattern.seqlets)
    return motifs, sizes
