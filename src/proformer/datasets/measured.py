"""Measured promoters as Vaishnav et al. (2022) published them: tables of several shapes, read into one plain table.

The files differ in the names of their columns (`seq110` or `sequence`; `meanEL`, `meanEL.mut` or `Measured
Expression`), in their padding (N on the left up to 110 nt), and in what stands beside: the experiment, which says the
medium; predictions of the authors' own model; and for drift and trajectories what a row is to be compared with.
Inserts have 65 to 97 nt and constructs were cut to their last 110 nt, so the ends are found by the flanks alone.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.datasets.rows import read_rows, rows_of
from proformer.datasets.text import FLOAT32_MAX, Rows, blocks
from proformer.errors import InputError
from proformer.files import finite, read_table
from proformer.sequences import flank_extent
from proformer.units import plain_number

MEDIA = {"complex": "NBT_S288CdU_YPD", "defined": "NBT_S288CdU_SCUra"}  # as the column `expt` calls them
COLUMNS = ["set", "name", "sequence", "expression", "role", "reference", "flank"]
_SEQUENCE = ("seq110", "sequence")
_VALUE = ("meanel.mut", "meanel", "measured expression")
_PREDICTION = ("edvpred.mut", "edvpred", "predicted expression")
_BASE = ("baseseq", "mutdesc", "meanel.base")
_STEP = re.compile(r"(.+)\.ED(\d+)")
_CHANGE = re.compile(r"(\d+)([ACGT])")


def training_rows(
    path: Path,
    medium: str | None = None,
    targets: Sequence[str] = (),
    values: Path | None = None,
    split_by: str = "",
) -> Iterator[Rows]:
    """Rows of a training file: a CSV table of measured promoters, or what `read_rows` reads."""
    if is_table(path):
        table = read_measured(path, medium)
        table = table[table["role"] != "reference"]
        lines = zip(table["sequence"], table["expression"].map(repr), strict=True)
        yield rows_of(path, "".join(f"{sequence}\t{value}\n" for sequence, value in lines).encode(), 2)
    else:
        yield from read_rows(path, targets, values, split_by=split_by)


def is_table(path: Path) -> bool:
    """Whether a file (plain or gz) is a CSV table whose header line is one of theirs. Raises InputError for no file."""
    heading = next(blocks(path, 1 << 16)).partition(b"\n")[0].decode("utf-8", "replace").lower().replace("_", " ")
    columns = {cell.strip(' "\r') for cell in heading.split(",")}
    return len(columns) > 1 and bool(columns & {*_VALUE, *_PREDICTION, "seq110"})


def read_measured(path: Path, medium: str | None = None) -> pd.DataFrame:
    """Read a CSV table or a `sequence<TAB>value` file (plain or gz), or a store of one number a row.

    Returns one row per row of the file, in order: `name`; `sequence`, as measured but for padding; `expression`;
    `prediction`, where the file has one, else NaN; `role`, "row", or "duplicate" for a sequence that stood above
    already; `reference`, the row to subtract for a change of expression, else -1. Drift tables name what was mutated
    and its expression; those sequences are appended with the role "reference", where the mutants tell all their bases.
    The reference of a step of a trajectory is the trajectory's beginning (0 changes), where it was measured.

    Raises InputError, with file and line, for columns that are missing or there twice, values that are no finite
    numbers, letters other than A, C, G, T, N, and another medium than `medium` (a key of `MEDIA`).
    """
    if medium is not None and medium not in MEDIA:
        raise InputError(f"medium: found {medium!r}, expected one of {', '.join(MEDIA)}")
    if path.suffix == ".safetensors" or not is_table(path):
        return _finish(path, _plain(path), None)
    table = _read_csv(path)
    if medium and "expt" in table:
        wrong = table["expt"] != MEDIA[medium]
        if wrong.any():
            found = table.loc[wrong, "expt"].iloc[0]
            raise InputError(
                f"{path}, line {int(np.argmax(wrong)) + 2}: found the experiment {found!r}, "
                f"expected {MEDIA[medium]} ({medium} medium)"
            )
    name = next((column for column in ("origid", "", "index") if column in table), None)
    plain = pd.DataFrame({"name": table[name] if name is not None else [str(row) for row in range(len(table))]})
    plain["sequence"] = table[_one(path, table, _SEQUENCE)]
    plain["expression"] = _numbers(path, table, *_VALUE)
    plain["prediction"] = _numbers(path, table, *_PREDICTION) if {*_PREDICTION} & {*table} else np.nan
    return _finish(path, plain, table)


def evaluation_table(
    name: str, path: Path, medium: str | None, rows: int | None, flanks: tuple[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of an evaluation set (`COLUMNS`) and the counts of what was found in its file.

    `sequence` is the insert between whole flanks, `flank` how they were found (see `flank_extent`), `reference` a row
    of the table or -1. Raises InputError as `read_measured`, and when the file has not `rows` rows (None: any number)
    or an insert is empty.
    """
    stored = path.suffix == ".safetensors"
    table = read_measured(path, medium)
    count = int((table["role"] != "reference").sum())
    if rows is not None and count != rows:
        raise InputError(f"{path}: found {count:,} rows, expected {rows:,}: another set of this name?")
    # The inserts of a store have lost their flanks already.
    whole = (list(table["sequence"]), ["cut"] * len(table))
    inserts, flank = whole if stored else _inserts(table["sequence"], flanks)
    if "" in inserts:
        raise InputError(f"{path}, row {inserts.index('')}: found nothing between the flanks, expected a sequence")
    built = table.assign(set=name, sequence=[insert.join(flanks) for insert in inserts], flank=flank)
    lengths = [*map(len, inserts)]
    counts = {
        "rows": count,
        "distinct": int((table["role"] == "row").sum()),
        "references added": int((table["role"] == "reference").sum()),
        "rows with a reference": int((table["reference"] >= 0).sum()),
        "with N": sum("N" in insert for insert in inserts),
        **{f"flanks {how}": int((built["flank"] == how).sum()) for how in ("whole", "cut", "partial", "none")},
        "shortest insert": min(lengths),
        "longest insert": max(lengths),
    }
    return built[COLUMNS], pd.DataFrame({"set": name, "what": counts.keys(), "count": counts.values()})


def _inserts(sequences: Iterable[str], flanks: tuple[str, str]) -> tuple[list[str], list[str]]:
    """What lies between the flanks of each construct, and how they were found (see `flank_extent`)."""
    extents = [(sequence, *flank_extent(sequence, *flanks)) for sequence in sequences]
    return [sequence[start:stop] for sequence, start, stop, _ in extents], [how for *_, how in extents]


def is_evaluation(path: Path) -> bool:
    """Whether a text file begins as the tables of `evaluation_table` do. Raises InputError for no file."""
    return next(blocks(path, 1 << 16)).startswith("\t".join(COLUMNS).encode())


def read_evaluation(path: Path) -> pd.DataFrame:
    """Read a table that `evaluation_table` made; raises InputError when it is none, or a number in it is none."""
    table = read_table(path, COLUMNS, "`proformer measured` makes the table", keep_default_na=False)
    table["expression"], table["reference"] = finite(table, ["expression", "reference"], path).T
    return table.astype({"reference": int})


def published_predictions(path: Path, table: pd.DataFrame, medium: str | None, flanks: tuple[str, str]) -> np.ndarray:
    """The predictions that stand in a published file, for each row of an evaluation table: float64 [n].

    Raises InputError as `read_measured`, and when the file has no predictions or not one for every sequence.
    """
    given = read_measured(path, medium)
    if given["prediction"].isna().all():
        raise InputError(f"{path}: found no predictions, expected a column {' or '.join(map(repr, _PREDICTION))}")
    keys = [insert.join(flanks) for insert in _inserts(given["sequence"], flanks)[0]]
    if keys == table["sequence"].tolist():
        return given["prediction"].to_numpy()
    by_sequence = pd.Series(given["prediction"].to_numpy(), index=keys)
    found = by_sequence[~by_sequence.index.duplicated()].reindex(table["sequence"]).to_numpy()
    if (missing := np.isnan(found)).any():
        row = int(np.argmax(missing))
        raise InputError(
            f"{path}: found no prediction for {int(missing.sum()):,} of {len(table):,} sequences, "
            f"first that of row {row}, {table['sequence'].iloc[row][:40]}…"
        )
    return found


def _read_csv(path: Path) -> pd.DataFrame:
    """All cells as text, headings in lower case and without blanks around them; `Unnamed: 0` is ''."""
    try:
        text = io.BytesIO(b"".join(blocks(path)))
        table = pd.read_csv(text, dtype=str, keep_default_na=False, header=None, skip_blank_lines=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: found no table ({str(error).strip()}), expected comma-separated columns") from None
    heading = table.iloc[0].str.strip().str.lower().str.replace("_", " ")
    if len(table) < 2:
        raise InputError(f"{path}: found a heading and no rows, expected measured sequences")
    return table.iloc[1:].set_axis(heading.tolist(), axis=1).reset_index(drop=True)


def _one(path: Path, table: pd.DataFrame, names: Sequence[str]) -> str:
    """The first of these names that is a column; it must be there, once."""
    found = next((name for name in names if name in table), None)
    if found is None:
        columns = ", ".join(repr(column) for column in table.columns[:8])
        raise InputError(f"{path}: found no column {' or '.join(map(repr, names))}, but {columns}")
    if (table.columns == found).sum() > 1:
        raise InputError(f"{path}: found the column {found!r} more than once, expected it once")
    return found


def _numbers(path: Path, table: pd.DataFrame, *names: str) -> np.ndarray:
    """The column of the first of these names that there is, as finite numbers."""
    column = _one(path, table, names)
    values = table[column].str.strip().map(plain_number).to_numpy(np.float64)
    good = np.abs(values) <= FLOAT32_MAX
    if not good.all():
        row = int(np.argmin(good))
        found = f"{table[column].iloc[row]!r} in {column!r}"
        raise InputError(f"{path}, line {row + 2}: found {found}, expected a finite number")
    return values


def _plain(path: Path) -> pd.DataFrame:
    parts = []
    for rows in read_rows(path):
        rows.check_letters()
        parts.append(pd.DataFrame({"sequence": [rows.text(i) for i in range(len(rows))], "expression": rows.values()}))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(name=table.index.astype(str), prediction=np.nan)


def _finish(path: Path, plain: pd.DataFrame, table: pd.DataFrame | None) -> pd.DataFrame:
    """Strip padding, check letters, mark duplicates, and add what rows are compared with."""
    plain["sequence"] = plain["sequence"].str.upper().str.strip("N")
    wrong = ~plain["sequence"].str.fullmatch("[ACGTN]+")
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{path}, line {row + 1 + (table is not None)}: found the sequence {plain['sequence'].iloc[row][:40]!r}, "
            "expected A, C, G, T and N, and not N alone"
        )
    plain["role"] = np.where(plain["sequence"].duplicated(), "duplicate", "row")
    plain["reference"] = -1
    if table is not None and all(column in table for column in _BASE):
        return _with_bases(path, plain, table)
    steps = plain["name"].astype(str).str.extract(_STEP)
    beginnings = {name: row for row, (name, step) in enumerate(steps.itertuples(index=False)) if step == "0"}
    pairs = zip(steps[0], steps[1], strict=True)
    plain["reference"] = [-1 if step == "0" else beginnings.get(name, -1) for name, step in pairs]
    return plain


def _with_bases(path: Path, plain: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Append the sequences that were mutated, read off their mutants: each has all bases but its own changes."""
    measured = _numbers(path, table, "meanel.base")
    predicted = _numbers(path, table, "edvpred.base") if "edvpred.base" in table else np.full(len(table), np.nan)
    added: list[list] = []
    for name, rows in table.groupby("baseseq", sort=False).indices.items():
        base = _base([plain["sequence"].iloc[row] for row in rows], [table["mutdesc"].iloc[row] for row in rows])
        if base is None:
            continue
        plain.iloc[rows, plain.columns.get_loc("reference")] = len(plain) + len(added)
        added.append([name, base, measured[rows[0]], predicted[rows[0]], "reference", -1])
    columns = ["name", "sequence", "expression", "prediction", "role", "reference"]
    return pd.concat([plain[columns], pd.DataFrame(added, columns=columns)], ignore_index=True)


def _base(mutants: Sequence[str], changes: Sequence[str]) -> str | None:
    """The sequence whose mutants these are, or None when a base of it is in none of them.

    `changes` are position (from 0, in the insert) and new base, joined by dots: 22T.9C.4A.
    """
    if len({len(mutant) for mutant in mutants}) > 1:
        return None
    rows = [(row, int(place), base) for row, text in enumerate(changes) for place, base in _CHANGE.findall(text)]
    length = len(mutants[0])
    for offset in range(length - max((place for _, place, _ in rows), default=0)):
        if all(mutants[row][offset + place] == base for row, place, base in rows):
            changed = {(row, offset + place) for row, place, _ in rows}
            kept = [{m[at] for row, m in enumerate(mutants) if (row, at) not in changed} for at in range(length)]
            if all(len(letters) == 1 for letters in kept):
                return "".join(min(letters) for letters in kept)
    return None
