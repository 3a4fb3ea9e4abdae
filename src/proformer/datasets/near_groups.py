"""Groups of sequences that are nearly the same, so that a split keeps them together.

As in `datasets.nearest`: two rows that differ in at most k positions agree entirely in one of any k + 1 segments, so
only rows that share a segment, on either strand, are compared base by base. Nothing within k is missed.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from proformer.datasets.nearest import centred_reverse_complement, pairs
from proformer.errors import InputError

CHUNK = 1 << 16
MOST_PAIRS = 1 << 32


def near_groups(codes: np.ndarray, group: np.ndarray, within: int) -> np.ndarray:
    """Join groups whose rows are within so many mismatches of each other, or of the reverse complement: int64 [N].

    codes: uint8 [N, L], inserts centred between N, of which those of one length are compared. group: int64 [N], equal
    for copies and reverse complements. A joined group goes by the lowest of its numbers, so others keep theirs. Raises
    InputError when too many rows agree in a segment.
    """
    keys, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rows = np.asarray(codes[first])
    both = np.concatenate([rows, centred_reverse_complement(rows)])
    left, right = [], []
    for weights in _segments(both, within):
        hashes = np.concatenate([both[i : i + CHUNK].astype(np.float64) @ weights for i in range(0, len(both), CHUNK)])
        order = np.argsort(hashes, kind="stable")
        low = np.searchsorted(hashes[order], hashes[: len(rows)], side="left")
        counts = np.searchsorted(hashes[order], hashes[: len(rows)], side="right") - low
        if counts.sum() > MOST_PAIRS:
            raise InputError(f"near {within}: {counts.sum():,} pairs of sequences to compare; take fewer mismatches")
        for mates, places in pairs(np.arange(len(rows)), low, counts):
            once = order[places] % len(rows) > mates
            mates, entries = mates[once], order[places][once]
            near = np.count_nonzero(both[mates] != both[entries], axis=1) <= within
            left.append(mates[near])
            right.append(entries[near] % len(rows))
    edges = np.concatenate(left), np.concatenate(right)
    graph = coo_array((np.ones(len(edges[0]), dtype=bool), edges), shape=(len(rows), len(rows)))
    count, component = connected_components(graph, directed=False)
    lowest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(lowest, component, keys)
    return lowest[component][inverse]


def _segments(codes: np.ndarray, within: int) -> np.ndarray:
    """Whole-number weights, 0 outside each segment: float64 [k + 1, L]; segments hold equally much that differs.

    What all rows have in common separates none, so that a segment of it would have every row compared with every other.
    """
    shares = np.array([(codes == code).mean(axis=0) for code in range(5)])
    entropy = -(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares))).sum(axis=0) + 1e-6
    segment = np.minimum((np.cumsum(entropy) - entropy / 2) / entropy.sum() * (within + 1), within).astype(int)
    # Sums of codes up to 4 stay below 2^53, where float64 is exact in any order.
    weights = np.random.default_rng(0).integers(1, (1 << 50) // codes.shape[1], codes.shape[1]).astype(np.float64)
    return np.where(np.arange(within + 1)[:, None] == segment, weights, 0.0)
