"""Predictions against measurements, sequence by sequence: a long table of metrics, of every task of a data set.

Both may be tables or stores. Tables: those of `proformer predict` (sequence, then a column for each task), text files
(`sequence<TAB>value`, a value for each task; see `datasets.rows`) and tables of `proformer measured`. Stores: see
`datasets.store`.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.datasets.measured import is_evaluation, read_evaluation
from proformer.datasets.rows import read_rows
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.evaluation.metrics import METRICS, NUMBERS, checked
from proformer.evaluation.paired import bootstrap, drawn_rows, interval
from proformer.files import finite, read_table
from proformer.sequences import decode
from proformer.tasks import MetricName, Task

SAMPLES = 1000
COLUMNS = ["task", "metric", "over", "value", "low", "high", "n"]
ALL, SEQUENCE = "all", "sequence"  # what a metric is over
VALUE, CHANGE = "value", "change"  # what is compared


@dataclass(frozen=True)
class Numbers:
    """What a file holds: `values` float [N, T, P] of its `sequences`, in the units of the source.

    tasks: their names, empty where the file names none. group: int [N], rows of one group are drawn together.
    table: of `proformer measured`. first: the line of the first sequence, None in a store.
    """

    path: Path
    sequences: list[str]
    values: np.ndarray
    group: np.ndarray
    tasks: tuple[str, ...] = ()
    metrics: tuple[MetricName, ...] = NUMBERS
    table: pd.DataFrame | None = None
    first: int | None = 1

    def place(self, row: int) -> str:
        """The file, and the line or row in it."""
        return f"{self.path}, row {row}" if self.first is None else f"{self.path}, line {self.first + row}"


def evaluate(
    predictions: Path, truth: Path, metrics: Sequence[MetricName] = (), samples: int = SAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Score predictions of the same sequences in the same order; the columns are `COLUMNS`, a row per task and metric.

    over: "all" sequences and positions at once; or within each "sequence", over its positions, where there are
    several: the mean over the sequences in which the metric is defined, `n` of them. low, high: 95 % bootstrap
    interval, of sequences (or groups of them) drawn `samples` times; 0: none. metrics: those of the task by default.
    Rows of a table of `proformer measured` that repeat others do not count; metrics called change_… are of the
    changes from the rows' references.

    Raises InputError when the rows do not belong together: another number, or another sequence in a row.
    """
    predicted, measured = read_predictions(predictions), read_measurements(truth)
    check_rows(predicted, measured)
    tables = []
    for what, rows, values_of in contrasts(measured.table):
        for task, name in enumerate(measured.tasks or predicted.tasks):
            x, y = checked(*(values_of(numbers.values[:, task]) for numbers in (predicted, measured)))
            table = _score(x, y, measured.group[rows], metrics or measured.metrics, samples, seed).assign(task=name)
            tables.append(table.assign(metric=("" if what == VALUE else f"{what}_") + table["metric"]))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def contrasts(
    table: pd.DataFrame | None,
) -> Iterator[tuple[str, np.ndarray | slice, Callable[[np.ndarray], np.ndarray]]]:
    """What is compared of a table of `proformer measured`: its name, the rows, and the function that computes it.

    The function takes the values of all rows. Compared are the values of distinct rows, and the changes of rows that
    have a reference from that reference. A table of None is for measurements of another kind: values of all rows.
    """
    if table is None:
        yield VALUE, slice(None), lambda values: values
        return
    distinct, reference = table["role"] == "row", table["reference"].to_numpy()
    rows, changed = np.flatnonzero(distinct), np.flatnonzero(distinct & (reference >= 0))
    yield VALUE, rows, lambda values: values[rows]
    if len(changed) > 2:
        yield CHANGE, changed, lambda values: values[changed] - values[reference[changed]]


def groups_of(table: pd.DataFrame) -> np.ndarray:
    """Rows that belong together, those with one reference, have the same number: int [n]."""
    reference = table["reference"].to_numpy()
    return np.where(reference >= 0, reference, np.arange(len(table)))


def _score(
    x: np.ndarray, y: np.ndarray, group: np.ndarray, metrics: Sequence[MetricName], samples: int, seed: int
) -> pd.DataFrame:
    """Metrics of one task: predictions and measurements float64 [N, P]."""
    rows = []
    for metric in metrics:
        value = float(METRICS[metric].rows(x.ravel(), y.ravel()))
        draws = bootstrap(metric, y, x[None], group, samples, seed)[:, 0] if samples else np.array([np.nan])
        rows.append((metric, ALL, value, *interval(draws), len(x)))
        if x.shape[1] > 1:
            single = METRICS[metric].rows(x, y)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Mean of empty slice")
                draws = np.full(max(samples, 1), np.nan)
                for places, drawn in drawn_rows(group, samples, seed):
                    draws[places] = np.nanmean(single[drawn], axis=1)
                rows.append((metric, SEQUENCE, np.nanmean(single), *interval(draws), (~np.isnan(single)).sum()))
    return pd.DataFrame(rows, columns=COLUMNS[1:])


def check_rows(predicted: Numbers, measured: Numbers) -> None:
    """Raise InputError unless predictions are of the rows that were measured, in their order, and of their shape."""
    for row, (found, expected) in enumerate(zip(predicted.sequences, measured.sequences, strict=False)):
        if found != expected:
            raise InputError(
                f"{predicted.place(row)}: found the sequence {found[:60]!r}, expected {expected[:60]!r} as in "
                f"{measured.place(row)}"
            )
    if len(predicted.sequences) != len(measured.sequences):
        raise InputError(
            f"{predicted.path}: found {len(predicted.sequences):,} predictions, expected one for each of the "
            f"{len(measured.sequences):,} rows of {measured.path}"
        )
    if predicted.values.shape != measured.values.shape:
        raise InputError(
            f"{predicted.path}: found {_size(predicted)}, expected {_size(measured)} as in {measured.path}"
        )
    if predicted.tasks and measured.tasks and predicted.tasks != measured.tasks:
        found, expected = (", ".join(numbers.tasks) for numbers in (predicted, measured))
        raise InputError(f"{predicted.path}: found the tasks {found}, expected {expected} as in {measured.path}")


def _size(numbers: Numbers) -> str:
    return "{1} tasks and {2} positions".format(*numbers.values.shape)


def read_predictions(path: Path) -> Numbers:
    """Read what `proformer predict` wrote. Raises InputError, with the line, for anything but finite numbers."""
    if path.suffix == ".safetensors":
        return _store(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    table = read_table(path, keep_default_na=False)
    names = [column for column in table if column not in ("name", "sequence")]
    if "sequence" not in table or not names:
        lacking = "sequence" if "sequence" not in table else "prediction"
        raise InputError(f"{path}: found no column {lacking!r}; `proformer predict` writes the table")
    values = finite(table, names, path)
    tasks = () if names == ["prediction"] else tuple(names)
    sequences = table["sequence"].astype(str).str.upper().tolist()
    return Numbers(path, sequences, values[:, :, None], np.arange(len(table)), tasks, first=2)


def read_measurements(path: Path) -> Numbers:
    """Read a text file, a table of `proformer measured`, or a store."""
    if path.suffix == ".safetensors":
        return _store(path)
    if is_evaluation(path):
        return of_table(read_evaluation(path), path)
    pieces = [(rows, rows.numbers()) for rows in read_rows(path)]
    first, values = pieces[0][0], np.concatenate([numbers for _, numbers in pieces])
    sequences = [rows.text(row).upper() for rows, _ in pieces for row in range(len(rows))]
    tasks = Task().names if values.shape[1] == 1 else first.names
    return Numbers(path, sequences, values[:, :, None], np.arange(len(values)), tasks, first=first.line)


def of_table(table: pd.DataFrame, path: Path) -> Numbers:
    """The measurements of a table of `proformer measured`."""
    values = table["expression"].to_numpy(np.float64)[:, None, None]
    return Numbers(path, table["sequence"].tolist(), values, groups_of(table), Task().names, table=table, first=2)


def _store(path: Path) -> Numbers:
    store = open_store(path)
    sequences = [decode(row) for row in store.codes]
    task = store.task
    group = np.asarray(store.columns["group"])
    return Numbers(path, sequences, store.target, group, task.names, task.metrics, first=None)
