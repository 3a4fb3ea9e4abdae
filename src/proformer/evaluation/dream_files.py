"""The published files of the DREAM test set: tables of subsets (CSV) and the public leaderboard (JSON).

A position or pair that a file lists twice counts once, as in the challenge's own scorer.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.files import read_table

ALL = "all"
SINGLES, PAIRS = ("high", "low", "yeast", "random", "challenging"), ("SNVs", "motif_perturbation", "motif_tiling")
TABLES = {name: f"{name}_seqs" for name in (*SINGLES, *PAIRS)}
TABLES |= {"high": "high_exp_seqs", "low": "low_exp_seqs", "random": "all_random_seqs", "SNVs": "all_SNVs_seqs"}
LEADERBOARD = {name: f"{name}_exp_indices" for name in (*SINGLES, *PAIRS)} | {ALL: "ground"}
TOLERANCE = 1e-6  # between the truth file and the leaderboard's copy of it


@dataclass(frozen=True)
class SubsetFile:
    """A file: its unique rows, int64 [n], or pairs of rows [n, 2]; and the sequence or value of each row it names.

    lines: where a row stands first, in a table.
    """

    path: Path
    rows: np.ndarray
    known: Mapping[int, Any]
    lines: Mapping[int, int]

    def check(self, size: int | None, known: Mapping[int, Any]) -> None:
        """Raise InputError for rows outside a test file of `size` rows, and for what differs from what is known."""
        for row, found in self.known.items():
            where = f"{self.path}, line {self.lines[row]}" if self.lines else str(self.path)
            if row < 0 or (size is not None and row >= size):
                expected = "a row number from 0 on" if size is None else f"a row of the test file, 0 to {size - 1}"
                raise InputError(f"{where}: found row {row}, expected {expected}")
            if row in known and not _same(found, known[row]):
                raise InputError(f"{where}: found {found} for row {row}, expected {known[row]} as in the test file")


def read_files(given: Iterable[Path], names: Mapping[str, str], suffix: str) -> dict[str, SubsetFile]:
    """Read files under their published `names` (+ `suffix`, .csv or .json), or those of folders; by subset."""
    # The archive of the challenge's data calls one table by another name than its repository does.
    known = {stem: name for name, stem in names.items()} | {"motif_perturbation": "motif_perturbation"}
    found: dict[str, SubsetFile] = {}
    for path in map(Path, given):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        files = sorted(path.glob(f"*{suffix}")) if path.is_dir() else [path]
        for file in files:
            name = known.get(file.name.removesuffix(suffix))
            if name is None and not path.is_dir():
                raise InputError(f"{path}: found an unknown name, expected {', '.join(names.values())} and {suffix}")
            if name in found:
                raise InputError(f"{file}: found subset {name} a second time, expected one file ({found[name].path})")
            if name:
                found[name] = _read_table(name, file) if suffix == ".csv" else _read_json(name, file)
    return found


def _read_table(name: str, path: Path) -> SubsetFile:
    prefixes = ("",) if name in SINGLES else ("alt_", "ref_")
    wanted = [f"{prefix}{column}" for prefix in prefixes for column in ("pos", "sequence")]
    table = read_table(path, wanted, f"expected {', '.join(wanted)}", sep=",", quoting=csv.QUOTE_MINIMAL)
    parts = [table[[f"{prefix}pos", f"{prefix}sequence"]].set_axis(["pos", "text"], axis=1) for prefix in prefixes]
    cells = pd.concat([part.assign(line=part.index + 2) for part in parts], ignore_index=True)
    cells["row"] = pd.to_numeric(cells["pos"], errors="coerce")
    for wrong in cells[(cells["row"] % 1 != 0) | (cells["row"].abs() > 2**53) | cells["text"].isna()].itertuples():
        found = f"{wrong.pos!r} and {wrong.text!r}"
        raise InputError(f"{path}, line {wrong.line}: found {found}, expected a row number and its sequence")
    cells = cells.astype({"row": np.int64}).assign(text=cells["text"].astype(str).str.upper())
    first = cells.drop_duplicates("row").set_index("row")
    for wrong in cells[cells["text"] != cells["row"].map(first["text"])].itertuples():
        expected = f"that of line {first.loc[wrong.row, 'line']}, {first.loc[wrong.row, 'text']}"
        raise InputError(
            f"{path}, line {wrong.line}: found row {wrong.row} with sequence {wrong.text}, expected {expected}"
        )
    positions = cells["row"].to_numpy().reshape(len(prefixes), -1).T
    return SubsetFile(path, _unique(positions), first["text"].to_dict(), first["line"].to_dict())


def _read_json(name: str, path: Path) -> SubsetFile:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: found no JSON ({error}), expected the published file") from None
    width = 2 if name in PAIRS else 1
    values: dict[int, float] = {}
    positions = []
    for key, measured in content.items() if isinstance(content, dict) else ():
        try:
            rows = [int(row) for row in key.split(",")]
            numbers = [float(x) for x in (measured if isinstance(measured, list) else [measured])]
        except (TypeError, ValueError):
            rows, numbers = [], []
        if len(rows) != width or len(numbers) != width or not np.isfinite(numbers).all():
            form = '"row": value' if width == 1 else '"alternative,reference": [value, value]'
            raise InputError(f"{path}: found {key!r}: {measured!r}, expected {form}")
        positions.append(rows)
        values |= dict(zip(rows, numbers, strict=True))
    if not positions:
        raise InputError(f"{path}: found no rows, expected a JSON object of rows and their values")
    return SubsetFile(path, _unique(np.array(positions, dtype=np.int64)), values, {})


def _same(a: Any, b: Any) -> bool:
    return a == b if isinstance(a, str) else bool(abs(a - b) <= TOLERANCE)


def _unique(positions: np.ndarray) -> np.ndarray:
    return np.unique(positions[:, 0]) if positions.shape[1] == 1 else np.unique(positions, axis=0)
