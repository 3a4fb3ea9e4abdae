"""Lengths of fragments: the first thing that tells an ATAC-seq library from another, before any peak."""

from pathlib import Path

import numpy as np
import pandas as pd

from proformer.atac.fragments import read_fragments

LONGEST = 2000  # bowtie2 -X
SHORT, FEWEST_SHORT = 100, 0.05  # bp between nucleosomes, and the least share of such fragments in any good library


def count_lengths(fragments: Path) -> np.ndarray:
    """Number of fragments of each length, those above `LONGEST` counted there: int64 [LONGEST + 1]."""
    counts = np.zeros(LONGEST + 1, dtype=np.int64)
    for _, starts, ends in read_fragments(fragments):
        counts += np.bincount(np.minimum(ends - starts, LONGEST), minlength=LONGEST + 1)
    return counts


def length_table(counts: np.ndarray, sample: str) -> pd.DataFrame:
    """A library's lengths that occur: sample, length, count."""
    found = np.flatnonzero(counts)
    return pd.DataFrame({"sample": sample, "length": found, "count": counts[found]})


def unlike_atac(counts: np.ndarray) -> str:
    """Why a library does not look like ATAC-seq, or "": Tn5 leaves many fragments shorter than a nucleosome's DNA."""
    share = counts[:SHORT].sum() / max(counts.sum(), 1)
    if share >= FEWEST_SHORT:
        return ""
    return (
        f"it does not look like ATAC-seq: {share:.1%} of the fragments are shorter than {SHORT} bp (expected at least "
        f"{FEWEST_SHORT:.0%}), most have about {int(counts.argmax())} bp; is it ChIP-seq, or selected by size?"
    )
