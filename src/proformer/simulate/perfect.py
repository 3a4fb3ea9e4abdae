"""What a perfect model predicts of simulated promoters: the expression before any measurement.

Its r with the measured values is the ceiling: no model can be expected to come closer to them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from proformer.sequences import N, encode
from proformer.simulate.model import evaluate
from proformer.simulate.promoters import LEFT_FLANK, RIGHT_FLANK


def perfect_codes(codes: np.ndarray) -> np.ndarray:
    """Noise-free expression of the inserts of a store, uint8 [n, L], each in the middle of N: float64 [n], in bins.

    An insert that ends with unknown bases is told from its padding by the N before it, up to one nucleotide.
    """
    known = codes < N
    before, after = known.argmax(axis=1), known[:, ::-1].argmax(axis=1)
    padding = np.clip(after, before - 1, before + 1)
    values = np.empty(len(codes))
    for width in np.unique(padding):
        rows = padding == width
        values[rows] = evaluate(np.ascontiguousarray(codes[rows, : codes.shape[1] - width].T)).expression
    return values


def perfect_sequences(sequences: Sequence[str]) -> np.ndarray:
    """Noise-free expression of promoters as text, between whole flanks: float64 [n], in bins."""
    inserts = [encode(text.removeprefix(LEFT_FLANK).removesuffix(RIGHT_FLANK)) for text in sequences]
    codes = np.full((max(map(len, inserts)), len(inserts)), N, dtype=np.uint8)
    for column, insert in enumerate(inserts):
        codes[len(codes) - len(insert) :, column] = insert
    return evaluate(codes).expression
