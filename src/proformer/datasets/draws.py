"""Which part of a data set each row belongs to: uint8 [N], from 0 (training); as many as parts: none.

Rows of one group never fall to different parts: where a unit is larger than a group (a chromosome, a stretch, a fold
that was given), rows of later parts whose group is in an earlier one belong to none.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from proformer.datasets.store import Store
from proformer.errors import InputError
from proformer.files import existing
from proformer.sequences import mix

CHUNK = 1 << 17  # rows at once


def by_group(store: Store, fractions: Sequence[float], seed: int) -> np.ndarray:
    """By a draw that follows from group and seed alone; the parts' sizes meet `fractions` up to chance."""
    part = np.empty(len(store), dtype=np.uint8)
    borders = np.cumsum(fractions) + 1e-12
    for start, groups in _groups(store):
        part[start : start + CHUNK] = np.searchsorted(borders, mix(groups, seed), side="right")
    return part


def by_fold(store: Store, folds: int, test: int, validation: int | None, seed: int) -> np.ndarray:
    """Training, validation and test part of `folds` equal ones, drawn by group and seed.

    Fold `test` is the test part. Without `validation`, the next fold is the validation part; else the other folds'
    rows are drawn again into `validation` folds of their own (nested), of which the first validates.
    """
    if not (folds >= 3 and 0 <= test < folds and (validation is None or validation >= 2)):
        raise InputError(
            f"folds: found {folds}, test fold {test}, {validation} nested; expected at least 3, one of them, at least 2"
        )
    part = np.empty(len(store), dtype=np.uint8)
    for start, groups in _groups(store):
        fold = (mix(groups, seed) * folds).astype(np.int64)
        if validation is None:
            held = fold == (test + 1) % folds
        else:
            held = mix(groups, seed + 1_000_003 * (test + 1)) * validation < 1
        part[start : start + CHUNK] = np.where(fold == test, 2, held)
    return part


def by_names(
    store: Store,
    names: Sequence[Sequence[str]],
    nested: tuple[int, int] | None = None,
    parted: Literal["drop", "error"] = "drop",
    stretches: tuple[int, int] | None = None,
) -> np.ndarray:
    """By chromosomes, or folds that were given: the names of each part's; others belong to none.

    A part without names takes all that are left. nested: names are those of training and test part; the first is drawn
    again, by group, into so many folds, of which one (from 0) is the validation part. parted: rows whose copy or other
    strand is in an earlier part belong to none ("drop"), or are an error. stretches: in place of chromosomes, the names
    are those of folds, 0, 1, …, to which stretches of so many bp of all contigs fall in turn: (bp, folds).
    """
    contig, known = _contigs(store), store.meta.get("contigs", [])
    whole = np.ones(len(store), dtype=bool)
    if stretches:
        if "start" not in store.columns:
            raise InputError(f"{store.path}: found no starts of rows, expected a column `start` to cut into stretches")
        first, size = np.asarray(store.columns["start"]), stretches[0]
        whole = (first + store.codes.shape[1] - 1) // size == first // size
        contig, known = (first // size + contig) % stretches[1], [*map(str, range(stretches[1]))]
    flat = [name for part in names for name in part]
    if unknown := sorted(set(flat) - set(known)):
        raise InputError(f"{store.path}: no chromosome {unknown[0]!r}, nor fold; it has {', '.join(known[:30])}")
    if twice := [name for name in flat if flat.count(name) > 1]:
        raise InputError(f"chromosome {twice[0]!r}: found it in two parts, expected it in one")
    rest = next((number for number, part in enumerate(names) if not part), len(names))
    of_name = np.full(len(known), rest, dtype=np.uint8)
    for number, part in enumerate(names):
        of_name[[known.index(name) for name in part]] = number
    given = np.where(whole, of_name[contig], len(names)).astype(np.uint8)
    kept = _whole_groups(store, given.copy(), len(names))
    if parted == "error" and (count := int((kept != given).sum())):
        row = int(np.argmax(kept != given))
        raise InputError(
            f"{store.path}: found {count:,} sequences whose copy or other strand is in another part (row {row} is the "
            f"first, of {known[contig[row]]}), expected both strands of a window in one fold"
        )
    if nested is None:
        return kept
    folds, validation = nested
    draw = np.concatenate([mix(groups, 1) for _, groups in _groups(store)])
    held = (kept == 0) & ((draw * folds).astype(np.int64) == validation)
    return np.where(held, 1, np.where(kept == 0, 0, kept + 1)).astype(np.uint8)


def by_file(store: Store, path: Path, parts: int) -> np.ndarray:
    """By a file with the number of a part on each line, a line for each row; -1 (or any other number) for none."""
    try:
        given = np.loadtxt(existing(path), dtype=np.int64, ndmin=1)
    except ValueError as error:
        raise InputError(f"{path}: found {str(error)[:80]}, expected a whole number on each line") from None
    if given.shape != (len(store),):
        raise InputError(f"{path}: found {len(given)} lines, expected one for each of {len(store)} rows")
    part = np.where((given >= 0) & (given < parts), given, parts).astype(np.uint8)
    if (_whole_groups(store, part.copy(), parts) != part).any():
        raise InputError(f"{path}: found rows of one group (copies, strands) in two parts, expected them in one")
    return part


def by_chromosome(store: Store, fractions: Sequence[float], seed: int, block: int | None = None) -> np.ndarray:
    """By whole chromosomes, or by stretches of `block` bp of them, drawn by `seed`.

    They are gone through in a random order; each part but the first takes those that bring it nearer to its fraction of
    the rows, at least one (unless its fraction is 0), and the first takes up to its own of what is left. Windows over
    the border of two stretches belong to none. Raises InputError when there are too few.
    """
    contig, none = _contigs(store), len(fractions)
    unit, whole = contig, np.ones(len(store), dtype=bool)
    if block:
        first = np.asarray(store.columns["start"])
        stretch = first // block
        whole = (first + store.codes.shape[1] - 1) // block == stretch
        unit = contig * (int(stretch.max(initial=0)) + 1) + stretch
    names, rows = np.unique(unit, return_inverse=True)
    sizes = np.bincount(rows[whole], minlength=len(names))
    if len(names) < np.count_nonzero(fractions):
        raise InputError(
            f"{store.path}: all windows lie on {len(names)} contig(s), {none} parts need as many; "
            "set a block length (datasets: … block) to split within chromosomes"
        )
    part_of = np.full(len(names), none, dtype=np.uint8)
    order = list(np.random.default_rng(seed).permutation(len(names)))
    for part in [*(part for part in range(1, none) if fractions[part]), 0]:
        wanted = len(store) if part == 0 and sum(fractions) > 1 - 1e-9 else fractions[part] * sizes.sum()
        taken: list[int] = []
        reached = 0
        for name in order:
            if abs(reached + sizes[name] - wanted) < abs(reached - wanted):
                taken.append(name)
                reached += sizes[name]
        taken = taken or [min(order, key=lambda name: sizes[name])]
        part_of[taken] = part
        order = [name for name in order if name not in set(taken)]
    return _whole_groups(store, np.where(whole, part_of[rows], none).astype(np.uint8), none)


def _whole_groups(store: Store, part: np.ndarray, none: int) -> np.ndarray:
    """Rows of later parts whose group is in an earlier one are put to none."""
    group = np.asarray(store.columns["group"])
    for number in range(none - 1):
        part[(part > number) & np.isin(group, group[part == number])] = none
    return part


def _contigs(store: Store) -> np.ndarray:
    if "contig" not in store.columns:
        raise InputError(f"{store.path}: has no column contig; only windows of a genome split by chromosome")
    return np.asarray(store.columns["contig"])


def _groups(store: Store) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, groups) piece by piece."""
    for start in range(0, len(store), CHUNK):
        yield start, np.ascontiguousarray(store.columns["group"][start : start + CHUNK])
