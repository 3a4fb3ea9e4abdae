"""The genome: its contigs, the names that other files have for them, and its sequence by position, many at once."""

import csv
import gzip
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from proformer.datasets.text import open_text
from proformer.errors import InputError
from proformer.files import existing, read_table, scratch
from proformer.sequences import INVALID, N, to_codes

_BLOCK = 1 << 26
_NUCLEOTIDES = np.isin(np.arange(256), list(b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv"))  # with IUPAC's ambiguity codes
# What genomes and lists of contigs to leave out call the mitochondrial one.
MITOCHONDRION = {"chrM", "chrMT", "chrMito", "M", "MT", "Mt", "Mito", "mitochondrion"}


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

    def length(self, name: str) -> int:
        """Length of a contig in bp; InputError when there is none of this name."""
        if name not in self.names:
            raise InputError(f"{self.path}: found no contig {name!r}, expected it as other files have it")
        return int(self.lengths[self.names.index(name)])

    def codes(self, contig: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
        """Forward-strand codes of windows that lie inside their contigs: uint8 [n, width]; other letters become N."""
        position = start[:, None] + np.arange(width)
        bases, widths = self.bases[contig, None], self.widths[contig, None]
        codes = to_codes(self.letters[self.offsets[contig, None] + position // bases * widths + position % bases])
        codes[codes == INVALID] = N
        return codes


def make_genome(source: Path, out: Path) -> pd.DataFrame:
    """Lay a FASTA file (plain or gz) out for reading by position: `out` and its index `out`.fai.

    A plain file is linked, not copied. Returns the contigs, see `count_bases`. Raises InputError when the file is
    damaged or not FASTA, names a contig twice, or holds something other than nucleotides.
    """
    import pysam

    with open_text(existing(source, "genome")) as handle, scratch(out) as folder:
        fasta, loud = folder / "genome.fa", pysam.set_verbosity(0)  # what is wrong is said below, in one line
        try:
            if handle.read(1) != b">":
                raise InputError(f"{source}, line 1: not FASTA, expected >name")
            if _gzipped(source):
                with open(fasta, "wb") as copy:
                    copy.write(b">")
                    shutil.copyfileobj(handle, copy, 1 << 22)
            else:
                fasta.symlink_to(source.resolve())
            pysam.faidx(str(fasta))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{source}: the gz file is damaged or cut short ({error}); fetch it again") from None
        except pysam.SamtoolsError:
            raise InputError(f"{source}: cannot be indexed; are its lines of one length?") from None
        finally:
            pysam.set_verbosity(loud)
        genome = replace(open_genome(fasta), path=source)
        with open(fasta, "rb") as handle:  # the index leaves out what has a name that was there before
            found = 1 + sum(piece.count(b"\n>") for piece in _overlapping(handle))
        if found > len(genome.names):
            raise InputError(f"{source}: found {found} contigs of {len(genome.names)} names, expected each name once")
        table = count_bases(genome)
        for suffix in ("", ".fai"):
            Path(f"{fasta}{suffix}").replace(f"{out}{suffix}")
    return table


def open_genome(path: str | Path) -> Genome:
    """Open a FASTA file that has its index beside it (`make_genome`)."""
    path = existing(path, "genome", "`proformer atac genome` makes one")
    index = existing(f"{path}.fai", "index", "`proformer atac genome` makes one")
    try:
        types = dict.fromkeys(range(1, 5), np.int64)
        table = pd.read_csv(
            index, sep="\t", header=None, dtype={0: str} | types, quoting=csv.QUOTE_NONE, keep_default_na=False
        )
        lengths, offsets, bases, widths = (table[column].to_numpy() for column in types)
        letters = np.memmap(path, np.uint8, "r")
        wrong = (lengths < 0) | (offsets < 0) | (bases < 1) | (bases > widths)
        wrong |= offsets + lengths + (lengths - 1) // np.maximum(bases, 1) * (widths - bases) > len(letters)
        if wrong.any() or not table[0].is_unique or not table[0].all():
            raise ValueError
    except (ValueError, KeyError, OverflowError, pd.errors.ParserError):
        raise InputError(f"{index}: not the index of {path}; `proformer atac genome` makes it anew") from None
    return Genome(path, table[0].tolist(), lengths, offsets, bases, widths, letters)


def count_bases(genome: Genome) -> pd.DataFrame:
    """Length and number of known bases (A, C, G, T) of each contig: contig, length, acgt.

    Raises InputError for letters that stand for no nucleotide.
    """
    known = []
    for name, *place in zip(genome.names, genome.offsets, genome.lengths, genome.bases, genome.widths, strict=True):
        offset, length, bases, width = place
        end = offset + length // bases * width + length % bases
        known.append(0)
        for at in range(offset, end, _BLOCK):
            piece = genome.letters[at : min(at + _BLOCK, end)]
            strange = piece[~_NUCLEOTIDES[piece]]
            if letter := strange[strange > ord(" ")].tobytes()[:1].decode("latin-1"):
                raise InputError(f"{genome.path}: found {letter!r} in {name}, expected nucleotides; is it a protein?")
            known[-1] += int((to_codes(piece) < N).sum())
    return pd.DataFrame({"contig": genome.names, "length": genome.lengths, "acgt": known})


def renaming(option: str | None) -> Mapping[str, str] | str | None:
    """The `contig_names` option: None, `add-chr`, `strip-chr`, or a table of two columns, from and to."""
    if option in (None, "", "add-chr", "strip-chr"):
        return option or None
    path = Path(str(option))
    if not path.is_file():
        raise InputError(f"contig_names: {option!r} is no file; expected add-chr, strip-chr or a table: from, to")
    table = read_table(path, header=None, dtype=str, comment="#")
    if table.shape[1] != 2 or table[0].duplicated().any():
        raise InputError(f"{path}: expected two columns, from and to, and each name once in the first")
    return dict(zip(table[0], table[1], strict=True))


def translate(names: Iterable[str], option: str | None, genome: Iterable[str], what: str | Path) -> dict[str, str]:
    """What the genome calls each contig of another file; contigs that it does not have are left out.

    Raises InputError when a name would be the genome's with or without "chr" (`chrI` and `I`), or none is known: names
    that disagree lose data without a word.
    """
    rule, known = renaming(option), set(genome)
    renamed = {name: name for name in names}
    if rule == "add-chr":
        renamed = {name: f"chr{name}" for name in renamed}
    elif rule == "strip-chr":
        renamed = {name: name.removeprefix("chr") for name in renamed}
    elif isinstance(rule, Mapping):
        renamed = {name: rule.get(name, name) for name in renamed}
    found = {name: new for name, new in renamed.items() if new in known}
    unknown = [name for name in renamed if name not in found]
    for name in unknown:
        other, hint = (name[3:], "strip-chr") if name.startswith("chr") else (f"chr{name}", "add-chr")
        if other in known:
            raise InputError(f"{what}: found contig {name!r}, the genome has {other!r}; set contig_names: {hint}")
    if unknown and not found:
        raise InputError(
            f"{what}: found contig {unknown[0]!r}, the genome has {next(iter(genome), '')!r} and no contig in common; "
            "set contig_names to a table: from, to"
        )
    return found


def check_lengths(what: Path, lengths: Mapping[str, int], names: Mapping[str, str], genome: Genome) -> None:
    """Refuse a file whose contigs have other lengths than the genome's; `names`: its contigs → the genome's."""
    for name, new in names.items():
        if lengths[name] != genome.length(new):
            expected = f"{new} of {genome.path} has {genome.length(new)}"
            raise InputError(f"{what}: {name} has {lengths[name]} bp, {expected}; is it another genome?")


def check_excluded(excluded: Sequence[str], *known: Iterable[str]) -> None:
    """Refuse contigs to leave out that neither the genome nor the file has; mitochondria have many names."""
    there = set().union(MITOCHONDRION, *known)
    if missing := [name for name in excluded if name not in there]:
        raise InputError(f"exclude: found contig {missing[0]!r}, which the genome does not have")


def _overlapping(handle: BinaryIO) -> Iterator[bytes]:
    """A file in pieces, each beginning with the last byte of the one before."""
    last = b""
    while piece := handle.read(1 << 24):
        yield last + piece
        last = piece[-1:]


def _gzipped(path: Path) -> bool:
    with open(path, "rb") as handle:
        return handle.read(2) == b"\x1f\x8b"
