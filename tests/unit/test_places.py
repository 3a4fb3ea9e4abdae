"""Where windows lie, against the rules of Toneyan et al. (2022) written down plainly, on random toy genomes."""

from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from proformer.atac.contigs import Genome
from proformer.datasets import places

LENGTHS = (60, 7, 33)
INTERVALS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 59), st.integers(1, 30)).map(
        lambda x: (x[0], min(x[1], LENGTHS[x[0]] - 1), min(x[1] + x[2], LENGTHS[x[0]]))
    ),
    max_size=8,
).map(
    lambda rows: pd.DataFrame(
        [row for row in rows if row[2] > row[1]], columns=["contig", "start", "end"], dtype=np.int64
    )
)


def genome():
    none = np.zeros(3, dtype=np.int64)
    return Genome("toy.fa", ["a", "b", "c"], np.array(LENGTHS), none, none + 1, none + 1, none)


def plain_tiles(gaps, window, exclude=()):
    """Walk along every contig, base by base."""
    found = []
    for contig, length in enumerate(LENGTHS):
        if "abc"[contig] in exclude:
            continue
        free = [
            not any(row.contig == contig and row.start <= at < row.end for row in gaps.itertuples())
            for at in range(length)
        ]
        run = 0
        for at in range(length):
            run = run + 1 if free[at] else 0
            if run == window:
                found.append((contig, at - window + 1))
                run = 0
    return found


def plain_merge(midpoints, length, window, overlap):
    """Merge the two neighbours that overlap most, from the beginning, until none overlap enough."""

    def start_of(middle):
        start = max(0, middle - window // 2)
        return length - window if start + window > length else start

    peaks = [(start, {task}) for start, task in sorted((start_of(middle), task) for middle, task in midpoints)]
    while len(peaks) > 1:
        overlaps = [left[0] + window - right[0] for left, right in pairwise(peaks)]
        if max(overlaps) < overlap:
            break
        at = overlaps.index(max(overlaps))
        (a, of_a), (b, of_b) = peaks[at : at + 2]
        middle = int(0.5 + np.average([a + window // 2, b + window // 2], weights=[1 + len(of_a), 1 + len(of_b)]))
        peaks[at : at + 2] = [(start_of(middle), of_a | of_b)]
    return peaks


def pairs(table):
    return list(table[["contig", "start"]].itertuples(index=False, name=None))


@given(gaps=INTERVALS, window=st.integers(1, 12))
def test_tiles_begin_anew_behind_every_gap(gaps, window):
    stretches = places.between_gaps(genome(), gaps)
    assert pairs(places.tiles(stretches, window)) == plain_tiles(gaps, window)
    assert pairs(places.tiles(places.between_gaps(genome(), gaps, ["a"]), window)) == plain_tiles(gaps, window, "a")


@given(first=INTERVALS, second=INTERVALS, window=st.integers(2, 20).map(lambda n: 2 * n), overlap=st.integers(1, 20))
def test_peaks_that_overlap_most_are_merged_first(first, second, window, overlap):
    found, labels = places.merged([first, second], np.array(LENGTHS), window, overlap)
    expected = []
    for contig, length in enumerate(LENGTHS):
        if length >= window:
            both = [
                ((row.start + row.end) // 2, task)
                for task, table in enumerate((first, second))
                for row in table.itertuples()
                if row.contig == contig
            ]
            expected += [(contig, start, tasks) for start, tasks in plain_merge(both, length, window, overlap)]
    tasks = [set(np.flatnonzero(row)) for row in labels]
    assert [(*place, task) for place, task in zip(pairs(found), tasks, strict=True)] == expected


@given(peaks=INTERVALS, window=st.integers(1, 12))
def test_a_window_has_a_label_where_a_peak_has_its_middle(peaks, window):
    tiles = places.tiles(places.between_gaps(genome()), window)
    found = places.labels(tiles, window, [peaks])[:, 0]
    for (contig, start), label in zip(pairs(tiles), found, strict=True):
        middles = [(row.start + row.end) // 2 for row in peaks.itertuples() if row.contig == contig]
        assert label == any(start <= middle < start + window for middle in middles)


@given(intervals=INTERVALS)
def test_the_union_covers_the_same_bases_without_touching(intervals):
    found = places.union(intervals)

    def bases(table):
        return {(row.contig, at) for row in table.itertuples() for at in range(row.start, row.end)}

    assert bases(found) == bases(intervals)
    for _, own in found.groupby("contig"):
        assert (own["start"].to_numpy()[1:] > own["end"].to_numpy()[:-1]).all()
