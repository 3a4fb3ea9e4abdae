"""Paired reads of sequenced fragments: adapter read-through, qualities, errors, FASTQ.

A read begins at an end of its fragment and runs inwards; a fragment shorter than the read is followed by the Nextera
adapter of that read. Qualities take the four values of recent Illumina software, fall along the read and differ from
read to read; a base of quality Q is read as another one with probability 10^(-Q/10).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from proformer.files import writing
from proformer.sequences import ALPHABET, encode, reverse_complement

LENGTH = 50  # nt, as sequenced by Buenrostro et al. (2013)
TRANSPOSON = "CTGTCTCTTATACACATCT"  # the mosaic end of Tn5: where reads 1 and 2 run on when the fragment ends
ADAPTERS = tuple(
    encode(TRANSPOSON + rest)
    for rest in (
        "CCGAGCCCACGAGACTAAGGCGAATCTCGTATGCCGTCTTCTGCTTG",
        "GACGCTGCCGACGAGCGATCTAGTGTAGATCTCGGTGGTCGCCGTATCATT",
    )
)
QUALITIES = np.array([2, 12, 23, 37])
# Chance of each quality at the first and at the last base; between them it changes evenly.
FIRST, LAST = np.array([0.002, 0.008, 0.04, 0.95]), np.array([0.01, 0.04, 0.15, 0.80])
POOR = 0.03  # share of reads in which the chances of low qualities are five times as high
_LETTERS = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)


class Reads(NamedTuple):
    """One end of n fragments: `codes` and `qualities`, both uint8 [n, 50]."""

    codes: np.ndarray
    qualities: np.ndarray


def read_pairs(
    rng: np.random.Generator, genome: np.ndarray, starts: np.ndarray, lengths: np.ndarray, reverse: np.ndarray
) -> tuple[Reads, Reads]:
    """Sequence both ends of fragments of `genome` (codes uint8): read 1 is the left end, or the right when `reverse`.

    `starts`, `lengths` int64 [n] and `reverse` bool [n]; every fragment lies inside the genome.
    """
    column = np.arange(LENGTH)
    left = genome[np.minimum(starts[:, None] + column, len(genome) - 1)]
    # What lies before a fragment's end, reverse complemented, is its right end.
    right = reverse_complement(genome[np.maximum((starts + lengths)[:, None] - LENGTH + column, 0)])
    pair = []
    for mate, adapter in enumerate(ADAPTERS):
        from_left = reverse == bool(mate)
        beyond = column - np.minimum(lengths, LENGTH)[:, None]
        codes = np.where(beyond < 0, np.where(from_left[:, None], left, right), adapter[np.maximum(beyond, 0)])
        pair.append(_sequenced(rng, codes.astype(np.uint8)))
    return pair[0], pair[1]


def _sequenced(rng: np.random.Generator, codes: np.ndarray) -> Reads:
    """Give every base its quality and some of them an error."""
    n = len(codes)
    along = np.linspace(0, 1, LENGTH)[:, None]
    low = np.cumsum(FIRST + along * (LAST - FIRST), axis=1)[:, :3]  # [50, 3]: chances of at most this quality
    factor = np.where(rng.random(n) < POOR, 5.0, 1.0)
    draw = rng.random(codes.shape) / factor[:, None]
    level = sum((draw >= low[:, k]).astype(np.uint8) for k in range(3))
    quality = QUALITIES[level]
    wrong = rng.random(codes.shape) < 10.0 ** (-quality / 10)
    codes = np.where(wrong, (codes + rng.integers(1, 4, codes.shape)) % 4, codes)
    return Reads(codes.astype(np.uint8), quality.astype(np.uint8))


def names(library: str, n: int) -> list[str]:
    """The names of n pairs, all of one length."""
    return [f"{library}.{i:08d}" for i in range(1, n + 1)]


def write_fastq(path: str | Path, library: str, mate: int, reads: Reads) -> None:
    """Write gz-packed FASTQ that holds no time and no name; it appears whole or not at all."""
    n = len(reads.codes)
    heads = "".join(f"@{name} {mate}\n" for name in names(library, n)).encode()
    columns = [
        np.frombuffer(heads, dtype=np.uint8).reshape(n, -1),
        _LETTERS[reads.codes],
        np.broadcast_to(np.frombuffer(b"\n+\n", dtype=np.uint8), (n, 3)),
        reads.qualities + 33,
        np.full((n, 1), ord("\n"), dtype=np.uint8),
    ]
    with writing(path, gz=True) as out:
        out.write(np.concatenate(columns, axis=1, dtype=np.uint8).tobytes())
