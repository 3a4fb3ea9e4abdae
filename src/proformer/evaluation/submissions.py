"""Predictions for the DREAM test set, from files of any origin, brought into the order of its rows.

Three formats, plain or gz, told apart by their content: our prediction tables (a header with `sequence` and
`prediction`), the challenge's `sequence<TAB>value` without a header, and its JSON object `{"0": value, …}`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.datasets.text import blocks, open_text
from proformer.errors import InputError
from proformer.evaluation.dream import Benchmark
from proformer.evaluation.dream_files import ALL
from proformer.evaluation.evaluate import read_measurements, read_predictions
from proformer.units import whole_number

MOST_ROWS = 10_000_000  # of a test set whose size is not known


@dataclass(frozen=True)
class Submission:
    """The rows of a file: `values` float64 [n]; `rows` of the test set (JSON) or `sequences`; `line` of the first."""

    path: Path
    values: np.ndarray
    rows: list[int] | None
    sequences: list[str] | None
    line: int = 1

    def fail(self, row: int, found: str, expected: str) -> InputError:
        """The error for a row of the file."""
        where = f"line {self.line + row}" if self.rows is None else f"row {self.rows[row]}"
        return InputError(f"{self.path}, {where}: found {found}, expected {expected}")


def read_submission(path: Path) -> Submission:
    """Read a file of predictions; raises InputError for anything but finite numbers."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with open_text(path) as handle:
        first = handle.readline().lstrip()
    if first.startswith(b"{"):
        submission = _read_json(path)
    else:
        heading = set(first.decode("utf-8", "replace").rstrip("\r\n").split("\t"))
        numbers = (read_predictions if {"sequence", "prediction"} <= heading else read_measurements)(path)
        submission = Submission(path, numbers.values[:, 0, 0], None, numbers.sequences, numbers.first or 1)
    if not len(submission.values):
        raise InputError(f"{path}: found no predictions, expected one per row of the test set")
    if not (finite := np.isfinite(submission.values)).all():
        row = int(np.argmin(finite))
        raise submission.fail(row, f"the prediction {submission.values[row]}", "a finite number")
    return submission


def in_test_order(submission: Submission, benchmark: Benchmark) -> np.ndarray:
    """Return the predictions by row of the test set: float64 [N], NaN for rows without one.

    A table whose sequences are those of the test set row by row is taken in that order; any other is matched by
    sequence. Raises InputError for rows that belong to no test sequence and for sequences or rows that come twice.
    """
    if submission.rows is not None:
        return _by_row(submission, benchmark)
    sequences = submission.sequences or []
    size, known = len(benchmark.truth), benchmark.sequences
    if not known:
        raise InputError(f"{submission.path}: found sequences, expected row numbers: no test sequence is known here")
    ordered = max(known) < len(sequences) and all(sequences[row] == text for row, text in known.items())
    if ordered and (len(sequences) == size or not benchmark.complete):
        return np.append(submission.values, np.full(max(0, size - len(sequences)), np.nan))
    return _by_sequence(submission, benchmark)


def predictions_of(
    files: Mapping[str, Path], benchmark: Benchmark, partial: bool = False
) -> tuple[Benchmark, dict[str, np.ndarray]]:
    """Read the files of several models; returns the benchmark that they cover and their predictions by name.

    Every row of every subset must be predicted. With `partial`, a subset of which any model lacks a row is missing
    instead, and the benchmark says so. Raises InputError as `read_submission` and `in_test_order`.
    """
    found = {name: in_test_order(read_submission(path), benchmark) for name, path in files.items()}
    missing: dict[str, str] = {}
    for model, values in found.items():
        for name, rows in benchmark.subsets.items():
            lacking = np.unique(rows[np.isnan(values[rows])])
            if not len(lacking):
                continue
            if not partial:
                more = f"row {lacking[0]}" + (f" and {len(lacking) - 1} more" if len(lacking) > 1 else "")
                subset = "of the test set" if name == ALL else f"of subset {name}"
                raise InputError(f"{files[model]}: found no prediction for {more} {subset}, expected one for each")
            missing.setdefault(name, f"{len(lacking):,} of its {len(np.unique(rows)):,} rows have no prediction")
    if len(missing) == len(benchmark.subsets):
        raise InputError(f"{', '.join(map(str, files.values()))}: found no subset that is predicted whole")
    predicted = [np.isfinite(values) for values in found.values()]
    kept = {name: rows for name, rows in benchmark.approximate.items() if all(own[rows].all() for own in predicted)}
    return replace(benchmark.without(missing), approximate=kept), found


def _by_row(submission: Submission, benchmark: Benchmark) -> np.ndarray:
    rows, size = np.array(submission.rows, dtype=np.int64), len(benchmark.truth)
    last = size - 1 if benchmark.complete else min(int(rows.max()), MOST_ROWS)
    if len(outside := np.flatnonzero(rows > last)):
        raise submission.fail(int(outside[0]), "a row outside the test set", f"0 to {last}")
    values = np.full(max(size, last + 1), np.nan)
    values[rows] = submission.values
    return values


def _by_sequence(submission: Submission, benchmark: Benchmark) -> np.ndarray:
    texts, known = pd.Series(submission.sequences), pd.Series(benchmark.sequences)
    for line in np.flatnonzero(~texts.isin(known)):
        found = f"{texts[line]}, a sequence without a row in the test set"
        raise submission.fail(int(line), found, "only sequences of the test set")
    for line in np.flatnonzero(texts.duplicated()):
        before = submission.line + int(texts.eq(texts[line]).idxmax())
        raise submission.fail(int(line), f"{texts[line]} again (line {before})", "each sequence once")
    values = np.full(max(len(benchmark.truth), known.index.max() + 1), np.nan)
    values[known.index] = known.map(pd.Series(submission.values, index=texts))
    return values


def _read_json(path: Path) -> Submission:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        content = dict(pairs)
        if len(content) != len(pairs):
            keys = pd.Series([key for key, _ in pairs])
            raise InputError(f"{path}: found row {keys[keys.duplicated()].iloc[0]} twice, expected each once")
        return content

    try:
        content = json.loads(b"".join(blocks(path)), object_pairs_hook=once, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise InputError(f'{path}: found no JSON ({error}), expected {{"0": value, …}}') from None
    rows, values = [], []
    for key, value in content.items():
        row = whole_number(key)
        if row is None or not isinstance(value, float):
            raise InputError(f"{path}: found {key!r}: {value!r}, expected a row number from 0 on and a number")
        rows.append(row)
        values.append(value)
    if len(set(rows)) != len(rows):
        raise InputError(f"{path}: found a row twice (as 1 and 01, say), expected each once")
    return Submission(path, np.array(values), rows, None)
