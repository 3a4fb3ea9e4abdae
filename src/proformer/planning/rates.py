"""How fast a model trains: measured, given, or taken from the released training's log."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.files import read_table
from proformer.planning.cost import THREAD, cost

COLUMNS = ["training_flops", "sequences_per_second"]
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


def assumed(device: str, threads: int) -> Rate:
    """Where nothing is measured: what the released training did on an A100, or a modest CPU.

    Small models reach less of a GPU than this.
    """
    if device == "cpu":
        return sustained(threads * THREAD / 1e12, "assumed of the CPU; `proformer benchmark` measures it")
    return sustained(
        RELEASED * cost({"model": "proformer"}).training_flops / 1e12,
        f"the released training's on an A100 ({RELEASED} sequences/s of 512/8/4)",
    )


def measured(path: Path) -> Rate:
    """Rates by size of model: a table with `training_flops` and `sequences_per_second`, or the results of a run.

    Between the sizes that were measured, FLOP/s are interpolated on logarithmic axes; beyond them they stay.
    """
    rows = _from_results(path) if path.is_dir() else _from_table(path)
    sizes = np.log(rows["training_flops"])
    logs = np.log(rows.prod(axis="columns")).groupby(sizes).median()  # FLOP/s by size

    def speed(flops: float) -> float:
        return math.exp(float(np.interp(math.log(flops), logs.index, logs))) / flops

    return Rate(f"measured: {path}, {len(rows)} trainings of {len(logs)} sizes", speed)


def _from_table(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise InputError(f"{path}: no such table or results folder")
    rows = read_table(path, COLUMNS)[COLUMNS].apply(pd.to_numeric, errors="coerce")
    if rows.empty:
        raise InputError(f"{path}: found no rows, expected some")
    if (bad := ~((rows > 0) & (rows < math.inf)).all(axis="columns")).any():
        raise InputError(f"{path}, line {bad.idxmax() + 2}: expected positive numbers in {' and '.join(COLUMNS)}")
    return rows


def _from_results(folder: Path) -> pd.DataFrame:
    from proformer.models.folder import read_description  # needs torch

    rows = []
    for metrics in sorted(folder.glob("models/**/metrics.tsv")):
        model = read_description(metrics.parent)["model"]
        rates = read_table(metrics)["sequences_per_second"]
        if (rates > 0).any():
            rows.append((float(cost(model).training_flops), rates[rates > 0].median()))
    if not rows:
        raise InputError(f"{folder}: found no trained models below models/, expected some whose rates were measured")
    return pd.DataFrame(rows, columns=COLUMNS)
