"""From a genome and its tracks to a store of windows with the coverage of each track (Toneyan et al. 2022, Methods)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome, check_excluded
from proformer.atac.signal import Signal
from proformer.datasets import places
from proformer.datasets.prepare import Layout
from proformer.datasets.store import StoreWriter
from proformer.errors import InputError
from proformer.files import file_digest
from proformer.sequences import MAX_LENGTH, Spans, strand_free_keys
from proformer.settings import Count, CountOrZero
from proformer.tasks import Task

CHUNK_BYTES = 1 << 26  # of the coverage of the windows that are read at once
Kind = Literal["profile", "counts and profile", "binary"]
Rows = Literal["tiles", "peaks", "regions"]


@dataclass(frozen=True)
class Windows:
    """Which windows of a genome are rows, and what of them is the target.

    window: bp of a row. target: bp in its middle whose coverage is the target (None: all). bin: bp of a position of
    the target: the mean of its coverage, or the sum of counts.
    rows: "tiles": windows side by side from the start of each stretch between gaps; "peaks": where peaks are, merged
    while they overlap by `merge` bp; "regions": around the middles (narrowPeak: summits) of given regions.
    kind: of the task. "binary": 1 for windows with a peak of a task.
    threshold: windows are left out whose greatest value of all tracks and bases is not above it, compared in float16
    as the paper's code does (None: none). test_threshold: the same on `test`, the contigs of the test part.
    float16: targets take half the space, and have three digits.
    """

    window: Count = 3072
    target: Count | None = None
    bin: Count = 1
    rows: Rows = "tiles"
    kind: Kind = "profile"
    threshold: float | None = None
    test_threshold: float | None = None
    test: tuple[str, ...] = ()
    merge: CountOrZero = 200
    float16: bool = False

    def __post_init__(self) -> None:
        if self.window > MAX_LENGTH:
            raise InputError(f"found {self.window} bp, expected at most {MAX_LENGTH:,}")
        if self.middle > self.window or (self.window - self.middle) % 2:
            raise InputError(f"found a target of {self.middle} bp in windows of {self.window}, expected a middle")
        if self.rows == "peaks" and self.merge > self.window:
            raise InputError(f"found merge: {self.merge}, expected at most the window's {self.window} bp")
        if self.middle % self.bin:
            raise InputError(f"found bins of {self.bin} bp, which do not divide {self.middle} bp of the target")

    @property
    def middle(self) -> int:
        """Bases of the target."""
        return self.target or self.window


def make_coverage(
    genome: Genome,
    tracks: Mapping[str, Path],
    out: Path,
    plan: Windows,
    *,
    peaks: Mapping[str, Path] | None = None,
    regions: Sequence[Path] = (),
    compared: Mapping[str, Mapping[str, Path]] | None = None,
    gaps: Path | None = None,
    exclude: Collection[str] = (),
    contig_names: str | None = None,
) -> pd.DataFrame:
    """Write the store of windows, and return the counts of what was left out: what, count.

    tracks: task → bigWig; peaks: task → BED. Columns of the store: codes uint8 [N, window], target float [N, T, P],
    group, contig (a position in meta["contigs"]), start; label uint8 [N, T] where peaks are given: whether the middle
    of one lies in the window; for regions, `region_set`, which of the files a row is from; and compared_0, …: further
    tracks of each task, such as a second replicate's, that are scored as if they were predictions (names in
    meta["compared"]; NaN for tasks without one). Rows are in the order of the genome; memory is that of a piece of it.

    Raises InputError for tracks and peaks that do not fit each other or the genome, and where nothing is left.
    """
    names = tuple(tracks if plan.kind != "binary" else peaks or {})
    if not names or (plan.kind != "binary" and peaks and list(peaks) != list(tracks)):
        found = f"tracks {', '.join(tracks) or 'none'}; peaks {', '.join(peaks or {}) or 'none'}"
        raise InputError(f"{found}; expected {'peaks' if plan.kind == 'binary' else 'the same tasks of both'}")
    for other, own in (compared or {}).items():
        if not own or not set(own) <= set(tracks):
            raise InputError(
                f"compared: {other}: found tracks of {', '.join(own)}, expected some of {', '.join(tracks)}"
            )
    check_excluded([*exclude, *plan.test], genome.names)
    signals = [Signal(path, genome, contig_names) for path in tracks.values()]
    others = [
        [Signal(own[name], genome, contig_names) if name in own else None for name in names]
        for own in (compared or {}).values()
    ]
    files = [*tracks.values(), *(peaks or {}).values()]
    if twice := next((file for file in files if files.count(file) > 1), None):
        raise InputError(f"{twice}: found it for two tasks, expected a file for each")
    called = list(places.peaks_of(peaks or {}, genome, contig_names).values())
    counts: dict[str, int] = {}
    rows, label = _rows(genome, plan, called, regions, gaps, exclude, contig_names, counts)
    given = [*files, *regions, *(path for own in (compared or {}).values() for path in own.values())]
    given += [gaps] if gaps else []
    source = [{"file": path.name, "sha256": file_digest(path, "sha256")} for path in given]
    task = Task(plan.kind, names, bin=None if plan.kind == "binary" else plan.bin)
    meta: dict[str, object] = {"task": asdict(task), "layout": asdict(Layout(plan.window)), "contigs": genome.names}
    meta |= {"windows": asdict(plan), "genome": genome.path.name, "source": source, "compared": [*(compared or {})]}
    limits = _limits(rows, genome, plan) if signals else None
    size = max(1, CHUNK_BYTES // (plan.window * 4 * max(1, len(signals))))
    low = 0
    with StoreWriter(out, meta) as writer:
        for first in range(0, len(rows), size):
            piece = rows.iloc[first : first + size]
            contig, start = piece["contig"].to_numpy(), piece["start"].to_numpy()
            values = _read(signals, contig, start, plan.window)
            keep = np.arange(len(piece))
            if limits is not None:
                greatest = values.max(axis=(1, 2)).astype(np.float16)
                keep = np.flatnonzero(greatest > limits[first : first + size])
            low += len(piece) - len(keep)
            kept = keep + first
            codes = genome.codes(contig[keep], start[keep], plan.window)
            spans = Spans(np.arange(len(codes)) * plan.window, np.full(len(codes), plan.window))
            writer.append(
                codes=codes,
                target=label[kept, :, None].astype(np.float32)
                if plan.kind == "binary"
                else _target(values[keep], plan),
                group=strand_free_keys(codes.ravel(), spans),
                contig=contig[keep],
                start=start[keep],
                **{
                    f"compared_{number}": _target(_read(own, contig[keep], start[keep], plan.window), plan)
                    for number, own in enumerate(others)
                },
                **({"label": label[kept].astype(np.uint8)} if called else {}),
                **({"region_set": piece["region_set"].to_numpy()[keep]} if regions else {}),
            )
        if not writer.rows:
            raise InputError(
                f"{out}: not one of {len(rows):,} windows is kept ({counts}, {low:,} not above the threshold)"
            )
    counts |= {"not above the threshold": low, "kept": writer.rows}
    return pd.DataFrame({"what": list(counts), "count": list(counts.values())})


def _rows(
    genome: Genome,
    plan: Windows,
    peaks: Sequence[pd.DataFrame],
    regions: Sequence[Path],
    gaps: Path | None,
    exclude: Collection[str],
    contig_names: str | None,
    counts: dict[str, int],
) -> tuple[pd.DataFrame, np.ndarray]:
    """All windows before the threshold, contig and start; and which tasks have a peak in each: bool [n, T]."""
    left_out = genome.index(exclude)
    given = {"peaks": peaks, "regions": regions}.get(plan.rows, [True])
    if not given or (regions and plan.rows != "regions"):
        raise InputError(
            f"windows: found rows: {plan.rows}, peaks for {len(peaks)} tasks and {len(regions)} regions' files"
        )
    if plan.rows == "regions":
        lost: list[str] = []
        found = [places.read_intervals(path, genome, contig_names, lost) for path in regions]
        both = pd.concat([places.centred(table, plan.window).assign(region_set=n) for n, table in enumerate(found)])
        inside = (both["start"] >= 0) & (both["start"] + plan.window <= genome.lengths[both["contig"]])
        wanted = ~both["contig"].isin(left_out)
        counts |= {"regions": len(both) + len(lost), "on contigs that the genome lacks": len(lost)}
        counts |= {"over a contig's end": int((wanted & ~inside).sum()), "on contigs left out": int((~wanted).sum())}
        rows = both[inside & wanted].sort_values(["contig", "start", "region_set"], kind="stable", ignore_index=True)
    elif plan.rows == "peaks":
        counts["peaks"] = sum(map(len, peaks))
        own = [table[~table["contig"].isin(left_out)] for table in peaks]
        rows, label = places.merged(own, genome.lengths, plan.window, plan.merge)
        if plan.kind == "binary":
            counts["windows"] = len(rows)
            return rows, label
        rows = places.tiles(places.union(rows.assign(end=rows["start"] + plan.window)), plan.window)
    else:
        listed = places.read_intervals(gaps, genome, contig_names) if gaps else None
        rows = places.tiles(places.between_gaps(genome, listed, exclude), plan.window)
    counts["windows"] = len(rows)
    return rows, places.labels(rows, plan.window, peaks)


def _read(signals: Sequence[Signal | None], contig: np.ndarray, start: np.ndarray, window: int) -> np.ndarray:
    """Coverage of windows: float32 [n, tracks, window]; NaN where there is no track.

    Raises InputError where it is negative or infinite.
    """
    values = np.full((len(start), len(signals), window), np.nan, dtype=np.float32)
    for track, signal in enumerate(signals):
        if signal is None:
            continue
        values[:, track] = signal.read(contig, start, window)
        good = (values[:, track] >= 0) & (values[:, track] < np.finfo(np.float32).max)
        if not good.all():
            row, place = np.argwhere(~good)[0]
            found = "infinite" if values[row, track, place] > 0 else f"{values[row, track, place]:g}"
            where = f"{signal.genome.names[contig[row]]}, base {start[row] + place}"
            raise InputError(f"{signal.path}, {where}: found coverage of {found}, expected numbers of at least 0")
    return values


def _limits(rows: pd.DataFrame, genome: Genome, plan: Windows) -> np.ndarray:
    """What the greatest value of each window has to be above: float16 [n]."""
    test = plan.threshold if plan.test_threshold is None else plan.test_threshold
    train, test = (-np.inf if value is None else value for value in (plan.threshold, test))
    return np.where(rows["contig"].isin(genome.index(plan.test)), test, train).astype(np.float16)


def _target(values: np.ndarray, plan: Windows) -> np.ndarray:
    """The middle of windows, float32 [n, T, window], in bins: [n, T, P]."""
    margin = (plan.window - plan.middle) // 2
    binned = values[:, :, margin : margin + plan.middle].reshape(*values.shape[:2], plan.middle // plan.bin, plan.bin)
    reduced = binned.sum(axis=3) if plan.kind == "counts and profile" else binned.mean(axis=3)
    return np.minimum(reduced, np.finfo(np.float16).max).astype(np.float16) if plan.float16 else reduced
