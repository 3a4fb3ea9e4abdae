"""From published sequence files to an encoded store, and from a store to training and validation splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from proformer.datasets.chromosomes import by_chromosome
from proformer.datasets.store import Store, StoreWriter, open_store
from proformer.datasets.text import Rows
from proformer.errors import InputError
from proformer.files import file_digest
from proformer.sequences import Spans, centre_pad, encode, flank_extent, has_flanks, mix, strand_free_keys
from proformer.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 1 << 17


@dataclass(frozen=True)
class Layout:
    """How a construct becomes a row of codes.

    `flanks`: constant nucleotides cut off at the 5' and 3' end; `length`: nucleotides kept per strand, shorter ones
    are padded with N on both sides (Proformer, Methods: 17 + 13 nt, 100). `too_long` and `wrong_flank` say whether
    such rows stop the run ("error") or are left out and counted ("drop"). A `wrong_flank` of "partial" cuts as much of
    a flank as is there (see `flank_extent`) and keeps the row.
    """

    length: int = 100
    flanks: tuple[str, str] = ("", "")
    too_long: Literal["error", "drop"] = "error"
    wrong_flank: Literal["error", "drop", "partial"] = "error"

    def trim(self, rows: Rows) -> tuple[np.ndarray, Spans, Counter[str]]:
        """Cut the flanks: (indices of the rows kept [m], their spans, counts of what was left out)."""
        rows.check_letters()
        counts: Counter[str] = Counter(rows=len(rows))
        kept, spans = self._cut(rows, counts)
        fits = spans.lengths <= self.length
        if not fits.all():
            counts["too_long"] = int((~fits).sum())
            if self.too_long == "error":
                row = int(np.argmin(fits))
                raise rows.fail(int(kept[row]), f"{spans.lengths[row]} nt after trimming", f"at most {self.length}")
        counts["empty"] = int((spans.lengths == 0).sum())
        if counts["empty"]:
            raise rows.fail(int(kept[np.argmin(spans.lengths)]), "nothing between the flanks", "a sequence")
        return kept[fits], spans.select(fits), counts

    def _cut(self, rows: Rows, counts: Counter[str]) -> tuple[np.ndarray, Spans]:
        left, right = self.flanks
        good = has_flanks(rows.codes, rows.spans, left, right)
        spans = rows.spans.shrink(len(left), len(right))
        odd = np.flatnonzero(~good)
        if not len(odd):
            return np.arange(len(rows)), spans
        if self.wrong_flank == "error":
            row = int(odd[0])
            raise rows.fail(row, repr(rows.text(row)), f"a sequence that begins with {left} and ends with {right}")
        counts["wrong_flank"] = len(odd)
        if self.wrong_flank == "drop":
            return np.flatnonzero(good), spans.select(good)
        for row in odd.tolist():
            start, stop, _ = flank_extent(rows.text(row).upper(), left, right)
            spans.starts[row], spans.lengths[row] = rows.spans.starts[row] + start, stop - start
        return np.arange(len(rows)), spans

    def __post_init__(self) -> None:
        for flank in self.flanks:
            if (encode(flank) > 3).any():
                raise InputError(f"flank {flank!r}: only A, C, G and T can be checked")


def prepare(sources: Path | Sequence[Path], out: Path, layout: Layout, medium: str | None = None) -> pd.DataFrame:
    """Encode files into one store, one after the other; returns the counts of what was filtered, per file.

    Each is `sequence<TAB>value` (plain or gz), or a CSV table of measured promoters (see `datasets.measured`), of
    `medium` if that is given. One pass, flat memory. Rows keep their order; the forward strand alone is stored. The
    header records the layout and the SHA-256 of the sources.
    """
    import pandas as pd

    from proformer.datasets.measured import measured_rows

    sources = [sources] if isinstance(sources, Path) else list(sources)
    for source in sources:
        if not source.is_file():
            raise InputError(f"{source}: no such file")
    digests = [{"file": source.name, "sha256": file_digest(source, "sha256")} for source in sources]
    tables = []
    meta = {"task": asdict(Task()), "layout": asdict(layout), "source": digests[0] if len(digests) == 1 else digests}
    with StoreWriter(out, meta) as writer:
        for source in sources:
            counts: Counter[str] = Counter(kept=-writer.rows)
            for rows in measured_rows(source, medium):
                values = rows.values()
                kept, spans, found = layout.trim(rows)
                counts.update(found)
                counts["with_n"] += int(_contain_n(rows, spans))
                writer.append(
                    codes=centre_pad(rows.codes, spans, layout.length),
                    target=values[kept, None, None].astype(np.float32),
                    group=strand_free_keys(rows.codes, spans),
                )
            counts["kept"] += writer.rows
            if not counts["kept"]:
                raise InputError(f"{source}: not one of {counts['rows']} rows is usable (layout: {asdict(layout)})")
            what = ["rows", "wrong_flank", "too_long", "kept", "with_n"]
            tables.append(pd.DataFrame({"file": source.name, "what": what, "count": [counts[name] for name in what]}))
    return pd.concat(tables, ignore_index=True)


def split(
    source: Path,
    outs: Sequence[Path],
    fractions: Sequence[float],
    seed: int,
    by: Literal["random", "chromosome"] = "random",
    block: int | None = None,
) -> pd.DataFrame:
    """Draw disjoint parts of a store, the first one for training; returns the counts per part.

    "random": a row's part follows from its sequence and the seed alone, so copies of a sequence, and of its reverse
    complement, never straddle parts, and the parts' sizes meet `fractions` up to chance. "chromosome": whole contigs,
    or stretches of `block` bp of them, go to one part (see `by_chromosome`), so that overlapping windows never straddle
    parts either. Each header gains the mean and sd of the *training* targets, by which every part is standardised
    (Proformer, Methods).
    """
    import pandas as pd

    if min(fractions) <= 0 or sum(fractions) > 1 + 1e-9:
        raise InputError(f"split fractions {list(fractions)}: expected positive numbers that add up to at most 1")
    store = open_store(source)
    part = by_chromosome(store, fractions, seed, block) if by == "chromosome" else _draw(store, fractions, seed)
    sizes = [int(np.count_nonzero(part == index)) for index in range(len(outs))]
    for out, size, fraction in zip(outs, sizes, fractions, strict=True):
        if size < 2:
            raise InputError(f"{source}: {size} rows fall to {out.stem} ({fraction:.3g} of {len(store)}); need 2")
    moments = [_moments(store, part, index) for index in range(len(outs))]
    mean, sd = moments[0]
    if sd == 0:
        raise InputError(f"{source}: all training targets are {mean}; nothing can be learnt from them")
    meta = store.meta | {"task": asdict(replace(store.task, mean=(mean,), sd=(sd,)))}
    meta |= {"split": {"seed": seed, "fractions": list(fractions), "by": by}}
    for index, out in enumerate(outs):
        with StoreWriter(out, meta) as writer:
            for rows, chosen in _chunks(part, index):
                writer.append(**{name: column[rows][chosen] for name, column in store.columns.items()})
    return pd.DataFrame(
        {
            "part": [out.stem for out in outs],
            "rows": sizes,
            "distinct": [_distinct(store, part, index) for index in range(len(outs))],
            "mean": [mean for mean, _ in moments],
            "sd": [sd for _, sd in moments],
        }
    )


def _draw(store: Store, fractions: Sequence[float], seed: int) -> np.ndarray:
    """The part of each row, a function of its key and the seed: uint8 [N]; `len(fractions)` stands for none."""
    part = np.empty(len(store), dtype=np.uint8)
    borders = np.cumsum(fractions) + 1e-12
    for start in range(0, len(store), CHUNK):
        keys = np.ascontiguousarray(store.columns["group"][start : start + CHUNK])
        part[start : start + CHUNK] = np.searchsorted(borders, mix(keys, seed), side="right")
    return part


def _chunks(part: np.ndarray, index: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (a slice of rows, which of them belong to part `index`: bool), in order, where there are any."""
    for start in range(0, len(part), CHUNK):
        rows = slice(start, start + CHUNK)
        if (chosen := part[rows] == index).any():
            yield rows, chosen


def _moments(store: Store, part: np.ndarray, index: int) -> tuple[float, float]:
    """Mean and standard deviation of the targets of one part, in float64."""
    size = total = square = 0.0
    for rows, chosen in _chunks(part, index):
        size += int(np.count_nonzero(chosen))
        total += float(store.target[rows][chosen].sum(dtype=np.float64))
    mean = total / size
    for rows, chosen in _chunks(part, index):
        square += float(((store.target[rows][chosen].astype(np.float64) - mean) ** 2).sum())
    return mean, (square / size) ** 0.5


def _distinct(store: Store, part: np.ndarray, index: int) -> int:
    """How many sequences of a part differ, strand aside; bucket by bucket, so that memory stays flat."""
    buckets = 1 + len(store) // (16 * CHUNK)
    count = 0
    for bucket in range(buckets):
        found = (store.columns["group"][rows][chosen] for rows, chosen in _chunks(part, index))
        count += len(np.unique(np.concatenate([keys[keys % buckets == bucket] for keys in found])))
    return count


def _contain_n(rows: Rows, spans: Spans) -> int:
    positions = np.flatnonzero(rows.codes == 4)
    ends = np.searchsorted(positions, spans.starts + spans.lengths)
    return int((ends > np.searchsorted(positions, spans.starts)).sum())
