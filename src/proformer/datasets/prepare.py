"""From published sequence files to an encoded store, and from a store to training and validation splits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from proformer.datasets.parts import CHUNK, by_chromosome, by_file, by_fold, by_group, by_names
from proformer.datasets.store import Store, StoreWriter, open_store
from proformer.datasets.text import Rows
from proformer.errors import InputError
from proformer.files import file_digest
from proformer.sequences import Spans, centre_pad, encode, flank_extent, has_flanks, strand_free_keys
from proformer.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

CHUNK_BYTES = 1 << 26  # rows of profiles are long: fewer of them at once


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
    `medium` if that is given. Several columns of values make as many tasks, named by the first line if it holds names.
    One pass, flat memory. Rows keep their order; the forward strand alone is stored. The
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
    columns = 0
    with StoreWriter(out, meta) as writer:
        for source in sources:
            counts: Counter[str] = Counter(kept=-writer.rows)
            for number, rows in enumerate(measured_rows(source, medium)):
                if number == 0:
                    names, rows = rows.heading()
                    columns = columns or rows.text(0, rows.rest).count("\t") + 1
                    if columns > 1:
                        names = names or [f"task {i + 1}" for i in range(columns)]
                        writer.meta["task"] = asdict(Task("values", tuple(names)))
                values = rows.columns(columns)
                kept, spans, found = layout.trim(rows)
                counts.update(found)
                counts["with_n"] += int(_contain_n(rows, spans))
                writer.append(
                    codes=centre_pad(rows.codes, spans, layout.length),
                    target=values[kept, :, None].astype(np.float32),
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
    fractions: Sequence[float] = (),
    seed: int = 1,
    by: Literal["random", "chromosome"] = "random",
    block: int | None = None,
    *,
    chromosomes: Sequence[Sequence[str]] | None = None,
    folds: tuple[int, int, int | None] | None = None,
    file: Path | None = None,
) -> pd.DataFrame:
    """Draw disjoint parts of a store, the first one for training; returns the counts per part.

    By `fractions` of the rows, "random": a row's part follows from its group and the seed alone, so copies of a
    sequence, and its reverse complement, never straddle parts; or "chromosome": whole contigs, or stretches of `block`
    bp of them, so that overlapping windows never straddle parts either. A fraction of 0 makes an empty part. Or by
    names of `chromosomes`, by `folds` (how many, which one tests, nested ones), or by a `file` (see `datasets.parts`).

    Each header gains mean and sd, per task, of the *training* targets, by which every part is standardised (Proformer,
    Methods).
    """
    import pandas as pd

    store = open_store(source)
    may_be_empty = [False] * len(outs)
    how: dict[str, Any]
    if chromosomes is not None:
        part, how = by_names(store, chromosomes), {"chromosomes": [list(names) for names in chromosomes]}
    elif folds is not None:
        part, how = by_fold(store, *folds, seed), {"folds": list(folds), "seed": seed}
    elif file is not None:
        part, how = by_file(store, file, len(outs)), {"file": file.name, "sha256": file_digest(file, "sha256")}
    else:
        if not fractions or fractions[0] <= 0 or min(fractions) < 0 or sum(fractions) > 1 + 1e-9:
            raise InputError(
                f"split fractions {list(fractions)}: expected numbers of at least 0, the first positive, "
                "that add up to at most 1"
            )
        may_be_empty = [fraction == 0 for fraction in fractions]
        part = by_chromosome(store, fractions, seed, block) if by == "chromosome" else by_group(store, fractions, seed)
        how = {"seed": seed, "fractions": list(fractions), "by": by}
    sizes = [int(np.count_nonzero(part == index)) for index in range(len(outs))]
    for out, size, empty in zip(outs, sizes, may_be_empty, strict=True):
        if size < 2 and not empty:
            raise InputError(f"{source}: {size} rows fall to {out.stem}, of {len(store)} ({how}); need 2")
    moments = [_moments(store, part, index) for index in range(len(outs))]
    mean, sd = moments[0]
    task = replace(store.task, mean=tuple(mean), sd=tuple(sd))
    if task.scale == "standardise" and 0 in sd:
        flat = sd.index(0)
        raise InputError(
            f"{source}: all training targets of {task.names[flat]} are {mean[flat]}; nothing can be learnt from them"
        )
    meta = store.meta | {"task": asdict(task), "split": how}
    for index, out in enumerate(outs):
        with StoreWriter(out, meta) as writer:
            writer.append(**{name: column[:0] for name, column in store.columns.items()})
            for rows, chosen in _chunks(store, part, index):
                writer.append(**{name: column[rows][chosen] for name, column in store.columns.items()})
    return pd.DataFrame(
        {
            "part": [out.stem for out in outs],
            "rows": sizes,
            "distinct": [_distinct(store, part, index) for index in range(len(outs))],
            "mean": [float(np.mean(mean)) for mean, _ in moments],
            "sd": [float(np.mean(sd)) for _, sd in moments],
        }
    )


def _chunks(store: Store, part: np.ndarray, index: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (a slice of rows, which of them belong to part `index`: bool), in order, where there are any."""
    row_bytes = sum(column[:1].nbytes for column in store.columns.values())
    size = min(CHUNK, max(1, CHUNK_BYTES // max(row_bytes, 1)))
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


def _contain_n(rows: Rows, spans: Spans) -> int:
    positions = np.flatnonzero(rows.codes == 4)
    ends = np.searchsorted(positions, spans.starts + spans.lengths)
    return int((ends > np.searchsorted(positions, spans.starts)).sum())
