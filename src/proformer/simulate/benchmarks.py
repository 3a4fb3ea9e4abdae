"""Simulated Drosophila enhancers and human regulatory elements, in the published formats, with known causes.

Every sequence is random, with sites planted on either strand. A feature is the number of a motif's sites on both
strands, f = Σ sites; D, H and S are sums of f over a developmental, a housekeeping and a shared set of motifs, each
brought to mean 0 and sd 1.

Enhancers (`drosophila.tsv`): windows of 249 nt on five chromosome arms, once for each strand with the same labels, as
published. Signals are √.51·D + √.49·S and √.51·H + √.49·S, three quarters of the variance of the labels; the rest is
noise. sd 1.54 and 1.65, and r = .37 between the programmes, are those of the published samples.

Elements (`HepG2_clean.tsv` and two more): 200 nt between adapters, in both orientations, ten folds. Cells share half of
each signal and have half of their own. One motif counts by its strand (sites on the given strand less those on the
other): orientations differ by it, so that they correlate with r = .8. Sizes are as 140 : 226 : 56.

`ceilings.tsv`: r and ρ of the signals with the labels, by file and task: what a perfect model reaches.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.metrics import spearman
from proformer.files import write_table
from proformer.sequences import N, decode, encode, reverse_complement
from proformer.simulate.promoters import stream

ARMS = ("chr2L", "chr2R", "chr3L", "chr3R", "chrX")
PROGRAMMES = ("Dev_log2_enrichment", "Hk_log2_enrichment")
SPREAD, SHARED, SIGNAL = (1.54, 1.65), 0.49, 0.75  # sd of the labels; shares of the signal, and of the labels
DEVELOPMENTAL, HOUSEKEEPING, BOTH = ("TGAGTCA", "CACATGT"), ("TATCGATA", "GGTCACAC"), ("GAGAGAG", "ATTTGCAT")
CELLS = {"HepG2": (140, ("GTTAATNATTAAC", "CAAAGTCCA")), "K562": (226, ("AGATAAG", "CACCCTC")),
         "WTC11": (56, ("TTTGCATAA", "CATTGTTA"))}  # fmt: skip
COMMON, STRANDED = ("TGACTCA", "CCGGAAGT", "GCGCATGC"), "TATAAAAG"
ADAPTERS = ("AGGACCGGATCAACT", "CATTGCGTGAACCGA")
ELEMENT_SPREAD, ORIENTATION, ERROR = 1.08, 0.05, 0.1  # sd of the labels; shares of their variance
FOLDS = 10
SITES = 1.2  # of each motif in a sequence, on average


def write_benchmarks(folder: str | Path, enhancers: int, elements: int, seed: int) -> None:
    """Write all files into `folder`: so many windows of enhancers, and elements of HepG2; same seed, same bytes.

    Raises InputError for numbers out of range.
    """
    if min(enhancers, elements) < 50 or seed < 0:
        found = f"found {enhancers} enhancers and {elements} elements with seed {seed}"
        raise InputError(f"{found}, expected at least 50 of each and a seed from 0 on")
    table, ceilings = _enhancers(enhancers, stream(seed, 400))
    write_table(Path(folder) / "drosophila.tsv", table)
    for number, (cell, (size, own)) in enumerate(CELLS.items()):
        count = _count(elements, size)
        table, more = _elements(f"{cell}_clean", count, own, stream(seed, 401, number))
        write_table(Path(folder) / f"{cell}_clean.tsv", table)
        ceilings += more
    write_table(Path(folder) / "ceilings.tsv", pd.DataFrame(ceilings, columns=["file", "task", "metric", "value"]))


def rows_of(file: str, enhancers: int, elements: int) -> int:
    """How many rows a file of `write_benchmarks` has: two for each window and element."""
    cell = file.removesuffix("_clean")
    return 2 * (_count(elements, CELLS[cell][0]) if cell in CELLS else enhancers)


def _count(elements: int, size: int) -> int:
    return max(20, elements * size // CELLS["HepG2"][0])


def _enhancers(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, list[tuple[str, str, str, float]]]:
    codes = _planted(rng, n, 249, (*DEVELOPMENTAL, *HOUSEKEEPING, *BOTH))
    shared = _sum_of(codes, BOTH)
    own = [_sum_of(codes, motifs) for motifs in (DEVELOPMENTAL, HOUSEKEEPING)]
    # Sites take room from each other: what follows from the shared ones is taken off the others.
    own = [_standardised(part - (part * shared).mean() * shared) for part in own]
    signals = [np.sqrt(1 - SHARED) * part + np.sqrt(SHARED) * shared for part in own]
    labels = [
        sd * (np.sqrt(SIGNAL) * signal + np.sqrt(1 - SIGNAL) * rng.standard_normal(n)).round(6)
        for sd, signal in zip(SPREAD, signals, strict=True)
    ]
    arms = np.array(ARMS)[rng.integers(0, len(ARMS), n)]
    start = 1 + 1000 * np.arange(n)
    both = []
    for strand, seen in (("+", codes), ("-", reverse_complement(codes))):
        place = [f"{arm}_{a}_{a + 248}_{strand}_window" for arm, a in zip(arms, start, strict=True)]
        columns = {"seqnames": arms, "start": start, "end": start + 248, "ID": place, "set": "Train"}
        both.append(
            pd.DataFrame(
                columns | {"Sequence": [decode(row) for row in seen]} | dict(zip(PROGRAMMES, labels, strict=True))
            )
        )
    table = pd.concat(both).sort_values(["start", "ID"], ignore_index=True)
    found = [_ceilings("drosophila", *each) for each in zip(PROGRAMMES, signals, labels, strict=True)]
    return table, [row for rows in found for row in rows]


def _elements(
    file: str, n: int, own: tuple[str, ...], rng: np.random.Generator
) -> tuple[pd.DataFrame, list[tuple[str, str, str, float]]]:
    codes = _planted(rng, n, 200, (*COMMON, *own, STRANDED))
    strength = _standardised(_sum_of(codes, COMMON) + _sum_of(codes, own))
    turned = _standardised(
        _sites(codes, STRANDED, both=False) - _sites(reverse_complement(codes), STRANDED, both=False)
    )
    fold, tables, signals = rng.integers(0, FOLDS, n), [], []
    for sign, ending, seen in ((1, "_F", codes), (-1, "_Reversed:", reverse_complement(codes))):
        signal = np.sqrt(1 - ORIENTATION - ERROR) * strength + sign * np.sqrt(ORIENTATION) * turned
        label = ELEMENT_SPREAD * (signal + np.sqrt(ERROR) * rng.standard_normal(n))
        text = [f"{ADAPTERS[0]}{decode(row)}{ADAPTERS[1]}" for row in seen]
        names = [f"seq{number}{ending}" for number in range(n)]
        tables.append(pd.DataFrame({"seq_id": names, "seq": text, "mean_value": label.round(3), "fold": fold}))
        signals.append(signal)
    table = pd.concat(tables, ignore_index=True)
    return table, _ceilings(file, "mean_value", np.concatenate(signals), table["mean_value"].to_numpy())


def _planted(rng: np.random.Generator, n: int, length: int, motifs: tuple[str, ...]) -> np.ndarray:
    """Random sequences with sites of motifs on either strand: codes uint8 [n, length]."""
    codes = rng.integers(0, 4, (n, length), dtype=np.uint8)
    for motif in motifs:
        site = encode(motif)
        site = np.where(site < N, site, 0).astype(np.uint8)
        rows = np.repeat(np.arange(n), rng.poisson(SITES, n))
        starts = rng.integers(0, length - len(site) + 1, len(rows))
        sites = np.where(rng.random(len(rows))[:, None] < 0.5, site, reverse_complement(site))
        codes[rows[:, None], starts[:, None] + np.arange(len(site))] = sites
    return codes


def _sites(codes: np.ndarray, motif: str, both: bool = True) -> np.ndarray:
    """How often a motif occurs (an N of it is any base), on both strands or one: float64 [n]."""
    site = encode(motif)
    windows = np.lib.stride_tricks.sliding_window_view(codes, len(site), axis=1)
    strands = [site, reverse_complement(site)] if both else [site]
    found = [((windows == each) | (each == N)).all(axis=2).sum(axis=1) for each in strands]
    return np.sum(found, axis=0).astype(np.float64)


def _sum_of(codes: np.ndarray, motifs: tuple[str, ...]) -> np.ndarray:
    """The number of sites of several motifs, mean 0 and sd 1: float64 [n]."""
    return _standardised(np.sum([_sites(codes, motif) for motif in motifs], axis=0))


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / max(values.std(), 1e-9)


def _ceilings(file: str, task: str, signal: np.ndarray, label: np.ndarray) -> list[tuple[str, str, str, float]]:
    r = float(np.corrcoef(signal, label)[0, 1])
    return [(file, task, "pearson", r), (file, task, "spearman", spearman(signal, label))]
