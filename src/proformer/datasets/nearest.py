"""Sequences that are nearly the same: how far evaluation sequences are from those trained on, and groups for splits.

Two rows that differ in at most k positions agree entirely in one of any k + 1 segments (the pigeonhole principle). So
the evaluation rows, forward and reverse complement, are indexed by a hash of each of their k + 1 segments; the training
rows stream past, and only those that share a segment are compared base by base. Equal segments have equal hashes, so
nothing within k is missed; a chance collision only costs a comparison. Memory is that of the index and one chunk.

Rows are the inserts as the store holds them: flanks cut, centred between N to one length. Between inserts of one
length the distance is their Hamming distance; between others, positions where only one has a base count as well.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from proformer.datasets.prepare import Layout
from proformer.datasets.rows import read_rows
from proformer.datasets.store import Store
from proformer.errors import InputError
from proformer.sequences import N, centre_pad, reverse_complement
from proformer.settings import read

CHUNK = 1 << 15
PAIRS = 1 << 17  # compared at once
MOST_PAIRS = 1 << 32
_BITS = 22
_LAST_BITS = (1 << _BITS) - 1
_FAR = np.iinfo(np.int64).max
_ROW_BITS = 48


def segments(share: np.ndarray, within: int) -> np.ndarray:
    """Cut L positions into k + 1 segments that hold equally much of `share` [L].

    Returns whole-number weights, by which sequences are hashed, 0 outside each segment: float64 [k + 1, L].
    """
    middle = (np.cumsum(share) - share / 2) / share.sum()
    segment = np.minimum((middle * (within + 1)).astype(int), within)
    # Sums of codes up to 4 stay below 2^53, where float64 is exact in any order.
    weights = np.random.default_rng(0).integers(1, (1 << 50) // len(share), len(share)).astype(np.float64)
    return np.where(np.arange(within + 1)[:, None] == segment, weights, 0.0)


class SegmentIndex:
    """Rows uint8 [n, L], indexed to find those that agree with others in one segment (a row of `segments`)."""

    def __init__(self, codes: np.ndarray, weights: np.ndarray) -> None:
        self.weights = weights
        hashes = self._hash(codes)
        self.order = np.argsort(hashes, kind="stable")
        self.hashes = hashes[self.order]
        # Whether any row has a hash that ends in these bits: one look-up settles almost all others.
        self.seen = np.zeros(1 << _BITS, dtype=bool)
        self.seen[self.hashes & _LAST_BITS] = True

    def _hash(self, codes: np.ndarray) -> np.ndarray:
        pieces = (
            codes[i : i + CHUNK].astype(np.float64, copy=False) @ self.weights for i in range(0, len(codes), CHUNK)
        )
        return np.concatenate([*pieces, []]).astype(np.int64)

    def candidates(self, codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (row of `codes`, row of the index) of all that agree in the segment, about `PAIRS` at once.

        Raises InputError when there are more than `MOST_PAIRS`.
        """
        hashes = self._hash(codes)
        rows = np.flatnonzero(self.seen[hashes & _LAST_BITS])
        low = np.searchsorted(self.hashes, hashes[rows], side="left")
        counts = np.searchsorted(self.hashes, hashes[rows], side="right") - low
        if counts.sum() > MOST_PAIRS:
            raise InputError(f"near copies: {counts.sum():,} pairs of sequences to compare; take fewer mismatches")
        ends = np.cumsum(counts)
        start = 0
        while start < len(rows):
            stop = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + PAIRS, side="right")))
            part = counts[start:stop]
            offset = np.arange(part.sum()) - np.repeat(np.cumsum(part) - part, part)
            yield np.repeat(rows[start:stop], part), self.order[np.repeat(low[start:stop], part) + offset]
            start = stop


class NearIndex:
    """The evaluation rows `codes` (uint8 [n, L]), either strand, indexed to find what is within `within` mismatches."""

    def __init__(self, codes: np.ndarray, within: int) -> None:
        if not 0 <= within < codes.shape[1]:
            raise InputError(f"distance: found {within}, expected 0 to {codes.shape[1] - 1} mismatches")
        self.within, self.rows = within, len(codes)
        self.codes = np.concatenate([codes, centred_reverse_complement(codes)])
        known_bases = (self.codes != N).sum(axis=0) + 1e-6
        self.indices = [SegmentIndex(self.codes, weights) for weights in segments(known_bases, within)]
        self.best = np.full(len(self.codes), _FAR)

    def update(self, codes: np.ndarray, first: int) -> None:
        """Compare training rows `first`, `first + 1`, …: uint8 [m, L]."""
        codes = codes.astype(np.float64)  # once for all segments
        for index in self.indices:
            for mates, entries in index.candidates(codes):
                distance = np.count_nonzero(codes[mates] != self.codes[entries], axis=1)
                near = distance <= self.within
                key = (distance[near].astype(np.int64) << _ROW_BITS) + first + mates[near]
                np.minimum.at(self.best, entries[near], key)

    def nearest(self) -> pd.DataFrame:
        """One line per evaluation row: `distance` (-1: more than k), `row` of the first nearest (-1), `strand`."""
        forward, backward = self.best[: self.rows], self.best[self.rows :]
        best = np.minimum(forward, backward)
        found = best < _FAR
        return pd.DataFrame(
            {
                "distance": np.where(found, best >> _ROW_BITS, -1),
                "row": np.where(found, best & ((1 << _ROW_BITS) - 1), -1),
                "strand": np.where(found, np.where(backward < forward, "-", "+"), ""),
            }
        )


def centred_reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Reverse complements of rows made by `centre_pad`, centred as `centre_pad` would: uint8 [n, L]."""
    out = reverse_complement(codes)
    known = codes != N
    left, right = known.argmax(axis=1), known[:, ::-1].argmax(axis=1)
    for shift in (-1, 1):
        rows = (left - right) == shift
        out[rows] = np.roll(out[rows], shift, axis=1)
    return out


def read_codes(path: Path, store: Store) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of a TSV (first column) laid out as in `store`: (codes uint8 [n, L], which were short enough: bool)."""
    layout = read(Layout, store.meta["layout"], f"{store.path}: layout")
    layout = replace(layout, too_long="drop", wrong_flank="partial")
    codes, fits = [], []
    for rows in read_rows(path):
        kept, spans, _ = layout.trim(rows)
        codes.append(centre_pad(rows.codes, spans, layout.length))
        fits.append(np.isin(np.arange(len(rows)), kept))
    return np.concatenate(codes), np.concatenate(fits)


def nearest(store: Store, sequences: Path, within: int) -> pd.DataFrame:
    """The nearest training row of each sequence of a TSV (see `NearIndex.nearest`); the store is read in chunks.

    Sequences longer than the store's rows cannot be in it and are farther than any distance.
    """
    codes, fits = read_codes(sequences, store)
    index = NearIndex(codes, within)
    for number, start in enumerate(range(0, len(store), CHUNK)):
        index.update(np.asarray(store.codes[start : start + CHUNK]), start)
        if number and number % 64 == 0:
            print(f"nearest: {start:,} of {len(store):,} training rows", file=sys.stderr, flush=True)
    table = pd.DataFrame({"distance": -1, "row": -1, "strand": ""}, index=range(len(fits)))
    table.loc[fits] = index.nearest().set_index(np.flatnonzero(fits))
    return table


def summary(
    name: str, against: str, table: pd.DataFrame, within: int, warn_distance: int, warn_share: float
) -> pd.DataFrame:
    """One row: how many sequences are identical to a training sequence or within 1, 2, … k; `warning` or nothing."""
    if warn_distance > within:
        raise InputError(f"warn distance: found {warn_distance}, expected at most {within}, which is counted")
    near = {d: int(((table["distance"] >= 0) & (table["distance"] <= d)).sum()) for d in range(within + 1)}
    share = near[warn_distance] / len(table)
    counts = {"identical" if d == 0 else f"within_{d}": count for d, count in near.items()}
    warning = (
        f"{near[warn_distance]:,} of {len(table):,} sequences ({share:.1%}) are within {warn_distance} mismatches of "
        f"one trained on (expected at most {warn_share:.1%}): a score on them is partly memory"
    )
    row = {
        "set": name,
        "against": against,
        "rows": len(table),
        **counts,
        "share": share,
        "warn_distance": warn_distance,
    }
    return pd.DataFrame([row | {"warning": warning if share > warn_share else ""}])


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
