"""The genome: its contigs, the names that other files have for them, and its sequence by position, many at once."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.datasets.text import open_text
from proformer.errors import InputError
from proformer.files import atomic
from proformer.sequences import INVALID, N, to_codes

_BLOCK = 1 << 26


@dataclass(frozen=True)
class Genome:
    """An indexed FASTA file, mapped into memory.

    `names` [C]; `lengths`, and the index's byte `offsets`, bases and bytes per line (`bases`, `widths`): int64 [C].
    """

    path: Path
    names: list[str]
    lengths: np.ndarray
    offsets: np.ndarray
    bases: np.ndarray
    widths: np.ndarray
    letters: np.ndarray

    def index(self, names: Iterable[str]) -> np.ndarray:
        """Positions of contig names in `names`, -1 for unknown ones: int64 [n]."""
        return pd.Index(self.names).get_indexer(pd.Index(names, dtype=object)).astype(np.int64)

    def codes(self, contig: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
        """Forward-strand codes of windows that lie inside their contigs: uint8 [n, width]; other letters become N."""
        position = start[:, None] + np.arange(width)
        bases, widths = self.bases[contig, None], self.widths[contig, None]
        codes = to_codes(self.letters[self.offsets[contig, None] + position // bases * widths + position % bases])
        codes[codes == INVALID] = N
        return codes


def make_genome(source: Path, out: Path) -> None:
    """Lay a FASTA file (plain or gz) out for reading by position: `out` and its index `out`.fai.

    A plain file is linked, not copied. Raises InputError when it is damaged or no FASTA.
    """
    import pysam

    if not source.is_file():
        raise InputError(f"{source}: no such genome")
    try:
        with open_text(source) as handle:
            if handle.read(1) != b">":
                raise InputError(f"{source}, line 1: not FASTA, expected >name")
        if _gzipped(source):
            with atomic(out) as temporary, open_text(source) as handle, open(temporary, "wb") as copy:
                shutil.copyfileobj(handle, copy, 1 << 22)
        else:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.unlink(missing_ok=True)
            out.symlink_to(source.resolve())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{source}: the gz file is damaged or cut short ({error}); fetch it again") from None
    try:
        pysam.faidx(str(out))
    except pysam.SamtoolsError:
        out.unlink()
        raise InputError(f"{source}: cannot be indexed; are its lines of one length, and its names distinct?") from None


def open_genome(path: str | Path) -> Genome:
    """Open a FASTA file that has its index beside it (`make_genome`)."""
    path = Path(path)
    try:
        index = pd.read_csv(f"{path}.fai", sep="\t", header=None, dtype={0: str})
    except FileNotFoundError:
        raise InputError(f"{path}.fai: no such index; `proformer atac genome` makes one") from None
    lengths, offsets, bases, widths = (index[column].to_numpy(np.int64) for column in range(1, 5))
    return Genome(path, index[0].tolist(), lengths, offsets, bases, widths, np.memmap(path, np.uint8, "r"))


def count_bases(genome: Genome) -> pd.DataFrame:
    """Length and number of known bases (A, C, G, T) of each contig: contig, length, acgt."""
    known = []
    for offset, length, bases, width in zip(genome.offsets, genome.lengths, genome.bases, genome.widths, strict=True):
        end = offset + length // bases * width + length % bases
        pieces = (genome.letters[at : min(at + _BLOCK, end)] for at in range(offset, end, _BLOCK))
        known.append(sum(int((to_codes(piece) < N).sum()) for piece in pieces))
    return pd.DataFrame({"contig": genome.names, "length": genome.lengths, "acgt": known})


def renaming(option: str | None) -> Mapping[str, str] | str | None:
    """The `contig_names` option: None, `add-chr`, `strip-chr`, or a table of two columns, from and to."""
    if option in (None, "", "add-chr", "strip-chr"):
        return option or None
    path = Path(str(option))
    if not path.is_file():
        raise InputError(f"contig_names: {option!r} is no file; expected add-chr, strip-chr or a table: from, to")
    table = pd.read_csv(path, sep="\t", header=None, dtype=str, comment="#")
    if table.shape[1] != 2 or table[0].duplicated().any():
        raise InputError(f"{path}: expected two columns, from and to, and each name once in the first")
    return dict(zip(table[0], table[1], strict=True))


def translate(names: Iterable[str], option: str | None, genome: Iterable[str], what: str | Path) -> dict[str, str]:
    """What the genome calls each contig of another file; contigs that it does not have are left out.

    Raises InputError when a name would be the genome's with or without "chr" (`chrI` and `I`), or none is known: names
    that disagree lose data without a word.
    """
    rule, known = renaming(option), set(genome)
    example = next(iter(genome), "")
    found: dict[str, str] = {}
    unknown: list[str] = []
    for name in dict.fromkeys(names):
        new = name
        if rule == "add-chr":
            new = f"chr{name}"
        elif rule == "strip-chr":
            new = name.removeprefix("chr")
        elif rule:
            new = rule.get(name, name)  # type: ignore[union-attr]
        if new in known:
            found[name] = new
        else:
            unknown.append(name)
    for name in unknown:
        other, hint = (name[3:], "strip-chr") if name.startswith("chr") else (f"chr{name}", "add-chr")
        if other in known:
            raise InputError(f"{what}: found contig {name!r}, the genome has {other!r}; set contig_names: {hint}")
    if unknown and not found:
        raise InputError(
            f"{what}: found contig {unknown[0]!r}, the genome has {example!r} and no contig in common; "
            "set contig_names to a table: from, to"
        )
    return found


def _gzipped(path: Path) -> bool:
    with open(path, "rb") as handle:
        return handle.read(2) == b"\x1f\x8b"
