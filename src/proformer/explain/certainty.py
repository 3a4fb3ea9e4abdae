"""How sure predictions are: ensembles of models, and intervals that hold what they promise (split conformal).

The mean of several models, such as the seeds of a run, is the prediction, their standard deviation its spread. Measured
rows that no model was trained on calibrate it: a line maps predictions to the units that are measured (models of the
DREAM challenge learn bins, its test set was measured otherwise), and the interval is as wide as the ⌈(n + 1) · c⌉-th
smallest error of these n rows. Each row's error is that from the line through the others, e / (1 - h) with its leverage
h: from a line that has seen the row, few rows would promise too much. For rows of the same kind the interval then holds
a share of about c of the measured values, whatever the model is; of another kind, it need not. Three widths:
"constant", one for all; "spread", in proportion to the spread of the models (where there are several); "local", by the
errors of the calibration rows with the nearest predictions (in ten groups).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from proformer.datasets.measured import evaluation_table
from proformer.errors import InputError
from proformer.evaluation.dream import Benchmark
from proformer.evaluation.evaluate import contrasts

if TYPE_CHECKING:
    from proformer.predict import Predictor

NOMINAL = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
WIDTHS = ("constant", "spread", "local")
GROUPS = 10
LOCAL = 20  # fewest rows of a local group
FEWEST = 10  # rows that calibrate


@dataclass(frozen=True)
class Ensemble:
    """Several models' predictions of the same rows: `mean`, and `sd`, the spread, float64 [N]."""

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, predictions: Sequence[np.ndarray]) -> "Ensemble":
        """Of one model's predictions or several."""
        values = np.stack(predictions)
        return cls(values.mean(axis=0), values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1]))

    def rows(self, rows: np.ndarray) -> "Ensemble":
        """Some of the rows."""
        return Ensemble(self.mean[rows], self.sd[rows])


class Intervals:
    """Intervals calibrated on measured rows. width: see the module. Raises InputError for fewer than ten rows."""

    def __init__(self, predicted: Ensemble, measured: np.ndarray, width: str = "constant") -> None:
        if len(measured) < FEWEST:
            raise InputError(f"calibration: found {len(measured)} rows, expected at least {FEWEST}")
        away = predicted.mean - predicted.mean.mean()
        total = float(away @ away) or np.inf  # of equal predictions: the line is flat
        slope = float(away @ measured) / total
        self.line = slope, float(measured.mean() - slope * predicted.mean.mean())
        leverage = 1 / len(measured) + away**2 / total
        self.width = width
        self.floor = float(np.median(predicted.sd)) if width == "spread" else 1.0
        groups = max(1, min(GROUPS, len(measured) // LOCAL)) if width == "local" else 1
        self.edges = np.quantile(predicted.mean, np.linspace(0, 1, groups + 1)[1:-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.abs(measured - self.centre(predicted)) / (1 - leverage) / self._scale(predicted)
        errors[leverage > 1 - 1e-9] = np.inf  # no other row tells where the line would be
        group = np.searchsorted(self.edges, predicted.mean, side="right")
        self.errors = [np.sort(errors[group == number]) for number in range(groups)]

    def centre(self, predicted: Ensemble) -> np.ndarray:
        """Predictions in the units that were measured."""
        return self.line[0] * predicted.mean + self.line[1]

    def half(self, predicted: Ensemble, coverage: float) -> np.ndarray:
        """Half of the width of intervals that hold this share: float64 [N]; infinite where too few rows tell it."""
        sizes = []
        for errors in self.errors:
            place = math.ceil((len(errors) + 1) * coverage - 1e-9)  # 0.55 · 100 is a little more than 55
            sizes.append(0.0 if not place else errors[place - 1] if place <= len(errors) else np.inf)
        group = np.searchsorted(self.edges, predicted.mean, side="right")
        return np.array(sizes)[group] * self._scale(predicted)

    def _scale(self, predicted: Ensemble) -> np.ndarray:
        # Half of it is there for all, so that models that agree by chance do not promise everything.
        return (predicted.sd + self.floor) / 2 if self.width == "spread" else np.ones(len(predicted.mean))


def coverage_table(
    predicted: Ensemble, benchmark: Benchmark, calibration: Mapping[str, np.ndarray], nominal: Sequence[float] = NOMINAL
) -> pd.DataFrame:
    """Nominal against real coverage of the DREAM test set, subset by subset.

    calibration: names of sets of rows that calibrate, and the rows; none of them may be scored, and sets of fewer than
    ten are left out. Columns: calibrated_on, calibration (how many rows), width, subset, nominal, real, low, high
    (95 % of the real coverage, Wilson), mean_width, n. Raises InputError where no set is large enough.
    """
    known = np.isfinite(predicted.mean) & np.isfinite(benchmark.truth)
    sets = {name: rows[known[rows]] for name, rows in calibration.items()}
    if max(map(len, sets.values()), default=0) < FEWEST:
        sizes = ", ".join(f"{len(rows)} {name}" for name, rows in sets.items())
        raise InputError(f"calibration: found {sizes or 'no rows'}, expected at least {FEWEST}")
    tables = []
    for name, rows in sets.items():
        if len(rows) < FEWEST:
            continue
        for width in WIDTHS:
            if width == "spread" and not predicted.sd.any():
                continue
            intervals = Intervals(predicted.rows(rows), benchmark.truth[rows], width)
            for subset, members in benchmark.subsets.items():
                if members.ndim == 1:
                    chosen = np.setdiff1d(members, rows)
                    tables.append(_covered(intervals, predicted.rows(chosen), benchmark.truth[chosen], nominal).assign(
                        calibrated_on=name, calibration=len(rows), width=width, subset=subset
                    ))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def _covered(intervals: Intervals, predicted: Ensemble, measured: np.ndarray, nominal: Sequence[float]) -> pd.DataFrame:
    error, n, z = np.abs(measured - intervals.centre(predicted)), len(measured), 1.96
    rows = []
    for coverage in nominal:
        half = intervals.half(predicted, coverage)
        real = float((error <= half).mean())
        middle = real + z * z / (2 * n)
        reach = z * math.sqrt(real * (1 - real) / n + z * z / (4 * n * n))
        low, high = ((middle + sign * reach) / (1 + z * z / n) for sign in (-1, 1))
        size = {"mean_width": float(2 * half.mean()), "n": n}
        rows.append({"nominal": coverage, "real": real, "low": low, "high": high} | size)
    return pd.DataFrame(rows)


def change_table(models: Mapping[str, np.ndarray], benchmark: Benchmark) -> pd.DataFrame:
    """How well the effects of variants are predicted: pairs of the DREAM test set.

    models: by seed. Columns: subset, n, pearson and spearman (of the mean of the models), sign (share of the pairs
    whose direction is right, of the half that changes most), sd (the mean spread over models of an effect), and r of
    the spread with the size of the error, which says whether the models know where they are wrong.
    """
    rows = []
    for subset, pairs in benchmark.shown.items():
        if pairs.ndim == 2:
            each = np.stack([benchmark.values(subset, values) for values in models.values()])
            rows.append(_changes(subset, each, benchmark.values(subset, benchmark.truth)))
    return pd.DataFrame(rows)


def drift_table(models: "Mapping[str, Predictor]", mutants: Path) -> pd.DataFrame:
    """The same of mutants of Vaishnav et al. (`Drift_testdata.csv`), against what was mutated.

    models: by seed, of one layout. Raises InputError for a file without mutants.
    """
    flanks = next(iter(models.values())).layout.flanks
    table, _ = evaluation_table("drift", mutants, None, None, flanks)
    _, *changes = contrasts(table)
    if not changes:
        raise InputError(f"{mutants}: found no mutants whose origin is known, expected some")
    ((_, _, change_of),) = changes
    sequences = table["sequence"].tolist()
    each = np.stack([change_of(model.predict(sequences)[:, 0]) for model in models.values()])
    return pd.DataFrame([_changes("drift", each, change_of(table["expression"].to_numpy()))])


def _changes(subset: str, each: np.ndarray, measured: np.ndarray) -> dict[str, Any]:
    """A row of the table of changes: predicted [models, n] and measured ones [n]."""
    from proformer.evaluation.metrics import score

    effect, large = each.mean(axis=0), np.abs(measured) >= np.median(np.abs(measured))
    found = score(effect, measured)
    sign = float((np.sign(effect) == np.sign(measured))[large].mean())
    row = {"subset": subset, "n": len(measured), "pearson": found["pearson"], "spearman": found["spearman"]}
    row |= {"sign": sign, "models": len(each), "sd": math.nan, "r_sd_error": math.nan}
    if len(each) > 1:
        spread = each.std(axis=0, ddof=1)
        row |= {"sd": float(spread.mean()), "r_sd_error": score(spread, np.abs(measured - effect))["pearson"]}
    return row


def scored_tables(
    files: Mapping[tuple[str, str], Path],
    truth: Path,
    subsets: Sequence[Path],
    leaderboard: Sequence[Path],
    mutants: Path | None = None,
    models: "Mapping[tuple[str, str], Predictor] | None" = None,
) -> dict[str, pd.DataFrame]:
    """Tables "coverage" and "effects" of models by (run, seed), whose seeds are averaged, on the DREAM test set.

    Intervals are calibrated on the public rows of the leaderboard, and on those of random promoters alone. mutants: see
    `drift_table`, which is part of "effects" then; the models predict them.
    """
    from proformer.evaluation.dream import read_benchmark
    from proformer.evaluation.submissions import predictions_of

    benchmark = read_benchmark("private", truth, subsets, leaderboard)
    named = {f"{run}:{seed}": path for (run, seed), path in files.items()}
    benchmark, values = predictions_of(named, benchmark, partial=True)
    public = read_benchmark("public", truth, subsets, leaderboard).subsets
    calibration = {"all public rows": benchmark.public}
    if "random" in public:
        calibration["public random rows"] = public["random"]
    tables: dict[str, list[pd.DataFrame]] = {"coverage": [], "effects": []}
    for run in dict.fromkeys(run for run, _ in files):
        seeds = {seed: values[f"{run}:{seed}"] for name, seed in files if name == run}
        ensemble = Ensemble.of([*seeds.values()])
        tables["coverage"].append(coverage_table(ensemble, benchmark, calibration).assign(run=run, models=len(seeds)))
        tables["effects"].append(change_table(seeds, benchmark).assign(run=run))
        if mutants and models:
            own = {seed: model for (name, seed), model in models.items() if name == run}
            tables["effects"].append(drift_table(own, mutants).assign(run=run))
    return {name: _first(pd.concat(pieces, ignore_index=True), "run") for name, pieces in tables.items()}


def interval_table(
    predictions: Sequence[Path], calibration: Sequence[Path], measured: Path, coverage: float, width: str
) -> pd.DataFrame:
    """Intervals of predictions of several models, calibrated on their predictions of measured sequences.

    Columns: sequence, task, prediction, sd (over models), low, high. Raises InputError for tables of other rows.
    """
    from proformer.evaluation.evaluate import check_rows, read_measurements, read_predictions

    if len(predictions) != len(calibration):
        raise InputError(f"--calibration: found {len(calibration)} tables, expected one for each of {len(predictions)}")
    new, old, truth = (
        [read_predictions(path) for path in predictions],
        [read_predictions(path) for path in calibration],
        read_measurements(measured),
    )
    for numbers in old:
        check_rows(numbers, truth)
    for numbers in new[1:]:
        check_rows(numbers, new[0])
    tables = []
    for task in range(truth.values.shape[1]):
        known, asked = (Ensemble.of([each.values[:, task, 0] for each in group]) for group in (old, new))
        if width == "spread" and not known.sd.any():
            raise InputError("--width: found spread of a single model, expected several models, or another width")
        found = Intervals(known, truth.values[:, task, 0], width)
        centre, half = found.centre(asked), found.half(asked, coverage)
        name = truth.tasks[task] if truth.tasks else "expression"
        numbers_of = {"prediction": centre, "sd": asked.sd, "low": centre - half, "high": centre + half}
        tables.append(pd.DataFrame({"sequence": new[0].sequences, "task": name, **numbers_of}))
    return pd.concat(tables, ignore_index=True)


def _first(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[[name, *(column for column in table if column != name)]]
