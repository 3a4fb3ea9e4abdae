"""Motifs that models attend to: TF-MoDISco (Shrikumar et al. 2018) gathers stretches of high scores into patterns.

It is part of an extra, which the default installation leaves out: `make explain`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.explain.attribution import Attributor
from proformer.explain.letters import LETTERS
from proformer.explain.meme import Motifs, missing
from proformer.explain.study import Tables, add_motifs
from proformer.predict import Predictor
from proformer.sequences import N

LONG = 500  # nt, from which on modisco's own settings hold; they are for windows of 2 kb
# Shorter windows and flanks for promoters, which have little room around a site.
SHORT = {"sliding_window_size": 11, "flank_size": 4, "trim_to_window_size": 14, "initial_flank_to_add": 2}
FEWEST = 40  # stretches of a pattern


def discover(codes: np.ndarray, scores: np.ndarray, most: int = 2000) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Patterns in scores float [N, L, 4] of codes uint8 [N, L]: their motifs, float64 [w, 4], and numbers of stretches.

    Names: pos_0, pos_1, … raise the prediction, neg_0, … lower it. most: stretches that are compared. Raises InputError
    where modisco is not installed, and where it finds no pattern.
    """
    try:
        from modiscolite.tfmodisco import TFMoDISco
    except ImportError:
        raise missing("modisco") from None
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
    if not motifs:
        raise InputError(f"modisco: found no patterns in {len(codes)} sequences, expected more sequences")
    return motifs, sizes


def patterns_of(predictor: Predictor, codes: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """What `discover` finds in the mutagenesis of codes uint8 [N, L], of the first task."""
    attributor = Attributor(predictor, predictor.task.names[:1])
    return discover(codes, attributor.scores(codes, "ism")[:, 0])


def pattern_tables(
    models: Mapping[tuple[str, str], Predictor], codes: np.ndarray, known: Motifs
) -> dict[str, pd.DataFrame]:
    """Tables of the patterns of models, by (run, seed): those of filters in `study`, under the same names."""
    tables = Tables()
    for (run, seed), predictor in models.items():
        add_motifs(patterns_of, predictor, codes, known, tables, run, seed)
    return tables.joined()
