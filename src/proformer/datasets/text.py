"""Reading `sequence<TAB>value` files and FASTA in large blocks, with the line number at hand when a row is wrong."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from proformer.errors import InputError
from proformer.sequences import INVALID, Spans, first_invalid, to_codes

BLOCK_BYTES = 8 << 20
TAB, NEWLINE, RETURN = b"\t\n\r"


@dataclass
class Rows:
    """A block of lines of a tab-separated file.

    `letters`: the text, uint8; `codes`: its nucleotide codes; `spans`: the sequence (first column) of each row;
    `rest`: the columns after it (length 0 when there are none); `line`: number of the first row's line.
    """

    path: Path
    letters: np.ndarray
    codes: np.ndarray
    spans: Spans
    rest: Spans
    line: int

    def __len__(self) -> int:
        return len(self.spans)

    def text(self, row: int, spans: Spans | None = None) -> str:
        """The sequence (or another span) of a row as text."""
        spans = self.spans if spans is None else spans
        start = spans.starts[row]
        return self.letters[start : start + spans.lengths[row]].tobytes().decode("utf-8", "replace")

    def fail(self, row: int, found: str, expected: str) -> InputError:
        """The error for a row: file, line, what was found, what was expected."""
        return InputError(f"{self.path}, line {self.line + row}: found {found}, expected {expected}")

    def values(self) -> np.ndarray:
        """The second column as finite numbers: float64 [n]."""
        values = np.empty(len(self), dtype=np.float64)
        if not self.rest.lengths.all():
            row = int(np.argmin(self.rest.lengths > 0))
            raise self.fail(row, "one column", "a sequence, a tab and a number")
        for rows, text in self.rest.groups(self.letters):
            try:
                values[rows] = text.view(f"S{text.shape[1]}")[:, 0].astype(np.float64)
            except ValueError:
                row = next(int(r) for r in rows if not _is_number(self.text(r, self.rest)))
                raise self._not_a_number(row) from None
        if not np.isfinite(values).all():
            raise self._not_a_number(int(np.argmin(np.isfinite(values))))
        return values

    def columns(self, number: int) -> np.ndarray:
        """The columns after the sequence as finite numbers: float64 [n, number]."""
        if number == 1:
            return self.values()[:, None]
        tabs = np.flatnonzero(self.letters == TAB)
        stops = self.rest.starts + self.rest.lengths
        first = np.searchsorted(tabs, self.rest.starts)
        found = np.searchsorted(tabs, stops) - first
        if (found != number - 1).any():
            row = int(np.argmax(found != number - 1))
            columns = found[row] + 1 + bool(self.rest.lengths[row])
            raise self.fail(row, f"{columns} columns", f"{number + 1}: a sequence and {number} numbers")
        inner = tabs[first[:, None] + np.arange(number - 1)]
        starts, ends = np.column_stack([self.rest.starts, inner + 1]), np.column_stack([inner, stops])
        parts = (replace(self, rest=Spans(starts[:, i], ends[:, i] - starts[:, i])) for i in range(number))
        return np.column_stack([part.values() for part in parts])

    def heading(self) -> tuple[list[str], Rows]:
        """Names of the columns after the sequence, if the first line has several names there; and the rows below."""
        names = self.text(0, self.rest).split("\t") if len(self) else []
        if len(names) < 2 or any(map(_is_number, names)):
            return [], self
        rest, spans = (Spans(x.starts[1:], x.lengths[1:]) for x in (self.rest, self.spans))
        return names, replace(self, spans=spans, rest=rest, line=self.line + 1)

    def _not_a_number(self, row: int) -> InputError:
        text = self.text(row, self.rest)
        if "\t" in text:
            return self.fail(row, f"{text.count(chr(9)) + 2} columns", "2: a sequence, a tab and a number")
        if self.line + row == 1 and first_invalid(self.codes, self.spans.select(np.array([0]))) == 0:
            return self.fail(row, f"a header line ({self.text(row)!r}, {text!r})", "no header: remove this line")
        return self.fail(row, f"{text!r}", "a finite number")

    def check_letters(self) -> None:
        """Refuse anything but A, C, G, T and N (either case)."""
        row = first_invalid(self.codes, self.spans)
        if row is not None:
            start = self.spans.starts[row]
            bad = self.letters[start + int(np.argmax(self.codes[start:] == INVALID))]
            raise self.fail(row, f"the letter {chr(bad)!r} in {self.text(row)[:40]!r}", "only A, C, G, T and N")
        if not self.spans.lengths.all():
            raise self.fail(int(np.argmin(self.spans.lengths > 0)), "an empty sequence", "A, C, G, T and N")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def open_text(path: Path) -> BinaryIO:
    """Open a plain or gzipped file for reading bytes; the content decides, not the name."""
    with open(path, "rb") as handle:
        magic = handle.read(2)
    return io.BufferedReader(gzip.open(path), 1 << 20) if magic == b"\x1f\x8b" else open(path, "rb")  # type: ignore[arg-type]


def blocks(path: Path, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield a file's bytes in pieces of about `size` that end with a line; the last line may lack its newline.

    Raises InputError when the file is missing, empty, or a gz file is cut short.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    kept, empty = b"", True
    try:
        with open_text(path) as handle:
            while piece := handle.read(size):
                empty = False
                cut = piece.rfind(b"\n") + 1
                if cut:
                    yield kept + piece[:cut]
                    kept = piece[cut:]
                else:
                    kept += piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gz file is damaged or cut short ({error}); fetch it again") from None
    if empty:
        raise InputError(f"{path}: the file is empty, expected one sequence per line")
    if kept:
        yield kept + b"\n"


def read_rows(path: Path, size: int = BLOCK_BYTES) -> Iterator[Rows]:
    """Read a tab-separated file block by block; Windows line ends are accepted, blank lines are not."""
    line = 1
    for text in blocks(path, size):
        rows = rows_of(path, text, line)
        yield rows
        line += len(rows)


def rows_of(path: Path, text: bytes, line: int) -> Rows:
    """The rows of a piece of text that ends with a line; its first line is number `line` of the file."""
    letters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(letters == NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    stops = ends - (letters[np.maximum(ends - 1, 0)] == RETURN) * (ends > starts)
    tabs = np.flatnonzero(letters == TAB)
    nearest = np.append(tabs, len(letters))[np.searchsorted(tabs, starts)]
    first = np.minimum(nearest, stops)
    rest_starts = np.minimum(first + 1, stops)
    rows = Rows(
        path=path,
        letters=letters,
        codes=to_codes(letters),
        spans=Spans(starts, first - starts),
        rest=Spans(rest_starts, stops - rest_starts),
        line=line,
    )
    if not (stops > starts).all():
        raise rows.fail(int(np.argmin(stops > starts)), "a blank line", "a sequence")
    return rows


def read_fasta(path: Path, size: int = BLOCK_BYTES) -> Iterator[tuple[list[str], Rows]]:
    """Read FASTA block by block as (names, rows); sequences may span lines."""
    names: list[str] = []
    sequences: list[bytes] = []
    lines: list[int] = []
    number = 0

    def flush() -> tuple[list[str], Rows]:
        letters = np.frombuffer(b"\n".join(sequences) + b"\n", dtype=np.uint8)
        lengths = np.array([len(s) for s in sequences], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
        spans = Spans(starts, lengths)
        rows = _FastaRows(path, letters, to_codes(letters), spans, Spans(starts + lengths, lengths * 0), 0, lines[:])
        return names[:], rows

    for text in blocks(path, size):
        for line in text.splitlines():
            number += 1
            if line.startswith(b">"):
                if len(names) >= 1 << 16:
                    yield flush()
                    for done in (names, sequences, lines):
                        done.clear()
                names.append(line[1:].split(None, 1)[0].decode() if line[1:].split() else "")
                sequences.append(b"")
                lines.append(number)
            elif not names:
                raise InputError(f"{path}, line {number}: found {line[:40]!r}, expected a FASTA name (>name)")
            else:
                sequences[-1] += line.strip()
    yield flush()


@dataclass
class _FastaRows(Rows):
    lines: list[int]

    def fail(self, row: int, found: str, expected: str) -> InputError:
        return InputError(f"{self.path}, line {self.lines[row]}: found {found}, expected {expected}")
