"""Reading files of sequences: TSV or CSV with or without a header line, or FASTA."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from proformer.datasets.store import open_store
from proformer.datasets.text import BLOCK_BYTES, NEWLINE, RETURN, RowError, Rows, blocks, is_sequence
from proformer.errors import InputError
from proformer.sequences import ALPHABET, Spans, decode, to_codes
from proformer.settings import did_you_mean
from proformer.units import plain_number

SEQUENCE = ("sequence", "seq")
VALUE = ("expression", "value", "activity", "target")
LABEL = ("name", "id")
START = "start"
RECORDS = 1 << 16  # of FASTA, at once


@dataclass(frozen=True)
class Columns:
    """How a file's lines are laid out: indices of columns, and names of the targets where a header line has them."""

    separator: str = "\t"
    number: int = 1
    sequence: int = 0
    targets: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    label: int | None = None
    contig: int | None = None
    start: int | None = None
    header: bool = False


def read_rows(
    path: Path,
    targets: Sequence[str] = (),
    values: Path | None = None,
    size: int = BLOCK_BYTES,
    key: Sequence[str] = SEQUENCE,
    split_by: str = "",
) -> Iterator[Rows]:
    """Read a file of sequences block by block: a table (see `find_columns`), FASTA (see `read_fasta`), or a store.

    targets: names of the columns of values, in a header line. values: a table of the values of FASTA records, by name,
    or in their order where it has no names. key: names of the column that is read as the sequence. split_by: name of
    the column of chromosomes or folds, beside which a column `start` says where a row begins; in FASTA it is the
    beginning of a record's name, up to "_" or ":".
    Blank lines at the end are accepted. Raises InputError for the first line that is wrong.
    """
    if path.suffix == ".safetensors":
        yield from rows_of_store(path)
        return
    pieces = blocks(path, size)
    first = next(pieces)
    if first[:1024].lstrip().startswith(b">"):
        yield from read_fasta(path, chain([first], pieces), *(read_values(values, targets) if values else ()))
        return
    if values:
        raise InputError(f"{path}: found a table, expected FASTA, as its values are in {values}")
    end = first.find(b"\n")
    columns = find_columns(path, _text(first[:end]).rstrip("\r"), targets, key, split_by)
    pieces = chain([first[end + 1 :] if columns.header else first], pieces)
    del first  # so that one block at a time is in memory
    first_line = line = 1 + columns.header
    blank = b""  # a line at the end of a block, which is an error if more follows
    for piece in pieces:
        text = piece.rstrip(b"\r\n")
        rest = piece[len(text) :].partition(b"\n")[2] if text else piece
        if text:
            text = blank + text + b"\n"
            if b'"' in text:
                text = without_quotes(path, text, line, columns.separator)
            yield from _until_an_error(path, text, line, columns)
            line += text.count(b"\n")
        blank = b"\n" if rest else b""
    if line == first_line:
        raise InputError(f"{path}: found no rows{' below the header' * columns.header}, expected sequences")


def column_lines(path: Path, column: str) -> Iterator[str]:
    """Lines `sequence<TAB>value` of a table's column, its digits as they stand. Raises InputError as `read_rows`."""
    for rows in read_rows(path, [column]):
        rows.check_letters()
        rows.values()
        yield from (f"{rows.text(row)}\t{rows.text(row, rows.targets[0])}\n" for row in range(len(rows)))


def _until_an_error(path: Path, text: bytes, line: int, columns: Columns) -> Iterator[Rows]:
    """The rows of a block, or those before a line with another number of columns: they may be wrong themselves."""
    try:
        yield rows_of(path, text, line, columns)
    except RowError as error:
        if error.row:
            yield rows_of(path, b"\n".join(text.split(b"\n")[: error.row]) + b"\n", line, columns)
        raise


def rows_of(
    path: Path, text: bytes, line: int = 1, columns: Columns | None = None, lines: Sequence[int] | None = None
) -> Rows:
    """The rows of a piece of text that ends with a line; its first line is number `line` of the file, or `lines` are.

    columns: by default a sequence and a value, with a tab between them. Raises RowError for a line of other columns.
    """
    columns = columns or Columns(number=2, targets=(1,))
    letters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(letters == NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    stops = ends - (letters[np.maximum(ends - 1, 0)] == RETURN) * (ends > starts)
    marks = np.flatnonzero(letters == ord(columns.separator))
    counts = columns.number - 1
    found = np.diff(np.searchsorted(marks, np.append(starts, len(letters))))
    if (wrong := (found != counts) | (stops <= starts)).any():
        row = int(np.argmax(wrong))
        what = "one column" if not found[row] else f"{found[row] + 1} columns"
        what += f", expected {columns.number}, as in the first line"
        what = what if stops[row] > starts[row] else "a blank line, expected a sequence"
        raise RowError(f"{path}, line {lines[row] if lines else line + row}: found {what}", row)
    bounds = [starts - 1, *marks.reshape(len(ends), counts).T, stops]

    def column(index: int) -> Spans:
        return Spans(bounds[index] + 1, bounds[index + 1] - bounds[index] - 1)

    beside = (columns.label, columns.contig, columns.start)
    label, contig, start = (None if index is None else column(index) for index in beside)
    targets = tuple(column(index) for index in columns.targets)
    sequences = column(columns.sequence)
    return Rows(path, letters, to_codes(letters), sequences, targets, columns.names, label, contig, start, line, lines)


def rows_of_strings(sequences: Iterable[str], name: str = "sequences") -> Rows:
    """Rows of sequences in memory; errors call them `name`, and count from 0."""
    texts = [sequence.encode("latin-1", "replace") for sequence in sequences]
    if not texts:
        raise InputError(f"{name}: found none, expected one or more")
    return _rows_in_memory(name, np.frombuffer(b"".join(texts), dtype=np.uint8), np.array([*map(len, texts)]))


def rows_of_store(path: Path) -> Iterator[Rows]:
    """The rows of a store as text, without flanks; profiles have no values then."""
    store = open_store(path)
    names = store.task.names if store.target.shape[2] == 1 else ()
    columns = Columns(number=1 + len(names), targets=tuple(range(1, 1 + len(names))), names=names)
    for start in range(0, len(store), RECORDS):
        sequences = map(decode, store.codes[start : start + RECORDS])
        values = store.target[start : start + RECORDS, : len(names), 0].tolist()
        lines = ("\t".join([sequence, *map(repr, row)]) for sequence, row in zip(sequences, values, strict=True))
        rows = rows_of(path, "".join(f"{line}\n" for line in lines).encode(), start, columns)
        yield replace(rows, unit="row")


def rows_of_codes(codes: np.ndarray) -> Rows:
    """Rows of codes uint8 [n, L] (A 0, C 1, G 2, T 3, N 4)."""
    if codes.ndim != 2 or not codes.size or codes.max() >= len(ALPHABET):
        raise InputError(f"sequences: found codes of the shape {list(codes.shape)}, expected [N, L], each from 0 to 4")
    letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)[codes].ravel()
    return _rows_in_memory("sequences", letters, np.full(len(codes), codes.shape[1]))


def _rows_in_memory(name: str, letters: np.ndarray, lengths: np.ndarray) -> Rows:
    spans = Spans(np.cumsum(lengths) - lengths, lengths)
    return Rows(Path(name), letters, to_codes(letters), spans, lines=range(len(lengths)), unit="row")


def find_columns(
    path: Path, heading: str, targets: Sequence[str] = (), key: Sequence[str] = SEQUENCE, split_by: str = ""
) -> Columns:
    """The layout of a table by its first line, which is a header line if it holds names alone.

    Columns are separated by tabs, else by semicolons or commas. Without a header line the first column is the sequence,
    and the others are values. With one, the sequence is named `sequence` or `seq`; the values are the columns that
    `targets` names, else those named `expression`, `value`, `activity` or `target`, else all after the sequence.
    """
    separator = next((mark for mark in "\t;," if mark in heading), "\t")
    (line,) = _cells(path, [heading], separator) if '"' in heading else [heading.split(separator)]
    cells = [cell.strip() for cell in line]
    names = [cell.lower() for cell in cells]
    found = [index for index, name in enumerate(names) if name in key]
    header = bool(found) or (len(cells) > 1 and not is_sequence(cells[0]) and not any(map(_is_number, cells)))
    if not header:
        if wanted_names := [*targets, *filter(None, [split_by])]:
            raise InputError(f"{path}, line 1: found no header line, expected one that names {', '.join(wanted_names)}")
        return Columns(separator, len(cells), targets=tuple(range(1, len(cells))))
    if len(found) != 1:
        columns = ", ".join(map(repr, cells[:8]))
        raise InputError(f"{path}, line 1: found the columns {columns}, expected one that is named {' or '.join(key)}")
    for name in (*targets, *filter(None, [split_by])):
        if name.lower() not in names:
            raise InputError(f"{path}, line 1: no column {name!r}{did_you_mean(name, cells)}")
    label = next((index for index, name in enumerate(names) if name in LABEL and index not in found), None)
    contig = names.index(split_by.lower()) if split_by else None
    start = names.index(START) if split_by and START in names else None
    wanted = [names.index(name.lower()) for name in targets]
    wanted = wanted or [index for index, name in enumerate(names) if name in VALUE]
    wanted = wanted or [index for index in range(found[0] + 1, len(cells)) if index not in (label, contig, start)]
    chosen = tuple(cells[index] for index in wanted)
    if len(set(chosen)) < len(chosen):
        raise InputError(f"{path}, line 1: found the columns {', '.join(chosen)}, expected each name once")
    return Columns(separator, len(cells), found[0], tuple(wanted), chosen, label, contig, start, header=True)


def without_quotes(path: Path, text: bytes, line: int, separator: str) -> bytes:
    """A table's text without the quotes around cells; separators within them become blanks."""
    rows = _cells(path, _text(text).split("\n")[:-1], separator)
    if len(rows) != text.count(b"\n"):
        raise InputError(f"{path}, from line {line} on: found quotes around line ends, expected one row per line")
    cells = ((cell.replace(separator, " ").replace("\n", " ") for cell in row) for row in rows)
    return "".join(f"{separator.join(row)}\n" for row in cells).encode()


def _cells(path: Path, lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise InputError(f"{path}: found no table ({error}), expected columns with or without quotes") from None


def read_fasta(
    path: Path,
    pieces: Iterable[bytes],
    names: Sequence[str] = (),
    values: Mapping[str, Sequence[str]] | Sequence[Sequence[str]] | None = None,
) -> Iterator[Rows]:
    """Read FASTA, whose sequences may span lines.

    A record's value is the last word of its name's line (`>name 3.5`, `>name value=3.5`, `>name|3.5`), or stands in
    `values`, by its name or, in a list, in the order of the records.
    """
    records: list[list[bytes]] = []  # name, values, then pieces of the sequence
    lines: list[int] = []
    number = seen = 0
    for text in pieces:
        for line in text.splitlines():
            number += 1
            if line.startswith(b">"):
                if len(records) >= RECORDS:
                    yield _fasta_rows(path, records, lines, names)
                    records, lines = [], []
                words = _text(line[1:]).split() or [""]
                cells = (
                    _value_in(words) if values is None else "\t".join(_values_of(words[0], seen, values, path, number))
                )
                records.append([words[0].encode(), cells.encode()])
                seen += 1
                lines.append(number)
            elif records:
                records[-1].append(line.strip())
            elif line.strip():
                raise InputError(f"{path}, line {number}: found {line[:40]!r}, expected a FASTA name (>name)")
    if not isinstance(values, Mapping | None) and len(values) > seen:
        raise InputError(f"{path}: found {seen:,} records, but {len(values):,} rows of values without names")
    yield _fasta_rows(path, records, lines, names)


def _values_of(
    name: str, place: int, values: Mapping[str, Sequence[str]] | Sequence[Sequence[str]], path: Path, line: int
) -> Sequence[str]:
    """The values of a record, by its name or by its place among all."""
    found = values.get(name) if isinstance(values, Mapping) else values[place] if place < len(values) else None
    if found is None:
        raise InputError(f"{path}, line {line}: found no values of {name!r}")
    return found


def _fasta_rows(path: Path, records: list[list[bytes]], lines: list[int], names: Sequence[str]) -> Rows:
    counts = max(cells.count(b"\t") + bool(cells) for _, cells, *_ in records)
    text = b"".join(
        b"%s\t%s\t%s%s\n" % (name, b"".join(sequence), re.split(b"[_:]", name)[0], b"\t" * bool(counts) + cells)
        for name, cells, *sequence in records
    )
    columns = Columns("\t", 3 + counts, 1, tuple(range(3, 3 + counts)), tuple(names), label=0, contig=2)
    return rows_of(path, text, 1, columns, lines)


def _text(cell: bytes) -> str:
    return cell.decode("utf-8", "replace")


def _value_in(words: Sequence[str]) -> str:
    """The value in the words of a FASTA name, or nothing."""
    last = words[-1].rpartition("=")[2] if len(words) > 1 else words[0].partition("|")[2].rpartition("|")[2]
    return last if _is_number(last) else ""


def _is_number(text: str) -> bool:
    return bool(np.isfinite(plain_number(text)))


def read_values(
    path: Path, targets: Sequence[str] = ()
) -> tuple[tuple[str, ...], dict[str, list[str]] | list[list[str]]]:
    """A table of values by name, with or without a header line: names of the columns, and each row's values.

    A table whose header line has no column of names is one in the order of the records: a list of values.
    """
    heading = _text(next(blocks(path)).partition(b"\n")[0]).lower()
    if targets and not {cell.strip() for cell in re.split("[\t;,]", heading)} & {*LABEL}:
        pieces = list(read_rows(path, targets, key=[targets[0].lower()]))
        return pieces[0].names, [_cells_of(rows, row) for rows in pieces for row in range(len(rows))]
    table: dict[str, list[str]] = {}
    names: tuple[str, ...] = ()
    for rows in read_rows(path, targets, key=LABEL):
        names = rows.names
        for row in range(len(rows)):
            if (name := rows.text(row)) in table:
                raise rows.fail(row, f"{name!r} again", "each name once")
            table[name] = _cells_of(rows, row)
    return names, table


def _cells_of(rows: Rows, row: int) -> list[str]:
    return [rows.text(row, column) for column in rows.targets]
