"""How fast a model trains: measured, given, or taken from the released training's log."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proformer.errors import InputError
from proformer.planning.cost import cost

COLUMNS = ("training_flops", "sequences_per_second")
RELEASED = 338  # sequences/s of the final model (512/8/4) on each of four A100: 379 ms per step of 512


@dataclass(frozen=True)
class Rate:
    """`speed`: a model's training FLOPs per sequence to its sequences/s on one device; `source`: where that is from."""

    source: str
    speed: Callable[[float], float]


def given(sequences_per_second: float) -> Rate:
    """The same number of sequences/s for every model."""
    return Rate(f"{sequences_per_second:,g} sequences/s, as given", lambda flops: sequences_per_second)


def sustained(tflops: float, source: str = "as given") -> Rate:
    """The same arithmetic throughput for every model."""
    return Rate(f"{tflops:,.3g} TFLOP/s, {source}", lambda flops: tflops * 1e12 / flops)


def released() -> Rate:
    """What the authors' released training did on an A100. Small models reach less of a GPU than this."""
    return sustained(
        RELEASED * cost({"model": "proformer"}).training_flops / 1e12,
        f"the released training's on an A100 ({RELEASED} sequences/s of 512/8/4)",
    )


def measured(path: Path) -> Rate:
    """Rates by size of model: a table with `training_flops` and `sequences_per_second`, or the results of a run.

    Between the sizes that were measured, FLOP/s are interpolated on logarithmic axes; beyond them they stay.
    """
    rows = _from_results(path) if path.is_dir() else _from_table(path)
    points: dict[float, list[float]] = {}
    for flops, rate in rows:
        points.setdefault(math.log(flops), []).append(math.log(flops * rate))
    sizes = sorted(points)
    logs = [float(np.median(points[size])) for size in sizes]

    def speed(flops: float) -> float:
        return math.exp(float(np.interp(math.log(flops), sizes, logs))) / flops

    return Rate(f"measured: {path}, {len(rows)} trainings of {len(sizes)} sizes", speed)


def _from_table(path: Path) -> list[tuple[float, float]]:
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle, delimiter="\t")
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise InputError(f"{path}: found no column {missing[0]!r}, expected {' and '.join(COLUMNS)}")
            rows = [(_positive(row[COLUMNS[0]]), _positive(row[COLUMNS[1]]), reader.line_num) for row in reader]
    except FileNotFoundError:
        raise InputError(f"{path}: no such table or results folder") from None
    if bad := [line for flops, rate, line in rows if not (flops and rate)]:
        raise InputError(f"{path}, line {bad[0]}: expected positive numbers in {' and '.join(COLUMNS)}")
    if not rows:
        raise InputError(f"{path}: found no rows, expected some")
    return [(flops, rate) for flops, rate, _ in rows]


def _positive(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        return 0.0
    return value if 0 < value < math.inf else 0.0


def _from_results(folder: Path) -> list[tuple[float, float]]:
    rows = []
    for metrics in sorted(folder.glob("models/**/metrics.tsv")):
        model = json.loads((metrics.parent / "model.json").read_text(encoding="utf-8"))["model"]
        with open(metrics, encoding="utf-8", newline="") as handle:
            rates = [_positive(row["sequences_per_second"]) for row in csv.DictReader(handle, delimiter="\t")]
        if any(rates):
            rows.append((float(cost(model).training_flops), float(np.median([rate for rate in rates if rate]))))
    if not rows:
        raise InputError(f"{folder}: found no trained models below models/, expected some whose rates were measured")
    return rows
