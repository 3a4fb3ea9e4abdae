"""Files that appear whole or not at all, and tables written one way."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from proformer.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds, remove it when not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.part")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as TSV atomically; floats keep ten significant digits, missing values stay empty."""
    with atomic(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.10g", lineterminator="\n")


def write_rows(path: str | Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write rows of numbers, all with the same keys, as `write_table` would; needs no pandas."""
    lines = [list(rows[0]), *(["" if v != v else f"{v:.10g}" for v in row.values()] for row in rows)]
    write_text(path, "".join("\t".join(line) + "\n" for line in lines))


def read_table(path: str | Path, **keywords: object) -> pd.DataFrame:
    """Read a TSV; the column `head` stays text, so that `AP` and `8` are the same kind of thing.

    Raises InputError for a file that is no table.
    """
    import pandas as pd

    try:
        return pd.read_csv(path, sep="\t", dtype={"head": str}, **keywords)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: found no table ({' '.join(str(error).split())}), expected TSV") from None


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
