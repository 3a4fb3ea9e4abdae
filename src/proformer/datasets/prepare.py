"""From files of sequences to an encoded store."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from proformer.datasets.store import StoreWriter
from proformer.datasets.text import Rows, first_error_first
from proformer.errors import InputError
from proformer.files import existing, file_digest
from proformer.sequences import MAX_LENGTH, N, Spans, centre_pad, contain, flank_extent, has_flanks, strand_free_keys
from proformer.settings import Flanks, Length
from proformer.tasks import Task

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Layout:
    """How a construct becomes a row of codes.

    flanks: constant nucleotides cut off at the 5' and 3' end. length: nucleotides kept per strand, shorter ones are
    padded with N on both sides (Proformer, Methods: 17 + 13 nt, 100). too_long, wrong_flank: whether such rows stop the
    run ("error") or are left out and counted ("drop"). A `wrong_flank` of "partial" cuts as much of a flank as is there
    (see `flank_extent`) and keeps the row.
    """

    length: Length = 100
    flanks: Flanks = ("", "")
    too_long: Literal["error", "drop"] = "error"
    wrong_flank: Literal["error", "drop", "partial"] = "error"

    def trim(self, rows: Rows, predicting: bool = False) -> tuple[np.ndarray, Spans, Counter[str]]:
        """Cut the flanks: (indices of the rows kept [m], their spans, counts of what was left out).

        predicting: the advice in an error is for `predict`, not for `prepare`.
        """
        return first_error_first(rows, lambda part: self._trim(part, predicting))

    def _trim(self, rows: Rows, predicting: bool) -> tuple[np.ndarray, Spans, Counter[str]]:
        rows.check_letters()
        counts: Counter[str] = Counter(rows=len(rows))
        kept, spans = self._cut(rows, counts, predicting)
        fits = spans.lengths <= self.length
        if not fits.all():
            counts["too_long"] = int((~fits).sum())
            if self.too_long == "error":
                row = int(np.argmin(fits))
                size = spans.lengths[row]
                advice = f"; --length {size} (length: {size}) keeps it, --too-long drop leaves it out"
                expected = f"at most {self.length}{'' if predicting else advice}"
                raise rows.fail(int(kept[row]), f"{size} nt after trimming", expected)
        if not spans.lengths.all():
            raise rows.fail(int(kept[np.argmin(spans.lengths)]), "nothing between the flanks", "a sequence")
        return kept[fits], spans.select(fits), counts

    def _cut(self, rows: Rows, counts: Counter[str], predicting: bool) -> tuple[np.ndarray, Spans]:
        left, right = self.flanks
        good = has_flanks(rows.codes, rows.spans, left, right)
        spans = Spans(rows.spans.starts + len(left), rows.spans.lengths - len(left) - len(right))
        odd = np.flatnonzero(~good)
        if not len(odd):
            return np.arange(len(rows)), spans
        if self.wrong_flank == "error":
            row = int(odd[0])
            flanks = len(left) + len(right)
            short = f", shorter than the flanks' {flanks} nt" if rows.spans.lengths[row] < flanks else ""
            found = f"{rows.text(row)[:200]!r}{short}"
            advice = "--trimmed is for sequences without flanks" if predicting else "--wrong-flank drop leaves it out"
            raise rows.fail(row, found, f"a sequence that begins with {left} and ends with {right}; {advice}")
        counts["wrong_flank"] = len(odd)
        if self.wrong_flank == "drop":
            return np.flatnonzero(good), spans.select(good)
        for row in odd.tolist():
            start, stop, _ = flank_extent(rows.text(row).upper(), left, right)
            spans.starts[row], spans.lengths[row] = rows.spans.starts[row] + start, stop - start
        return np.arange(len(rows)), spans


def prepare(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    layout: Layout | None = None,
    medium: str | None = None,
    *,
    targets: Sequence[str] = (),
    values: str | Path | None = None,
    split_by: str = "",
    repeats: Literal["keep", "drop"] = "keep",
) -> pd.DataFrame:
    """Encode files into one store, one after the other; returns the counts of what was filtered, per file.

    Each is a table or FASTA, plain or gz (see `datasets.rows.read_rows`, also for `targets` and `values`), or a CSV
    table of measured promoters (see `datasets.measured`), of `medium` if that is given. Several columns of values make
    as many tasks, named by the header line. split_by: a column of chromosomes or folds, kept as the store's column
    contig; a column `start` beside it is kept, too. repeats: whether rows are kept, or left out and counted, whose
    sequence, values and chromosome stood above already, in this file or another one. Without a layout, sequences are
    taken whole, padded to the longest. Flat memory (with repeats "drop" some 100 bytes a row); rows keep their order;
    only the forward strand is stored. The header records the layout and the SHA-256 of the sources.

    Raises InputError, with file and line, for the first row that is wrong.
    """
    import pandas as pd

    from proformer.datasets.measured import training_rows

    paths = [existing(source) for source in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    beside = Path(values) if values else None
    layout = layout or Layout(length=longest(paths, Layout(MAX_LENGTH), medium, targets, beside))
    digests = [{"file": path.name, "sha256": file_digest(path, "sha256")} for path in paths]
    meta = {"layout": asdict(layout), "source": digests[0] if len(digests) == 1 else digests}
    tables = []
    task: Task | None = None
    contigs: dict[str, int] = {}
    seen: set[bytes] = set()
    placed: bool | None = None  # whether files say where rows begin on their chromosomes
    with StoreWriter(out, meta) as writer:
        for path in paths:
            counts: Counter[str] = Counter(kept=-writer.rows)
            for rows in training_rows(path, medium, targets, beside, split_by):
                numbers, trimmed = _checked(rows, layout)
                found = Task.named(rows.names, numbers.shape[1])
                task = task or found
                if len(found.names) != len(task.names) or (len(task.names) > 1 and found != task):
                    raise InputError(f"{path}: found the values {', '.join(found.names)}, expected those of {paths[0]}")
                more = {"contig": _contigs(rows, contigs)} if split_by else {}
                placed = rows.start is not None if placed is None else placed
                if placed != (rows.start is not None):
                    what = f"found {'no' if placed else 'a'} column `start`"
                    raise InputError(f"{path}: {what}, expected the columns of {paths[0]}")
                more |= {"start": _starts(rows, rows.start)} if rows.start is not None else {}
                if repeats == "drop":
                    trimmed = _without_repeats(rows, numbers, more.get("contig"), trimmed, seen)
                counts.update(append(writer, layout, rows, numbers[:, :, None], trimmed, **more))
            counts["kept"] += writer.rows
            if not counts["kept"]:
                raise InputError(f"{path}: not one of {counts['rows']} rows is usable (layout: {asdict(layout)})")
            shown = ["rows", "wrong_flank", "too_long", *["repeated"] * (repeats == "drop"), "kept", "with_n"]
            tables.append(pd.DataFrame({"file": path.name, "what": shown, "count": [counts[name] for name in shown]}))
        writer.meta["task"] = asdict(task)  # type: ignore[arg-type]
        writer.meta |= {"contigs": list(contigs)} if split_by else {}
    return pd.concat(tables, ignore_index=True)


def append(
    writer: StoreWriter,
    layout: Layout,
    rows: Rows,
    target: np.ndarray,
    trimmed: tuple[np.ndarray, Spans, Counter[str]],
    **columns: np.ndarray,
) -> Counter[str]:
    """Write rows with their targets, float [n, T, P], as `Layout.trim` has them; returns what was counted.

    columns: further ones, [n, …].
    """
    kept, spans, counts = trimmed
    writer.append(
        codes=centre_pad(rows.codes, spans, layout.length),
        target=target[kept].astype(np.float32),
        group=strand_free_keys(rows.codes, spans),
        **{name: values[kept] for name, values in columns.items()},
    )
    return counts + Counter(with_n=int(contain(rows.codes, spans, N).sum()))


def _contigs(rows: Rows, known: dict[str, int]) -> np.ndarray:
    """The number of each row's chromosome or fold, in the order in which they come: int64 [n]."""
    if rows.contig is None:
        raise InputError(f"{rows.path}: found no column of chromosomes or folds to split by")
    if not rows.contig.lengths.all():
        row = int(np.argmin(rows.contig.lengths))
        raise rows.fail(row, "an empty cell", "the chromosome or fold that the row is split by")
    names = (rows.text(row, rows.contig) for row in range(len(rows)))
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def _starts(rows: Rows, column: Spans) -> np.ndarray:
    """Where each row begins on its chromosome: int64 [n]."""
    starts = replace(rows, targets=(column,), names=("start",)).values()
    wrong = (starts < 0) | (starts % 1 != 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise rows.fail(row, f"the start {rows.text(row, column)!r}", "a whole number from 0 on")
    return starts.astype(np.int64)


def _without_repeats(
    rows: Rows,
    numbers: np.ndarray,
    contig: np.ndarray | None,
    trimmed: tuple[np.ndarray, Spans, Counter[str]],
    seen: set[bytes],
) -> tuple[np.ndarray, Spans, Counter[str]]:
    """What `Layout.trim` keeps without rows that are among those seen, to which the others are added."""
    kept, spans, counts = trimmed
    new = np.ones(len(kept), dtype=bool)
    for place, row in enumerate(kept.tolist()):
        where = -1 if contig is None else int(contig[row])
        whole = repr((rows.text(place, spans).upper(), numbers[row].tolist(), where))
        key = blake2b(whole.encode(), digest_size=16).digest()
        new[place] = key not in seen
        seen.add(key)
    return kept[new], spans.select(new), counts + Counter(repeated=int((~new).sum()))


def longest(
    paths: Sequence[Path],
    layout: Layout,
    medium: str | None = None,
    targets: Sequence[str] = (),
    values: Path | None = None,
) -> int:
    """The length of the longest sequence in files, flanks cut off."""
    from proformer.datasets.measured import training_rows

    layout = replace(layout, length=MAX_LENGTH)
    pieces = (rows for path in paths for rows in training_rows(path, medium, targets, values))
    return max(int(_checked(rows, layout)[1][1].lengths.max(initial=1)) for rows in pieces)


def _checked(rows: Rows, layout: Layout) -> tuple[np.ndarray, tuple[np.ndarray, Spans, Counter[str]]]:
    """Values and trimmed sequences of rows, whose first wrong row is named, whatever is wrong with it."""
    return first_error_first(rows, lambda part: (part.numbers(), layout.trim(part)))
