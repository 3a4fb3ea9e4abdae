"""Where windows of a genome lie: tiles of its stretches between gaps, merged peaks, or the middles of given regions.

Places are tables of `contig` (a position in the genome's names) and `start`, stretches have an `end`, too: int64.
"""

import heapq
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome, translate
from proformer.atac.fragments import bed_lines
from proformer.errors import InputError
from proformer.units import whole_number


def read_intervals(
    path: Path, genome: Genome, contig_names: str | None = None, lost: list[str] | None = None
) -> pd.DataFrame:
    """The intervals of a BED or narrowPeak file: contig, start, end, and their middle (narrowPeak: the summit).

    Those on contigs that the genome lacks are left out; their contigs are appended to `lost`. Raises InputError, with
    the line, for what is no interval, or lies over the end of its contig.
    """
    rows = []
    for number, line, fields in bed_lines(path):
        start, end = map(whole_number, [*fields, "", ""][1:3])
        summit = whole_number(fields[9]) if len(fields) > 9 and fields[9] != "-1" else None
        if start is None or end is None or end <= start:
            raise InputError(
                f"{path}, line {number}: found {line[:60]!r}, expected contig, start, and an end behind it"
            )
        rows.append((fields[0], start, end, (start + end) // 2 if summit is None else start + summit, number))
    table = pd.DataFrame(rows, columns=["contig", "start", "end", "middle", "line"])
    names = translate(table["contig"], contig_names, genome.names, path)
    if lost is not None:
        lost += [name for name in table["contig"] if name not in names]
    table["contig"] = genome.index(names.get(name, "") for name in table["contig"])
    table = table[table["contig"] >= 0]
    over = table[["end", "middle"]].max(axis=1) > genome.lengths[table["contig"]]
    if over.any():
        row = table[over].iloc[0]
        name, length = genome.names[row["contig"]], genome.lengths[row["contig"]]
        found = f"an interval from {row['start']} to {row['end']}, or its summit, over the contig's end"
        raise InputError(f"{path}, line {row['line']}: found {found}, expected it in {name} with {length} bp")
    return table.drop(columns="line").reset_index(drop=True)


def between_gaps(genome: Genome, gaps: pd.DataFrame | None = None, exclude: Collection[str] = ()) -> pd.DataFrame:
    """The stretches of contigs (but for `exclude`) outside the gaps: contig, start, end."""
    found = []
    for contig, (name, length) in enumerate(zip(genome.names, genome.lengths.tolist(), strict=True)):
        if name in exclude:
            continue
        own = union(gaps[gaps["contig"] == contig]) if gaps is not None else pd.DataFrame({"start": [], "end": []})
        starts, ends = [0, *own["end"]], [*own["start"], length]
        found += [(contig, start, end) for start, end in zip(starts, ends, strict=True) if end > start]
    return pd.DataFrame(found, columns=["contig", "start", "end"]).astype(np.int64)


def union(intervals: pd.DataFrame) -> pd.DataFrame:
    """Stretches that intervals cover together: contig, start, end; those that touch are one."""
    table = intervals.sort_values(["contig", "start"], ignore_index=True)
    before = table.groupby("contig")["end"].cummax().groupby(table["contig"]).shift(fill_value=-1)
    stretch = (table["start"] > before).cumsum()
    return table.groupby(stretch).agg({"contig": "first", "start": "min", "end": "max"}).reset_index(drop=True)


def tiles(stretches: pd.DataFrame, window: int) -> pd.DataFrame:
    """Windows side by side from the beginning of each stretch on; what is left at its end belongs to none."""
    contig, start, end = (stretches[column].to_numpy(np.int64) for column in ("contig", "start", "end"))
    number = (end - start) // window
    place = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return pd.DataFrame({"contig": np.repeat(contig, number), "start": np.repeat(start, number) + place * window})


def centred(middles: pd.DataFrame, window: int) -> pd.DataFrame:
    """Windows around the column `middle`; they may reach over their contig's ends."""
    return pd.DataFrame({"contig": middles["contig"], "start": middles["middle"] - window // 2})


def merged(
    peaks: Sequence[pd.DataFrame], lengths: np.ndarray, window: int, overlap: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Windows around the peaks of T tasks, overlapping ones merged; and which tasks have a peak in each: bool [n, T].

    Peaks are reduced to their midpoints and widened to `window`, shifted inwards at the ends of contigs. While two
    neighbours overlap by `overlap` or more, the two that overlap most (of several, the first) become one, whose
    midpoint is the mean of theirs, weighted by one more than their numbers of tasks (Toneyan et al. 2022, Methods;
    Basset's preprocessing). Contigs shorter than a window have none.
    """
    every = pd.concat([table.assign(task=task) for task, table in enumerate(peaks)], ignore_index=True)
    every = every[lengths[every["contig"]] >= window]
    last = lengths[every["contig"]] - window
    every["start"] = ((every["start"] + every["end"]) // 2 - window // 2).clip(0, last)
    rows, labels = [], []
    for contig, table in every.sort_values(["contig", "start", "task"]).groupby("contig"):
        starts, tasks = table["start"].tolist(), [frozenset([task]) for task in table["task"]]
        for start, own in _merged(starts, tasks, int(lengths[contig]), window, overlap):
            rows.append((contig, start))
            labels.append([task in own for task in range(len(peaks))])
    return pd.DataFrame(rows, columns=["contig", "start"], dtype=np.int64), np.array(labels, dtype=bool).reshape(
        -1, len(peaks)
    )


def _merged(
    starts: list[int], sets: list[frozenset[int]], length: int, window: int, overlap: int
) -> list[tuple[int, frozenset[int]]]:
    """Starts and tasks of the merged windows of one contig, from those of its peaks, in order.

    A queue holds every two neighbours by their overlap, and forgets those of which one has been merged meanwhile.
    """
    after, before = [*range(1, len(starts)), -1], [-1, *range(len(starts) - 1)]
    there = [True] * len(starts)

    def pair(left: int) -> tuple[int, int, int, int, int]:
        right = after[left]
        return starts[right] - starts[left] - window, left, right, starts[left], starts[right]

    queue = [pair(left) for left in range(len(starts) - 1)]
    heapq.heapify(queue)
    while queue and -queue[0][0] >= overlap:
        _, left, right, *known = heapq.heappop(queue)
        if not (there[left] and there[right]) or known != [starts[left], starts[right]]:
            continue
        weights = 1 + len(sets[left]), 1 + len(sets[right])
        total = sum((start + window // 2) * weight for start, weight in zip(known, weights, strict=True))
        starts[left] = min(max(0, int(0.5 + total / sum(weights)) - window // 2), length - window)
        sets[left], there[right] = sets[left] | sets[right], False
        after[left] = after[right]
        if after[left] >= 0:
            before[after[left]] = left
        for first in (before[left], left):
            if first >= 0 and after[first] >= 0:
                heapq.heappush(queue, pair(first))
    return [(start, tasks) for start, tasks, kept in zip(starts, sets, there, strict=True) if kept]


def labels(places: pd.DataFrame, window: int, peaks: Sequence[pd.DataFrame]) -> np.ndarray:
    """Whether the middle of a peak of each task lies in a window: bool [n, T]."""
    found = np.zeros((len(places), len(peaks)), dtype=bool)
    for task, table in enumerate(peaks):
        for contig, own in table.groupby("contig"):
            rows = np.flatnonzero(places["contig"] == contig)
            start = places["start"].to_numpy()[rows]
            middle = np.sort((own["start"] + own["end"]) // 2)
            found[rows, task] = np.searchsorted(middle, start + window) > np.searchsorted(middle, start)
    return found


def peaks_of(files: Mapping[str, Path], genome: Genome, contig_names: str | None = None) -> dict[str, pd.DataFrame]:
    """The peaks of each task; raises InputError for a file without any."""
    found = {name: read_intervals(path, genome, contig_names) for name, path in files.items()}
    if empty := next((name for name, table in found.items() if table.empty), None):
        raise InputError(f"{files[empty]}: found no peak on a contig of {genome.path}, expected at least one")
    return found
