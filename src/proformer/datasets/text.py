"""Text files in large blocks, and the rows of sequences in them, with the line at hand when a row is wrong."""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from proformer.errors import InputError
from proformer.sequences import INVALID, Spans, contain
from proformer.units import plain_number

T = TypeVar("T")
BLOCK_BYTES = 8 << 20
LONGEST_LINE = 64 << 20
NEWLINE, RETURN, UNDERSCORE = b"\n\r_"
STDIN = Path("-")
FLOAT32_MAX = float(np.finfo(np.float32).max)
_SWAP = "the sequence first: swap the columns, or name them in a header line"
_OTHER_FORMATS = {
    b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text", b"PK\x03\x04": "a zip or Excel file",
    b"BZh": "a bzip2 file", b"\xfd7zXZ": "an xz file", b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\x89HDF": "an HDF5 file", b"%PDF": "a PDF file",
}  # fmt: skip


class RowError(InputError):
    """An error in one row of a block; `row` is its index there."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


@dataclass
class Rows:
    """A block of lines of a file of sequences.

    `letters`: the text, uint8; `codes`: its nucleotide codes; `spans`: the sequence of each row; `targets`: its columns
    of values; `names`: of these columns, where a header line or a table has them; `label`: the column of row names;
    `contig`, `start`: those of the chromosomes, or folds, that rows are split by, and of where they begin there;
    `line`: number of the first row's line; `lines`: of every row, where rows are not lines; `unit`: what these count.
    """

    path: Path
    letters: np.ndarray
    codes: np.ndarray
    spans: Spans
    targets: tuple[Spans, ...] = ()
    names: tuple[str, ...] = ()
    label: Spans | None = None
    contig: Spans | None = None
    start: Spans | None = None
    line: int = 1
    lines: Sequence[int] | None = None
    unit: str = "line"

    def __len__(self) -> int:
        return len(self.spans)

    def head(self, number: int) -> Rows:
        """The first rows."""
        rows = np.arange(number)
        targets = tuple(column.select(rows) for column in self.targets)
        return replace(self, spans=self.spans.select(rows), targets=targets)

    def text(self, row: int, spans: Spans | None = None) -> str:
        """The sequence (or another column) of a row as text."""
        spans = self.spans if spans is None else spans
        start = spans.starts[row]
        return self.letters[start : start + spans.lengths[row]].tobytes().decode("utf-8", "replace")

    def labels(self) -> list[str] | None:
        """The rows' names, where the file has any."""
        return [self.text(row, self.label) for row in range(len(self))] if self.label else None

    def fail(self, row: int, found: str, expected: str) -> RowError:
        """The error for a row: file, line, what was found, what was expected."""
        line = self.lines[row] if self.lines else self.line + row
        return RowError(f"{self.path}, {self.unit} {line}: found {found}, expected {expected}", row)

    def numbers(self) -> np.ndarray:
        """The columns of values, finite in float32: float64 [n, columns]."""
        if not self.targets:
            raise self.fail(0, *self._no_value(0))
        return np.column_stack([self._numbers(column) for column in self.targets])

    def values(self) -> np.ndarray:
        """The column of values, where there is one: float64 [n]."""
        if len(self.targets) > 1:
            raise self.fail(0, f"{len(self.targets)} columns of values", "one")
        return self.numbers()[:, 0]

    def _numbers(self, column: Spans) -> np.ndarray:
        values = np.full(len(self), np.nan)
        for rows, text in column.groups(self.letters):
            try:
                if (text == UNDERSCORE).any():
                    raise ValueError
                values[rows] = text.view(f"S{text.shape[1]}")[:, 0].astype(np.float64)
            except ValueError:
                values[rows] = [plain_number(self.text(row, column)) for row in rows]
        good = np.abs(values) <= FLOAT32_MAX
        if not good.all():
            row = int(np.argmin(good))
            raise self.fail(row, *self._no_number(row, column))
        return values

    def _no_value(self, row: int) -> tuple[str, str]:
        if self.label and self.lines:
            return f"no value beside {self.text(row, self.label)!r}", "'>name value', or a table of values"
        blank = ", separated by blanks" if " " in self.text(row).strip() else ""
        return f"one column{blank}", "a sequence and a number, with a tab or comma between them"

    def _no_number(self, row: int, column: Spans) -> tuple[str, str]:
        sequence, text = self.text(row), self.text(row, column)
        if not text and self.label and self.lines:
            return self._no_value(row)
        if not text:
            named = [name for name, target in zip(self.names, self.targets, strict=False) if target is column]
            return "an empty cell" + "".join(f" in the column {name!r}" for name in named), "a finite number"
        if np.isfinite(plain_number(sequence)) and is_sequence(text):
            return f"{sequence!r} before the sequence", _SWAP
        if re.fullmatch(r"\s*[+-]?[0-9]*,[0-9]+\s*", text):
            return f"{text!r}, with a decimal comma", f"a decimal point: {text.strip().replace(',', '.')}"
        if np.isfinite(plain_number(text)):
            return repr(text), "a number that float32 holds (at most 3.4e38)"
        return repr(text), "a finite number"

    def check_letters(self) -> None:
        """Refuse anything but A, C, G, T and N (either case)."""
        wrong = (self.spans.lengths == 0) | contain(self.codes, self.spans, INVALID)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise self.fail(row, *self._no_sequence(self.text(row)))

    def _no_sequence(self, sequence: str) -> tuple[str, str]:
        if not sequence:
            return "an empty sequence", "A, C, G, T and N"
        letter = next(letter for letter in sequence if letter not in "ACGTNacgtn")
        if np.isfinite(plain_number(sequence)):
            return f"{sequence!r} in place of the sequence", _SWAP
        advice = ": write N where a base is not known" if letter in "RYSWKMBDHVryswkmbdhv" else ""
        advice = ": write T for U" if letter in "Uu" else advice
        return f"the letter {letter!r} in {sequence[:40]!r}", f"only A, C, G, T and N{advice}"


def first_error_first(rows: Rows, work: Callable[[Rows], T]) -> T:
    """What `work` makes of rows; where several rows are wrong, in one way or another, the first one is named."""
    try:
        return work(rows)
    except RowError as error:
        if error.row:
            first_error_first(rows.head(error.row), work)
        raise


def is_sequence(text: str) -> bool:
    """Whether a text is of A, C, G, T and N alone."""
    return re.fullmatch("[ACGTNacgtn]+", text) is not None


def open_text(path: Path) -> BinaryIO:
    """Open a plain or gzipped file, or standard input ("-"), for reading bytes; the content decides, not the name."""
    handle = sys.stdin.buffer if path == STDIN else open(path, "rb")  # noqa: SIM115
    if handle.peek(2)[:2] == b"\x1f\x8b":  # type: ignore[union-attr]
        return io.BufferedReader(gzip.open(handle), 1 << 20)  # type: ignore[arg-type]
    return handle  # type: ignore[return-value]


def blocks(path: Path, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield a file's bytes in pieces of about `size` that end with a line; the last line may lack its newline.

    A byte-order mark is left out. Raises InputError for a file that is missing, empty, no text, or gz and cut short.
    """
    if path != STDIN and not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: found a folder, expected a file")
    kept: list[bytes] = []
    empty = True
    try:
        with open_text(path) as handle:
            while piece := handle.read(size):
                if empty:
                    if found := next((name for magic, name in _OTHER_FORMATS.items() if piece.startswith(magic)), ""):
                        raise InputError(f"{path}: found {found}, expected text (UTF-8), plain or gz")
                    piece, empty = piece.removeprefix(b"\xef\xbb\xbf"), False
                if b"\0" in piece:
                    raise InputError(f"{path}: found binary data, expected text, plain or gz")
                cut = piece.rfind(b"\n") + 1
                if cut:
                    yield b"".join([*kept, piece[:cut]])
                    kept = []
                kept.append(piece[cut:])
                if sum(map(len, kept)) > LONGEST_LINE:
                    raise InputError(f"{path}: found a line of more than {LONGEST_LINE >> 20} MB, expected short lines")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gz file is damaged or cut short ({error}); fetch it again") from None
    if empty:
        raise InputError(f"{path}: the file is empty, expected one sequence per line")
    if last := b"".join(kept):
        yield last + b"\n"
