"""The parts of a data set, as stores of their own; `draws` says which one each row belongs to."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from proformer.datasets.draws import CHUNK, by_chromosome, by_file, by_fold, by_group, by_names
from proformer.datasets.nearest import near_groups
from proformer.datasets.store import Store, StoreWriter, open_store
from proformer.errors import InputError, printable
from proformer.files import file_digest
from proformer.tasks import Task

CHUNK_BYTES = 1 << 26  # of rows at once: fewer than CHUNK where they are long, as profiles are


def split(
    source: str | Path,
    outs: Sequence[str | Path],
    fractions: Sequence[float] = (),
    seed: int = 1,
    by: Literal["random", "chromosome"] = "random",
    block: int | None = None,
    *,
    chromosomes: Sequence[Sequence[str]] | None = None,
    folds: tuple[int, int, int | None] | None = None,
    file: str | Path | None = None,
    near: int = 0,
    nested: tuple[int, int] | None = None,
    parted: Literal["drop", "error"] = "drop",
    stretches: tuple[int, int] | None = None,
    outliers: float = 0.0,
    closed: float | None = None,
    trim: int = 0,
) -> pd.DataFrame:
    """Draw disjoint parts of a store, the first one for training; returns the counts per part.

    By `fractions` of the rows, "random": a row's part follows from its group and the seed alone, so copies of a
    sequence, and its reverse complement, never straddle parts; or "chromosome": whole contigs, or stretches of `block`
    bp of them, so that overlapping windows never straddle parts either. A fraction of 0 makes an empty part. Or by
    names of `chromosomes`, by `folds` (how many, which one tests, nested ones), or by a `file` (see `datasets.parts`).
    near: sequences that differ in at most so many positions, on either strand, fall to one part, too. nested, parted,
    stretches: see `by_names`.

    Of counts and profiles: outliers, the share of windows with the fewest and with the most counts that training and
    validation part do without. closed: they hold only windows of the second file of regions whose counts are below
    this times the 1 % quantile of the first's, from which the enzyme's bias is learned (ChromBPNet). The weight of the
    counts' error becomes a tenth of their median, at least 1. trim: bp by which windows of the third part are shorter,
    as pieces of them are that training reads with a shift; their middle is kept.

    Each header gains mean and sd, per task, of the *training* targets, by which every part is standardised (Proformer,
    Methods).
    """
    store, paths = open_store(source), [Path(out) for out in outs]
    if near:
        group = near_groups(store.codes, store.columns["group"], near)
        store = replace(store, columns={**store.columns, "group": group})
    may_be_empty = [False] * len(paths)
    how: dict[str, Any]
    if chromosomes is not None:
        part, how = (
            by_names(store, chromosomes, nested, parted, stretches),
            {"chromosomes": [list(names) for names in chromosomes]},
        )
        how |= {"nested": list(nested)} if nested else {}
    elif folds is not None:
        part, how = by_fold(store, *folds, seed), {"folds": list(folds), "seed": seed}
    elif file is not None:
        given = Path(file)
        part, how = by_file(store, given, len(paths)), {"file": given.name, "sha256": file_digest(given, "sha256")}
    else:
        if not fractions or fractions[0] <= 0 or min(fractions) < 0 or sum(fractions) > 1 + 1e-9:
            raise InputError(
                f"split fractions {list(fractions)}: expected numbers of at least 0, the first positive, "
                "that add up to at most 1"
            )
        may_be_empty = [fraction == 0 for fraction in fractions]
        part = by_chromosome(store, fractions, seed, block) if by == "chromosome" else by_group(store, fractions, seed)
        how = {"seed": seed, "fractions": list(fractions), "by": by}
    count_weight = store.task.count_weight
    if store.task.kind == "counts and profile":
        counts = _totals(store)
        part = _usual(store, part, counts, outliers, closed, len(paths))
        learned = counts[part < min(2, len(paths))]
        count_weight = max(1.0, float(np.median(learned)) / 10) if len(learned) else count_weight
    sizes = [int(np.count_nonzero(part == index)) for index in range(len(paths))]
    for out, size, empty in zip(paths, sizes, may_be_empty, strict=True):
        if size < 2 and not empty:
            raise InputError(f"{source}: {size} rows fall to {out.stem}, of {len(store)} ({how}); need 2")
    moments = [_moments(store, part, index) for index in range(len(paths))]
    mean, sd = moments[0]
    task = replace(store.task, mean=tuple(mean), sd=tuple(sd), count_weight=count_weight)
    if task.scale == "standardise" and 0 in sd:
        flat = sd.index(0)
        raise InputError(
            f"{source}: all training targets of {task.names[flat]} are {mean[flat]}; nothing can be learnt from them"
        )
    meta = store.meta | {"task": asdict(task), "split": how | ({"near": near} if near else {})}
    for index, out in enumerate(paths):
        margin = trim // 2 if index == 2 else 0
        shorter = {"layout": meta["layout"] | {"length": meta["layout"]["length"] - 2 * margin}} if margin else {}
        with StoreWriter(out, meta | shorter) as writer:
            writer.append(**_middle({name: column[:0] for name, column in store.columns.items()}, task, margin))
            for rows, chosen in _chunks(store, part, index):
                columns = {name: column[rows][chosen] for name, column in store.columns.items()}
                writer.append(**_middle(columns, task, margin))
    return pd.DataFrame(
        {
            "part": [printable(out.stem) for out in paths],
            "rows": sizes,
            "distinct": [_distinct(store, part, index) for index in range(len(paths))],
            "mean": [float(np.mean(mean)) for mean, _ in moments],
            "sd": [float(np.mean(sd)) for _, sd in moments],
        }
    )


def _middle(columns: dict[str, np.ndarray], task: Task, margin: int) -> dict[str, np.ndarray]:
    """Rows without `margin` bp at both ends of their windows, and of profiles."""
    if not margin:
        return columns
    codes, target = columns["codes"], columns["target"]
    columns["codes"] = codes[:, margin : codes.shape[1] - margin]
    if "profile" in task.kind:
        places = margin // (task.bin or 1)
        columns["target"] = target[:, :, places : target.shape[2] - places]
    if "start" in columns:
        columns["start"] = columns["start"] + margin
    return columns


def _totals(store: Store) -> np.ndarray:
    """The counts of each row: float64 [N]."""
    size = max(1, CHUNK_BYTES // store.target[0].nbytes)
    pieces = (store.target[start : start + size] for start in range(0, len(store), size))
    return np.concatenate([piece.sum(axis=(1, 2), dtype=np.float64) for piece in pieces])


def _usual(
    store: Store, part: np.ndarray, counts: np.ndarray, outliers: float, closed: float | None, parts: int
) -> np.ndarray:
    """Parts without unusual rows in training and validation: see `split`."""
    learned = part < min(2, parts)
    odd = np.zeros(len(part), dtype=bool)
    if outliers and learned.any():
        low, high = np.quantile(counts[learned], [outliers, 1 - outliers])
        odd |= (counts < low) | (counts > high)
    if closed is not None:
        if "region_set" not in store.columns:
            raise InputError(f"{store.path}: has windows of one kind, expected those of peaks and of others")
        of_peaks = np.asarray(store.columns["region_set"]) == 0
        limit = closed * np.quantile(counts[learned & of_peaks], 0.01) if (learned & of_peaks).any() else 0.0
        odd |= of_peaks | (counts >= limit)
    return np.where(learned & odd, parts, part).astype(np.uint8)


def _chunks(store: Store, part: np.ndarray, index: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (a slice of rows, which of them belong to part `index`: bool), in order, where there are any."""
    size = min(CHUNK, max(1, CHUNK_BYTES // sum(column[0].nbytes for column in store.columns.values())))
    for start in range(0, len(part), size):
        rows = slice(start, start + size)
        if (chosen := part[rows] == index).any():
            yield rows, chosen


def _moments(store: Store, part: np.ndarray, index: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of the targets of one part, per task, in float64."""
    tasks = range(store.target.shape[1])
    total, square, numbers = np.zeros(len(tasks)), np.zeros(len(tasks)), 0
    for rows, chosen in _chunks(store, part, index):
        target = store.target[rows][chosen]
        numbers += len(target) * target.shape[2]
        total += [target[:, task].ravel().sum(dtype=np.float64) for task in tasks]
    if not numbers:
        return [math.nan] * len(tasks), [math.nan] * len(tasks)
    mean = total / numbers
    for rows, chosen in _chunks(store, part, index):
        target = store.target[rows][chosen]
        square += [((target[:, task].ravel().astype(np.float64) - mean[task]) ** 2).sum() for task in tasks]
    return mean.tolist(), ((square / numbers) ** 0.5).tolist()


def _distinct(store: Store, part: np.ndarray, index: int) -> int:
    """How many sequences of a part differ, strand aside; bucket by bucket, so that memory stays flat."""
    if not (part == index).any():
        return 0
    buckets = 1 + len(store) // (16 * CHUNK)
    count = 0
    for bucket in range(buckets):
        found = (store.columns["group"][rows][chosen] for rows, chosen in _chunks(store, part, index))
        count += len(np.unique(np.concatenate([keys[keys % buckets == bucket] for keys in found])))
    return count
