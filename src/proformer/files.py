"""Files that appear whole or not at all, that replace nothing a command reads, and tables written one way."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from gzip import GzipFile
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from proformer.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_PERMISSIONS = 0o666  # before the umask
_inputs: set[str] = set()  # places of the files that this command reads


class Output(PosixPath):
    """An argument that names a file to write; every other path is read."""


class OutputFolder(Output):
    """An argument that names a folder to write into."""


class InputFolder(PosixPath):
    """An argument that names a folder to read, within which nothing may be written."""


@contextmanager
def protected(arguments: Iterable[object]) -> Iterator[None]:
    """Refuse a command that would overwrite what it reads, or write one file twice, before anything is read.

    `arguments`: the values of a command's options; what is to be written are `Output`s, which may not lie in an
    `InputFolder`, either. Within the block, `atomic` refuses the other files, too. Raises InputError.
    """
    flat = [each for value in arguments for each in (value if isinstance(value, list | tuple) else [value])]
    paths = [value for value in flat if isinstance(value, Path) and value.name != "-"]  # standard input and output
    outputs = [path for path in paths if isinstance(path, Output)]
    folders = [Path(os.path.realpath(path)) for path in paths if isinstance(path, InputFolder)]
    _inputs.clear()
    for path in paths:
        if not isinstance(path, Output):
            _inputs.update((_place(path), os.path.realpath(path)))
    seen: set[str] = set()
    for path in outputs:
        is_folder = isinstance(path, OutputFolder)
        if is_folder and path.exists() and not path.is_dir():
            raise InputError(f"{path}: found a file, expected a folder to write into")
        if not is_folder:
            _check_output(path)
        place = os.path.realpath(path) if is_folder else _place(path)
        if inside := [folder for folder in folders if Path(place).is_relative_to(folder)]:
            raise InputError(f"{path}: lies in {inside[0]}, which is an input, expected another place to write to")
        if place in seen and not is_folder and not _is_stream(path):
            raise InputError(f"{path}: named twice as an output, expected a file for each")
        seen.add(place)
    try:
        yield
    finally:
        _inputs.clear()


@contextmanager
def removed_if_empty(folder: Path) -> Iterator[None]:
    """After an error, remove the folder, and its parents, that were made within the block and are empty."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield
    except InputError:
        with suppress(OSError):
            for each in made:
                each.rmdir()
        raise


def _place(path: Path) -> str:
    """Where a file stands: symbolic links of its folder are followed, but not its own, which writing replaces."""
    return os.path.join(os.path.realpath(path.parent), path.name)


def _check_output(path: Path) -> None:
    if _place(path) in _inputs:
        raise InputError(f"{path}: is an input as well as an output, expected another file to write")
    if path.is_dir():
        raise InputError(f"{path}: found a folder, expected a file to write")


def _is_stream(path: Path) -> bool:
    """Whether a path is written into, not replaced: a FIFO, a terminal, /dev/null, /dev/stdout."""
    if not path.exists() or (path.is_file() and not str(path).startswith(("/dev/", "/proc/"))):
        return False
    if not (path.is_file() or path.is_fifo() or path.is_char_device()):
        raise InputError(f"{path}: found a block device or a socket, expected a file to write")
    return True


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds, remove it when not.

    Devices and FIFOs are written into when the block succeeds. Errors that name no file (a full disk) name `path`.
    Raises InputError for a folder, and for a file that this command reads (`protected`).
    """
    path = Path(path)
    _check_output(path)
    try:
        if _is_stream(path):
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder, path.name)
                _pour(Path(folder, path.name), path)
            return
        with _reserved(path) as temporary:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PERMISSIONS))
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(stat.S_IMODE(mode))
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, path)
    except OSError as error:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def deliver(made: Path, path: Path) -> None:
    """Put a finished file in its place."""
    with atomic(path) as temporary:
        shutil.move(made, temporary)


@contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    """A temporary folder on the disk of `beside`, removed at the end."""
    with _reserved(beside.with_name(f"{beside.name}.scratch")) as folder:
        folder.mkdir()
        yield folder


@contextmanager
def _reserved(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that nothing has; what is there at the end is removed.

    So is what processes of this machine have left there that ended without doing so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    form = re.compile(rf"\.{re.escape(path.name)}\.{re.escape(platform.node())}\.(\d+)\.part")
    for name in os.listdir(path.parent):
        if (left := form.fullmatch(name)) and (int(left[1]) == os.getpid() or not _runs(int(left[1]))):
            _remove(path.parent / name)
    temporary = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.part")
    try:
        yield temporary
    finally:
        _remove(temporary)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _pour(source: Path, stream: Path) -> None:
    """Copy a file into a stream; into this process's own output and error stream where they are in the file."""
    sys.stdout.flush()
    own = next((number for number in (1, 2) if os.path.samestat(os.fstat(number), stream.stat())), None)
    with open(source, "rb") as handle, open(stream if own is None else os.dup(own), "wb") as out:
        shutil.copyfileobj(handle, out)


def existing(path: str | Path, what: str = "file", hint: str = "") -> Path:
    """The path of a file that is there and may be read. Raises InputError: none there, no file, or not permitted."""
    path = Path(path)
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):
            found = "folder" if stat.S_ISDIR(kind) else "device or pipe"
            raise InputError(f"{path}: found a {found}, expected a {what}")
        if not os.access(path, os.R_OK):
            raise PermissionError
    except PermissionError:
        raise InputError(f"{path}: permission denied") from None
    except (OSError, ValueError):
        raise InputError(f"{path}: no such {what}{f'; {hint}' if hint else ''}") from None
    return path


@contextmanager
def writing(path: str | Path, gz: bool = False) -> Iterator[BinaryIO]:
    """Open a file for bytes that appears whole or not at all; gz holds no name and no time: same content, same file."""
    with atomic(path) as temporary, open(temporary, "wb") as raw:
        if not gz:
            yield raw
            return
        with GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0) as packed:
            yield cast(BinaryIO, packed)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(path: str | Path | None, table: pd.DataFrame) -> None:
    """Write a table as TSV atomically (None: not at all); floats keep ten digits, missing values stay empty."""
    if path is not None:
        with atomic(path) as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.10g", lineterminator="\n")


def write_rows(path: str | Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write rows of numbers, all with the same keys, as `write_table` would; needs no pandas."""
    lines = [list(rows[0]), *(["" if v != v else f"{v:.10g}" for v in row.values()] for row in rows)]
    write_text(path, "".join("\t".join(line) + "\n" for line in lines))


def read_table(path: str | Path, columns: Iterable[str] = (), hint: str = "", **keywords: object) -> pd.DataFrame:
    """Read a TSV, in which quotes mean nothing; the column `head` stays text, so that `AP` and `8` are of one kind.

    Raises InputError for a file that is not a table, or lacks one of `columns` (`hint`: how to make it).
    """
    import pandas as pd

    more = {"sep": "\t", "dtype": {"head": str}, "quoting": csv.QUOTE_NONE} | keywords
    try:
        table = pd.read_csv(existing(path), **more)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, ValueError) as error:
        kind = "CSV" if keywords.get("sep") == "," else "TSV"
        raise InputError(f"{path}: found no table ({' '.join(str(error).split())}), expected {kind}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much for names of rows
        raise InputError(f"{path}: found rows of more cells than the header line has, expected as many")
    if missing := [column for column in columns if column not in table]:
        raise InputError(f"{path}: found no column {', '.join(missing)}{f'; {hint}' if hint else ''}")
    return table


def finite(table: pd.DataFrame, columns: Sequence[str], path: str | Path) -> np.ndarray:
    """Columns of a table that was read from a file, as float64 [rows, columns]. Raises InputError naming the line."""
    import numpy as np
    import pandas as pd

    values = table[[*columns]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    good = np.isfinite(values).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        text = ", ".join(repr(str(cell)) for cell in table[[*columns]].iloc[row])
        each = " in each column" * (len(columns) > 1)
        raise InputError(f"{path}, line {row + 2}: found {text}, expected a finite number{each}")
    return values


def last_line(log: Path) -> str:
    """The last line of a log that is not blank; empty without a log."""
    try:
        with open(log, "rb") as handle:
            handle.seek(max(0, log.stat().st_size - 4096))
            lines = handle.read().decode("utf-8", "replace").replace("\r", "\n").split("\n")
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def file_digest(path: str | Path, algorithm: str) -> str:
    """Hexadecimal `sha256`, `md5` or `git_blob` (what `git hash-object` prints) of a file."""
    path = Path(path)
    if algorithm == "git_blob":
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: digest).hexdigest()
