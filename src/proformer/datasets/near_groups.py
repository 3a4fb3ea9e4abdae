"""Groups of sequences that are nearly the same, so that a split keeps them together.

As in `datasets.nearest`: two rows that differ in at most k positions agree entirely in one of any k + 1 segments, so
only rows that share a segment, on either strand, are compared base by base. Nothing within k is missed.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from proformer.datasets.nearest import SegmentIndex, centred_reverse_complement, segments


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
    for weights in segments(_entropy(both), within):
        for mates, entries in SegmentIndex(both, weights).candidates(rows):
            once = entries % len(rows) > mates
            mates, entries = mates[once], entries[once]
            near = np.count_nonzero(rows[mates] != both[entries], axis=1) <= within
            left.append(mates[near])
            right.append(entries[near] % len(rows))
    edges = np.concatenate(left), np.concatenate(right)
    graph = coo_array((np.ones(len(edges[0]), dtype=bool), edges), shape=(len(rows), len(rows)))
    count, component = connected_components(graph, directed=False)
    lowest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(lowest, component, keys)
    return lowest[component][inverse]


def _entropy(codes: np.ndarray) -> np.ndarray:
    """How much rows differ at each position: float64 [L].

    What all rows have in common separates none, so that a segment of it would have every row compared with every other.
    """
    shares = np.array([(codes == code).mean(axis=0) for code in range(5)])
    return -(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares))).sum(axis=0) + 1e-6
