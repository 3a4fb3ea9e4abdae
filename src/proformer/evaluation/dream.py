"""The score of the DREAM challenge 2022 (Rafi et al., Methods): eight subsets of the test set and all of its rows.

Pearson Score = Σ w·r² / Σ w and Spearman Score = Σ w·ρ / Σ w. Subsets of pairs correlate the differences between
their two sequences. As in the challenge's own scorer, a position or pair that a table lists twice counts once, and the
private part leaves out the public leaderboard: of single subsets and of `all` every row that stands anywhere in it, of
pair subsets the public pairs. The public part is what the leaderboard's own files list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proformer.datasets.rows import read_rows
from proformer.errors import InputError
from proformer.evaluation.metrics import score
from proformer.simulate.perfect import perfect_sequences

ALL = "all"
WEIGHTS = {ALL: 1.0, "high": 0.3, "low": 0.3, "yeast": 0.3, "random": 0.3, "challenging": 0.5}
WEIGHTS |= {"SNVs": 1.25, "motif_perturbation": 0.3, "motif_tiling": 0.4}
SINGLES, PAIRS = ("high", "low", "yeast", "random", "challenging"), ("SNVs", "motif_perturbation", "motif_tiling")
TABLES = {name: f"{name}_seqs" for name in (*SINGLES, *PAIRS)}
TABLES |= {"high": "high_exp_seqs", "low": "low_exp_seqs", "random": "all_random_seqs", "SNVs": "all_SNVs_seqs"}
LEADERBOARD = {name: f"{name}_exp_indices" for name in (*SINGLES, *PAIRS)} | {ALL: "ground"}
PARTS = ("private", "public", "all")
SCORE, PARTIAL = "score", "score of the subsets at hand"
MEASURES = ("pearson", "r2", "spearman")
SCORES = {"pearson_score": "r2", "spearman_score": "spearman"}  # and what they average
TOLERANCE = 1e-6  # between the truth file and the leaderboard's copy of it


@dataclass(frozen=True)
class Benchmark:
    """What predictions are held against.

    `truth`: float64 [N], by row of the test set, NaN where it is not known; `subsets`: by name the rows, int64 [n], or
    the pairs (alternative, reference), int64 [n, 2]; `missing`: by name why a subset is not there; `sequences`: by row,
    those that are known; `complete`: every row of the test set is known.
    """

    part: str
    truth: np.ndarray
    subsets: Mapping[str, np.ndarray]
    missing: Mapping[str, str]
    sequences: Mapping[int, str]
    complete: bool

    def values(self, name: str, values: np.ndarray) -> np.ndarray:
        """One number per row of a subset, or the difference of each of its pairs: [..., N] to [..., n]."""
        rows = self.subsets[name]
        return values[..., rows] if rows.ndim == 1 else values[..., rows[:, 0]] - values[..., rows[:, 1]]

    def without(self, missing: Mapping[str, str]) -> Benchmark:
        """The same without some subsets."""
        kept = {name: rows for name, rows in self.subsets.items() if name not in missing}
        return Benchmark(self.part, self.truth, kept, {**self.missing, **missing}, self.sequences, self.complete)

    @property
    def title(self) -> str:
        """What the weighted scores are called: a score that lacks subsets says so."""
        return PARTIAL if self.missing else SCORE

    @property
    def at_hand(self) -> str:
        """The subsets that a partial score stands on and those that it lacks, in words; empty when none is missing."""
        if not self.missing:
            return ""
        weight = sum(WEIGHTS[name] for name in self.subsets)
        lacking = "; ".join(f"{name} ({why})" for name, why in self.missing.items())
        return f"weights {weight:g} of {sum(WEIGHTS.values()):g}; missing: {lacking}"


def read_benchmark(
    part: str, truth: Path | None, subsets: Iterable[Path] = (), leaderboard: Iterable[Path] = ()
) -> Benchmark:
    """Read the measured test file, the tables of subsets and the public leaderboard.

    `subsets` and `leaderboard`: folders, or files under their published names. The public part takes its values from
    the leaderboard when there is no truth file. Raises InputError for rows outside the test file, sequences or values
    that disagree between files, and for a private part without the whole leaderboard.
    """
    if part not in PARTS:
        raise InputError(f"part: found {part!r}, expected one of {', '.join(PARTS)}")
    tables = {name: _read_subset(name, path) for name, path in _named(subsets, TABLES, ".csv").items()}
    public = {name: _read_public(name, path) for name, path in _named(leaderboard, LEADERBOARD, ".json").items()}
    values, sequences = _read_truth(truth) if truth else _public_truth(public)
    size = len(values) if truth else None
    for table in tables.values():
        table.check(size, sequences)
    for known in public.values():
        known.check(size, values)
    if not truth:
        if part != "public":
            raise InputError(f"part {part}: found no file of measured values, expected one (or the public part)")
        sequences = {row: text for table in tables.values() for row, text in table.sequences.items()}
    at_hand = _public_part(public) if part == "public" else _tables_part(part, tables, public, len(values))
    missing = {name: _why(name, part) for name in WEIGHTS if name not in at_hand}
    ordered = {name: at_hand[name] for name in WEIGHTS if name in at_hand}
    if empty := [name for name, rows in ordered.items() if not len(rows)]:
        raise InputError(f"part {part}: found no rows of subset {', '.join(empty)}, expected some")
    if not ordered:
        raise InputError(f"part {part}: found no subset, expected the published tables or leaderboard files")
    return Benchmark(part, values, ordered, missing, sequences, truth is not None)


def score_table(benchmark: Benchmark, predictions: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Score models: `predictions` holds by name float64 [N], NaN only outside the subsets.

    Returns the rows model, part, subset, measure, value, n, weight, note: Pearson r, r² and Spearman ρ of each subset
    and both weighted scores. A correlation with constant predictions is undefined: its value, and that of a score
    that needs it, is NaN, and the note says so. Missing subsets have rows without a value.
    """
    rows: list[dict[str, Any]] = []
    for model, values in predictions.items():
        found: dict[str, dict[str, float]] = {}
        for name, weight in WEIGHTS.items():
            key = {"model": model, "part": benchmark.part, "subset": name, "weight": weight}
            if name in benchmark.missing:
                rows += [key | {"measure": m, "n": 0, "note": f"missing: {benchmark.missing[name]}"} for m in MEASURES]
                continue
            measured, predicted = benchmark.values(name, benchmark.truth), benchmark.values(name, values)
            found[name] = score(predicted, measured)
            note = _undefined(measured) if np.isnan(found[name]["pearson"]) else ""
            cells = key | {"n": len(measured), "note": note}
            rows += [cells | {"measure": measure, "value": found[name][measure]} for measure in MEASURES]
        key = {"model": model, "part": benchmark.part, "subset": benchmark.title, "n": len(found)}
        unknown = [name for name, numbers in found.items() if np.isnan(numbers["pearson"])]
        notes = [benchmark.at_hand, f"undefined: no correlation in {', '.join(unknown)}" if unknown else ""]
        total = sum(WEIGHTS[name] for name in found)
        for measure, part in SCORES.items():
            value = sum(WEIGHTS[name] * numbers[part] for name, numbers in found.items()) / total
            cells = {"measure": measure, "value": value, "weight": total, "note": "; ".join(filter(None, notes))}
            rows.append(key | cells)
    columns = ["model", "part", "subset", "measure", "value", "n", "weight", "note"]
    return pd.DataFrame(rows, columns=columns)


def with_ceiling(scores: pd.DataFrame, benchmark: Benchmark) -> pd.DataFrame:
    """Add the column `ceiling` to a table of `score_table`: the score of a perfect model of simulated promoters."""
    perfect = np.full(len(benchmark.truth), np.nan)
    perfect[list(benchmark.sequences)] = perfect_sequences(list(benchmark.sequences.values()))
    found = score_table(benchmark, {"": perfect}).set_index(["subset", "measure"])["value"]
    return scores.assign(ceiling=found.reindex(pd.MultiIndex.from_frame(scores[["subset", "measure"]])).to_numpy())


def _undefined(measured: np.ndarray) -> str:
    if len(measured) < 2:
        return "undefined: a single row"
    return f"undefined: constant {'measured values' if np.ptp(measured) == 0 else 'predictions'}"


def _range(size: int | None) -> str:
    return "a row number from 0 on" if size is None else f"a row of the test file, 0 to {size - 1}"


def _why(name: str, part: str) -> str:
    if name == ALL:
        return "the leaderboard files do not list all public rows"
    return f"no {LEADERBOARD[name]}.json" if part == "public" else f"no {TABLES[name]}.csv"


def _named(given: Iterable[Path], names: Mapping[str, str], suffix: str) -> dict[str, Path]:
    """Find the published file names among files and folders."""
    # The archive of the challenge's data calls one table by another name than its repository does.
    known = {stem: name for name, stem in names.items()} | {"motif_perturbation": "motif_perturbation"}
    found: dict[str, Path] = {}
    for path in map(Path, given):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        files = sorted(path.glob(f"*{suffix}")) if path.is_dir() else [path]
        for file in files:
            name = known.get(file.name.removesuffix(suffix))
            if name is None and not path.is_dir():
                raise InputError(f"{path}: found an unknown name, expected {', '.join(names.values())} and {suffix}")
            if name in found:
                raise InputError(f"{file}: found subset {name} a second time, expected one file ({found[name]})")
            if name:
                found[name] = file
    return found


def _read_truth(path: Path) -> tuple[np.ndarray, dict[int, str]]:
    values: list[np.ndarray] = []
    sequences: list[str] = []
    for rows in read_rows(path):
        values.append(rows.values())
        sequences += [rows.text(row).upper() for row in range(len(rows))]
    return np.concatenate(values), dict(enumerate(sequences))


@dataclass(frozen=True)
class _Table:
    """A table of a subset: unique rows [n] or pairs [n, 2], where each row first stands, and its sequence."""

    path: Path
    rows: np.ndarray
    lines: Mapping[int, int]
    sequences: Mapping[int, str]

    def check(self, size: int | None, known: Mapping[int, str]) -> None:
        for row, line in self.lines.items():
            if row < 0 or (size is not None and row >= size):
                raise InputError(f"{self.path}, line {line}: found row {row}, expected {_range(size)}")
            if row in known and known[row] != self.sequences[row]:
                expected = f"that of row {row} of the test file, {known[row]}"
                raise InputError(f"{self.path}, line {line}: found sequence {self.sequences[row]}, expected {expected}")


def _read_subset(name: str, path: Path) -> _Table:
    columns = ("",) if name in SINGLES else ("alt_", "ref_")
    try:
        table = pd.read_csv(path)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: found no table ({error}), expected the published CSV") from None
    wanted = [f"{prefix}{column}" for prefix in columns for column in ("pos", "sequence")]
    if lacking := [column for column in wanted if column not in table]:
        raise InputError(f"{path}: found no column {', '.join(lacking)}, expected {', '.join(wanted)}")
    lines: dict[int, int] = {}
    sequences: dict[int, str] = {}
    for prefix in columns:
        rows = pd.to_numeric(table[f"{prefix}pos"], errors="coerce")
        whole = rows.notna() & (rows % 1 == 0) & table[f"{prefix}sequence"].notna()
        if not whole.all():
            at = int(np.argmin(whole))
            cells = f"{table[f'{prefix}pos'].iloc[at]!r} and {table[f'{prefix}sequence'].iloc[at]!r}"
            raise InputError(f"{path}, line {at + 2}: found {cells}, expected a row number and its sequence")
        texts = table[f"{prefix}sequence"].astype(str).str.upper()
        for line, (row, text) in enumerate(zip(rows.astype(int), texts, strict=True), 2):
            lines.setdefault(row, line)
            if sequences.setdefault(row, text) != text:
                expected = f"that of line {lines[row]}, {sequences[row]}"
                raise InputError(f"{path}, line {line}: found row {row} with sequence {text}, expected {expected}")
    positions = table[[f"{prefix}pos" for prefix in columns]].to_numpy(np.int64)
    return _Table(path, _unique(positions, name), lines, sequences)


def _unique(positions: np.ndarray, name: str) -> np.ndarray:
    return np.unique(positions[:, 0]) if name in (*SINGLES, ALL) else np.unique(positions, axis=0)


@dataclass(frozen=True)
class _Public:
    """A file of the leaderboard: unique rows [n] or pairs [n, 2], and the measured value of each row."""

    path: Path
    rows: np.ndarray
    values: Mapping[int, float]

    def check(self, size: int | None, truth: np.ndarray) -> None:
        for row, value in self.values.items():
            if row < 0 or (size is not None and row >= size):
                raise InputError(f"{self.path}: found row {row}, expected {_range(size)}")
            if not abs(truth[row] - value) <= TOLERANCE:
                raise InputError(f"{self.path}: found {value} for row {row}, expected {truth[row]} as measured")


def _read_public(name: str, path: Path) -> _Public:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
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
    return _Public(path, _unique(np.array(positions, dtype=np.int64), name), values)


def _public_truth(public: Mapping[str, _Public]) -> tuple[np.ndarray, dict[int, str]]:
    known = {row: value for file in public.values() for row, value in file.values.items()}
    truth = np.full(max(known, default=-1) + 1, np.nan)
    if known and min(known) >= 0:
        truth[list(known)] = list(known.values())
    return truth, {}


def _all_public(public: Mapping[str, _Public]) -> np.ndarray | None:
    """Every public row; None when the files at hand do not tell."""
    if ALL in public or {*SINGLES, *PAIRS} <= public.keys():
        return np.unique(np.concatenate([file.rows.ravel() for file in public.values()]))
    return None


def _public_part(public: Mapping[str, _Public]) -> dict[str, np.ndarray]:
    rows = _all_public(public)
    return {name: file.rows for name, file in public.items()} | ({} if rows is None else {ALL: rows})


def _tables_part(part: str, tables: Mapping[str, _Table], public: Mapping[str, _Public], size: int) -> dict:
    found = {ALL: np.arange(size)} | {name: table.rows for name, table in tables.items()}
    if part == "all":
        return found
    if lacking := [f"{LEADERBOARD[name]}.json" for name in (*SINGLES, *PAIRS) if name not in public]:
        raise InputError(f"part private: found no {', '.join(lacking)}, expected the files of the public leaderboard")
    shown = np.concatenate([file.rows.ravel() for file in public.values()])
    key = np.array([size, 1])  # one number per pair
    shown_pairs = np.concatenate([public[name].rows @ key for name in PAIRS])
    private = {name: rows[~np.isin(rows, shown)] for name, rows in found.items() if name not in PAIRS}
    return private | {name: found[name][~np.isin(found[name] @ key, shown_pairs)] for name in PAIRS if name in found}


def rows_needed(benchmark: Benchmark, names: Sequence[str] | None = None) -> np.ndarray:
    """Every row that some subsets (default: all of them) are computed from, in order."""
    chosen = benchmark.subsets if names is None else names
    return np.unique(np.concatenate([benchmark.subsets[name].ravel() for name in chosen]))
