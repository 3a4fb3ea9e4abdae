"""Splitting windows of a genome so that nothing leaks: whole chromosomes, or long stretches of them, stay together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from proformer.datasets.store import Store
from proformer.errors import InputError


def by_chromosome(store: Store, fractions: Sequence[float], seed: int, block: int | None = None) -> np.ndarray:
    """The part of each row: uint8 [N], equal for all rows of a contig, or of a stretch of `block` bp.

    Contigs are gone through in an order drawn by `seed`; each part but the first takes those that bring it nearer to
    its fraction of the rows, at least one, and the first takes up to its own of what is left. `len(fractions)` stands
    for rows of no part: those beyond the fractions, windows over the border of two stretches, and rows of a later
    part whose sequence (or reverse complement) is in the first. Raises InputError when there are too few contigs.
    """
    if "contig" not in store.columns:
        raise InputError(f"{store.path}: has no column contig; only windows of a genome split by chromosome")
    contig = np.asarray(store.columns["contig"])
    none = len(fractions)
    unit, whole = contig, np.ones(len(store), dtype=bool)
    if block:
        first = np.asarray(store.columns["start"])
        stretch = first // block
        whole = (first + store.codes.shape[1] - 1) // block == stretch
        unit = contig * (int(stretch.max(initial=0)) + 1) + stretch
    names, rows = np.unique(unit, return_inverse=True)
    sizes = np.bincount(rows[whole], minlength=len(names))
    if len(names) < none:
        raise InputError(
            f"{store.path}: all windows lie on {len(names)} contig(s), {none} parts need as many; "
            "set a block length (datasets: … block) to split within chromosomes"
        )
    part_of = np.full(len(names), none, dtype=np.uint8)
    order = list(np.random.default_rng(seed).permutation(len(names)))
    for part in [*range(1, none), 0]:
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
    part = np.where(whole, part_of[rows], none).astype(np.uint8)
    group = np.asarray(store.columns["group"])
    part[(part > 0) & np.isin(group, group[part == 0])] = none
    return part
