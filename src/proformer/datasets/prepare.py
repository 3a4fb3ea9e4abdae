"""From published sequence files to an encoded store, and from a store to training and validation splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from proformer.datasets.chromosomes import by_chromosome
from proformer.datasets.store import Store, StoreWriter, open_store
from proformer.datasets.text import Rows, read_rows
from proformer.errors import InputError
from proformer.files import file_digest
from proformer.sequences import Spans, centre_pad, encode, has_flanks, mix, strand_free_keys

CHUNK = 1 << 17


@dataclass(frozen=True)
class Layout:
    """How a construct becomes a row of codes.

    `flanks`: constant nucleotides cut off at the 5' and 3' end; `length`: nucleotides kept per strand, shorter ones
    are padded with N on both sides (Proformer, Methods: 17 + 13 nt, 100). `too_long` and `wrong_flank` say whether
    such rows stop the run ("error") or are left out and counted ("drop").
    """

    length: int = 100
    flanks: tuple[str, str] = ("", "")
    too_long: Literal["error", "drop"] = "error"
    wrong_flank: Literal["error", "drop"] = "error"

    def trim(self, rows: Rows) -> tuple[np.ndarray, Spans, Counter[str]]:
        """Cut the flanks: (indices of the rows kept [m], their spans, counts of what was left out)."""
        rows.check_letters()
        counts: Counter[str] = Counter(rows=len(rows))
        left, right = self.flanks
        good = has_flanks(rows.codes, rows.spans, left, right)
        if not good.all():
            counts["wrong_flank"] = int((~good).sum())
            if self.wrong_flank == "error":
                row = int(np.argmin(good))
                raise rows.fail(row, repr(rows.text(row)), f"a sequence that begins with {left} and ends with {right}")
        kept = np.flatnonzero(good)
        spans = rows.spans.select(kept).shrink(len(left), len(right))
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

    def __post_init__(self) -> None:
        for flank in self.flanks:
            if (encode(flank) > 3).any():
                raise InputError(f"flank {flank!r}: only A, C, G and T can be checked")


def prepare(source: Path, out: Path, layout: Layout) -> pd.DataFrame:
    """Encode one `sequence<TAB>value` file (plain or gz) into a store; returns the counts of what was filtered.

    One pass, flat memory. Rows keep their order; the forward strand alone is stored. The header records the layout
    and the SHA-256 of the source.
    """
    if not source.is_file():
        raise InputError(f"{source}: no such file")
    counts: Counter[str] = Counter()
    meta = {"layout": asdict(layout), "source": {"file": source.name, "sha256": file_digest(source, "sha256")}}
    with StoreWriter(out, meta) as writer:
        for rows in read_rows(source):
            values = rows.values()
            kept, spans, found = layout.trim(rows)
            counts += found
            counts["with_n"] += int(_contain_n(rows, spans))
            writer.append(
                codes=centre_pad(rows.codes, spans, layout.length),
                target=values[kept].astype(np.float32),
                key=strand_free_keys(rows.codes, spans),
            )
        if not writer.rows:
            raise InputError(f"{source}: not one of {counts['rows']} rows is usable (layout: {asdict(layout)})")
    counts["kept"] = writer.rows
    what = ["rows", "wrong_flank", "too_long", "kept", "with_n"]
    return pd.DataFrame({"file": source.name, "what": what, "count": [counts[name] for name in what]})


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
    if min(fractions) <= 0 or sum(fractions) > 1 + 1e-9:
        raise InputError(f"split fractions {list(fractions)}: expected positive numbers that add up to at most 1")
    store = open_store(source)
    if by == "chromosome":
        part = by_chromosome(store, fractions, seed, block)
    else:
        position = mix(np.asarray(store.columns["key"]), seed)
        part = np.searchsorted(np.cumsum(fractions) + 1e-12, position, side="right").astype(np.uint8)
    chosen = [np.flatnonzero(part == index) for index in range(len(outs))]
    for out, rows, fraction in zip(outs, chosen, fractions, strict=True):
        if len(rows) < 2:
            raise InputError(f"{source}: {len(rows)} rows fall to {out.stem} ({fraction:.3g} of {len(store)}); need 2")
    training = store.target[chosen[0]].astype(np.float64)
    if training.std() == 0:
        raise InputError(f"{source}: all training targets are {training[0]}; nothing can be learnt from them")
    standard = {"mean": float(training.mean()), "sd": float(training.std())}
    meta = store.meta | {"standard": standard, "split": {"seed": seed, "fractions": list(fractions), "by": by}}
    for out, rows in zip(outs, chosen, strict=True):
        with StoreWriter(out, meta) as writer:
            for columns in _chunks(store, rows):
                writer.append(**columns)
    return pd.DataFrame(
        {
            "part": [out.stem for out in outs],
            "rows": [len(rows) for rows in chosen],
            "distinct": [len(np.unique(store.columns["key"][rows])) for rows in chosen],
            "mean": [float(store.target[rows].mean(dtype=np.float64)) for rows in chosen],
            "sd": [float(store.target[rows].std(dtype=np.float64)) for rows in chosen],
        }
    )


def _contain_n(rows: Rows, spans: Spans) -> int:
    positions = np.flatnonzero(rows.codes == 4)
    ends = np.searchsorted(positions, spans.starts + spans.lengths)
    return int((ends > np.searchsorted(positions, spans.starts)).sum())


def _chunks(store: Store, rows: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        yield {name: np.asarray(column[chunk]) for name, column in store.columns.items()}
