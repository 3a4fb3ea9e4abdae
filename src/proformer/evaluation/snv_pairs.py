"""Pairs of single-nucleotide variants of the DREAM test set, for where the challenge's own table is not at hand."""

import numpy as np

from proformer.sequences import encode


def rebuilt_pairs(sequences: list[str]) -> np.ndarray:
    """Rows of sequences that differ in one letter: int64 [n, 2], (alternative, reference).

    Of rows that agree at all positions but one, that with the most such neighbours (the first of equals) is the
    reference of the others; alternatives of one reference at one position are not paired with each other. So the pairs
    are nearly the challenge's, and which of the two is the reference is a guess where both have as many neighbours.
    Sequences of another length than most, and copies, are left out.
    """
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    if not lengths.any():
        return np.empty((0, 2), np.int64)
    rows = np.flatnonzero(lengths == np.bincount(lengths).argmax())
    codes = encode("".join(sequences[row] for row in rows)).reshape(len(rows), -1)
    codes, first = np.unique(codes, axis=0, return_index=True)
    rows = rows[first]
    # A sum of random numbers, one per position and letter, stands for a sequence; less one of them, for all but one.
    numbers = np.random.default_rng(0).integers(0, 2**63, (codes.shape[1], 256), dtype=np.uint64)
    total = numbers[np.arange(codes.shape[1]), codes].sum(axis=1, dtype=np.uint64)
    neighbours, groups = np.zeros(len(codes), np.int64), []
    for position, letters in enumerate(codes.T):
        _, group, sizes = np.unique(total - numbers[position, letters], return_inverse=True, return_counts=True)
        member = np.flatnonzero(sizes[group] > 1)
        neighbours[member] += sizes[group[member]] - 1
        groups.append((member, group[member]))
    pairs = [np.empty((0, 2), np.int64)]
    for member, group in groups:
        order = np.lexsort((rows[member], -neighbours[member], group))
        member, group = member[order], group[order]
        leads = np.diff(group, prepend=-1) != 0
        reference = member[leads][np.cumsum(leads) - 1]
        pairs.append(rows[np.stack([member, reference], axis=1)[~leads]])
    return np.concatenate(pairs)
