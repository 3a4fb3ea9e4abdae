"""Nucleotides as small integers: encoding, trimming, padding, reverse complement.

Everything works on whole blocks of text at once. A block is one array of letters; a sequence is a start and a
length in it. Codes are A 0, C 1, G 2, T 3, N 4; models add M (masked) 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from proformer.settings import MAX_LENGTH

A, C, G, T, N, MASK = range(6)
ALPHABET = "ACGTN"
INVALID = 255

_LETTERS = np.full(256, INVALID, dtype=np.uint8)
for _code, _letter in enumerate(ALPHABET):
    _LETTERS[ord(_letter)] = _LETTERS[ord(_letter.lower())] = _code
_COMPLEMENT = np.array([T, G, C, A, N, MASK], dtype=np.uint8)


@dataclass(frozen=True)
class Spans:
    """`n` stretches of one block of codes: `starts` and `lengths`, both int64 [n]."""

    starts: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def select(self, rows: np.ndarray) -> Spans:
        """The spans at `rows` (indices or booleans)."""
        return Spans(self.starts[rows], self.lengths[rows])

    def groups(self, block: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows [m], values [m, length]) for each distinct length: rows of one length copy in one go."""
        order = np.argsort(self.lengths, kind="stable")
        cuts = np.flatnonzero(np.diff(self.lengths[order])) + 1
        for rows in np.split(order, cuts):
            length = int(self.lengths[rows[0]]) if len(rows) else 0
            if length > 0:
                yield rows, np.lib.stride_tricks.sliding_window_view(block, length)[self.starts[rows]]


def to_codes(letters: np.ndarray) -> np.ndarray:
    """Translate letters (uint8 [n], either case) to codes uint8 [n]; anything but ACGTN becomes `INVALID`."""
    return _LETTERS[letters]


def encode(sequence: str) -> np.ndarray:
    """Translate one sequence to codes uint8 [length]; letters outside ACGTN become `INVALID`."""
    return to_codes(np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8))


def decode(codes: np.ndarray) -> str:
    """Translate codes [length] back to letters, without the N at both ends."""
    return np.frombuffer(f"{ALPHABET}M".encode(), dtype=np.uint8)[codes].tobytes().decode().strip("N")


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Reverse complement along the last axis; N and M stay."""
    return _COMPLEMENT[codes[..., ::-1]]


def contain(block: np.ndarray, spans: Spans, code: int) -> np.ndarray:
    """Which spans hold a code: bool [n]."""
    places = np.flatnonzero(block == code)
    return np.searchsorted(places, spans.starts + spans.lengths) > np.searchsorted(places, spans.starts)


def has_flanks(block: np.ndarray, spans: Spans, left: str, right: str) -> np.ndarray:
    """Whether each span begins with `left` and ends with `right` and holds at least both: bool [n]."""
    ok = spans.lengths >= len(left) + len(right)
    for flank, starts in ((left, spans.starts), (right, spans.starts + spans.lengths - len(right))):
        if flank and ok.any():
            windows = np.lib.stride_tricks.sliding_window_view(block, len(flank))
            ok[ok] = (windows[starts[ok]] == encode(flank)).all(axis=1)
    return ok


def flank_extent(sequence: str, left: str, right: str) -> tuple[int, int, str]:
    """Where the insert lies in a construct whose flanks may not be whole: (start, stop, how they were found).

    N at both ends is padding. "whole": both flanks are there. "cut": the construct begins with the end of `left` (or
    ends with the beginning of `right`), as when only its last 110 nt were kept. "partial": it has only the beginning
    of `left` (or the end of `right`), a deletion at the junction. "none": less than 3 nt of a flank were recognised, or
    less than 8 where its far end is missing; nothing is cut there.
    """
    stop = len(sequence.rstrip("N"))
    start = min(len(sequence) - len(sequence.lstrip("N")), stop)
    cut_left, how_left = _flank(sequence[start:stop], left)
    cut_right, how_right = _flank(sequence[start:stop][::-1], right[::-1])
    how = max(how_left, how_right, key=("whole", "cut", "partial", "none").index)
    return start + cut_left, max(stop - cut_right, start + cut_left), how


def _flank(sequence: str, flank: str) -> tuple[int, str]:
    if sequence.startswith(flank):
        return len(flank), "whole"
    cut = next((n for n in range(len(flank) - 1, 2, -1) if sequence.startswith(flank[-n:])), 0)
    same = next((n for n, (a, b) in enumerate(zip(sequence, flank, strict=False)) if a != b), len(sequence))
    if same >= max(cut, 8):
        return same, "partial"
    return (cut, "cut") if cut else (0, "none")


def centre_pad(block: np.ndarray, spans: Spans, length: int) -> np.ndarray:
    """Place each span (none longer than `length`) in the middle of N: uint8 [n, length].

    An odd remainder goes where Python's `str.center` puts it, as in the original: to the right when `length` is even.
    """
    out = np.full((len(spans), length), N, dtype=np.uint8)
    for rows, values in spans.groups(block):
        missing = length - values.shape[1]
        left = missing // 2 + (missing & length & 1)
        out[rows, left : left + values.shape[1]] = values
    return out


@cache
def _multipliers(length: int) -> np.ndarray:
    return np.random.default_rng(20240220).integers(0, 2**64, size=MAX_LENGTH, dtype=np.uint64)[:length]


def strand_free_keys(block: np.ndarray, spans: Spans) -> np.ndarray:
    """One 64-bit key per sequence, the same for a sequence and its reverse complement: int64 [n].

    A random linear hash: two different sequences collide with probability below 2^-62.
    """
    keys = np.empty(len(spans), dtype=np.uint64)
    for rows, values in spans.groups(block):
        length = values.shape[1]
        weights = _multipliers(length)
        forward = (values.astype(np.uint64) + np.uint64(1)) @ weights
        backward = (reverse_complement(values).astype(np.uint64) + np.uint64(1)) @ weights
        keys[rows] = np.minimum(forward, backward)
    keys[spans.lengths == 0] = 0
    return keys.view(np.int64)


def mix(values: np.ndarray, seed: int) -> np.ndarray:
    """Scramble 64-bit keys with a seed (splitmix64) into uniform numbers in [0, 1): float64 [n]."""
    with np.errstate(over="ignore"):
        x = values.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(seed + 1)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
