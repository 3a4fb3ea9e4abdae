"""The signal: fragments piled up, or cut sites, per million; written as bigWig and read back many windows at a time."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from proformer.atac.contigs import Genome, check_lengths, translate
from proformer.atac.fragments import count_lines, cut_sites, read_fragments
from proformer.errors import InputError
from proformer.files import atomic, existing

_ENTRIES = 1 << 20
_GAP = 1 << 15  # windows closer than this are read together: cheaper than to decompress a block twice
_LONGEST = 1 << 24


def write_signal(fragments: Path, genome: Genome, out: Path, mode: str = "fragments") -> int:
    """Write the bigWig: depth of fragments, or of cut sites (+4/-5), times a million by their number, which it returns.

    "counts": the cut sites themselves, +4/-4 as ChromBPNet has them, not scaled.
    One contig at a time, so memory is that of the longest one (8 bytes per base). Bases without any are left out.
    """
    import pyBigWig

    number = count_lines(fragments) * (1 if mode == "fragments" else 2)
    scale = 1.0 if mode == "counts" else 1e6 / max(number, 1)
    order = sorted(range(len(genome.names)), key=lambda index: genome.names[index].encode())
    with atomic(out) as temporary:
        bigwig = pyBigWig.open(str(temporary), "w")
        try:
            bigwig.addHeader([(genome.names[index], int(genome.lengths[index])) for index in order], maxZooms=10)
            for contig, pieces in groupby(read_fragments(fragments, genome), key=itemgetter(0)):
                for start, end, value in _runs(pieces, genome.length(contig), mode):
                    names = np.full(len(start), contig)
                    bigwig.addEntries(names, start, ends=end, values=value * scale, validate=False)
        finally:
            bigwig.close()
    return number


def _runs(
    pieces: Iterator[tuple[str, np.ndarray, np.ndarray]], length: int, mode: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Stretches of equal depth above 0 of one contig, as (start, end, depth)."""
    step = np.zeros(length + 1, dtype=np.int32)
    for _, starts, ends in pieces:
        if mode != "fragments":
            sites = cut_sites(starts, ends + (mode == "counts"))
            starts = sites[(sites >= 0) & (sites < length)]
            ends = starts + 1
        np.add.at(step, starts, 1)
        np.add.at(step, ends, -1)
    changes = np.flatnonzero(step)
    depth = np.cumsum(step[changes])
    keep = np.flatnonzero(depth[:-1] > 0) if len(depth) else np.empty(0, dtype=np.int64)
    for at in range(0, len(keep), _ENTRIES):
        rows = keep[at : at + _ENTRIES]
        yield changes[rows], changes[rows + 1], depth[rows].astype(np.float64)


class Signal:
    """A bigWig opened for reading windows of a genome; contigs may have other names in it (`contig_names`).

    Raises InputError when the file is no bigWig or its names disagree with the genome's.
    """

    def __init__(self, path: Path, genome: Genome, contig_names: str | None = None) -> None:
        import pyBigWig

        self.path, self.genome = path, genome
        try:
            self._file = pyBigWig.open(str(existing(path)))
            found = self._file.chroms()
        except (RuntimeError, OSError):
            raise InputError(f"{path}: not a readable bigWig file") from None
        known = translate(found, contig_names, genome.names, path)
        self._names = {new: old for old, new in known.items()}
        check_lengths(path, found, known, genome)

    def read(self, contig: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
        """The signal of windows that lie inside their contigs: float32 [n, width]; 0 where the track has no value.

        Windows near each other are read in one go: one decompression, not one per window.
        """
        out = np.zeros((len(start), width), dtype=np.float32)
        order = np.lexsort((start, contig))
        contigs, starts = contig[order], start[order]
        apart = (np.diff(contigs) != 0) | (np.diff(starts) > width + _GAP) | (np.diff(starts // _LONGEST) != 0)
        for rows in np.split(order, np.flatnonzero(apart) + 1) if len(order) else []:
            first, last = int(start[rows[0]]), int(start[rows[-1]]) + width
            name = self.name_of(int(contig[rows[0]]))
            try:
                values = self._file.values(name, first, last, numpy=True)
            except RuntimeError:
                raise InputError(f"{self.path}: damaged at {name}:{first + 1:,}-{last:,}") from None
            np.nan_to_num(values, copy=False)
            out[rows] = np.lib.stride_tricks.sliding_window_view(values, width)[start[rows] - first]
        return out

    def name_of(self, contig: int) -> str:
        """The bigWig's name of a contig; InputError when it has none."""
        name = self.genome.names[contig]
        if name not in self._names:
            raise InputError(f"{self.path}: the bigWig has no contig {name!r}, but there are windows on it")
        return self._names[name]
