"""One table of everything: point × evaluation set × metric, with what each model is and what it cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.ceiling import file_ceiling, store_ceiling
from proformer.evaluation.compare import compare_files
from proformer.evaluation.peers import display_name
from proformer.files import read_table
from proformer.models.folder import read_description

MEASURED = ["seed", "evaluation", "n", "metric", "value", "low", "high"]
COSTS = [
    "parameters",
    "forward_gflop",
    "training_minutes",
    "epochs",
    "best_epoch",
    "n_train",
    "hardware",
    "precision",
    "digest",
    "config",
]


def compare(
    results: Path,
    points: Iterable[str] | None = None,
    truth: Mapping[str, Path] | None = None,
    dream: Iterable[Path] = (),
    called: Mapping[str, str] | None = None,
    simulated: Mapping[str, Path | None] | None = None,
    peers: Iterable[Path] = (),
) -> pd.DataFrame:
    """Everything that was measured of trained models: one row per point, evaluation set and metric.

    A point is a data set, a run, its axes, which are columns, and a seed.

    points: folders below `models/` (None: all that are finished). Validation rows are those of the best epoch. truth:
    measured sequences of a "dataset/evaluation", with which `predictions/<point>/<evaluation>.tsv` is compared. dream:
    tables of `proformer score`, in which a point goes by the name that `called` gives it. simulated: the data sets that
    are, with the folder of the experiment that windows are from; `ceiling` is then a perfect model's value.
    peers: tables of `proformer peers`, whose intervals stand beside the numbers.
    forward_gflop: per sequence and prediction, of the straight computation. Raises InputError when a point that was
    asked for is not finished.
    """
    root = results / "models"
    found = sorted(str(path.parent.relative_to(root)) for path in root.rglob("model.json"))
    wanted = found if points is None else list(points)
    if missing := sorted(set(wanted) - set(found)):
        raise InputError(f"{root / missing[0]}: no trained model ({len(missing)} of {len(wanted)} are missing)")
    if not wanted:
        raise InputError(f"{root}: no trained models")
    scores = pd.concat([pd.DataFrame(columns=["model", "subset", "measure"]), *map(read_table, dream)])
    intervals = pd.concat([pd.DataFrame(columns=["set", "what", "model", "seed"]), *map(read_table, peers)])
    parts, axes = [], dict[str, Any]()
    for path in sorted(wanted, key=lambda path: path.count("~")):  # where two are one, that of fewer axes stays
        folder = root / path
        made, epochs = read_description(folder), read_table(folder / "metrics.tsv")
        point = made.get("point") or {"run": path, "dataset": "", "axes": {}}
        dataset, axes = point["dataset"], axes | point["axes"]
        store = results / f"data/{dataset}/seed~{made['training']['seed']}/validation.safetensors"
        ideal = dataset in (simulated or {})
        ceilings = store_ceiling(store, simulated[dataset]) if simulated and ideal else {}
        label = " ".join([point["run"], *map(str, point["axes"].values())])
        own = intervals["model"].isin([display_name(label), display_name(f"{label}-{dataset}")])
        own &= intervals["seed"].astype(str) == str(made["training"]["seed"])
        rows = [_validation(made, epochs, ceilings)]
        rows += _tests(results, path, dataset, truth or {}, ideal, intervals[own])
        rows.append(_dream(scores[scores["model"] == (called or {}).get(path)]))
        who = {"dataset": dataset, "run": point["run"], "model": made["model"]["model"], **point["axes"]}
        who["seed"] = made["training"]["seed"]
        parts.append(pd.DataFrame([who | row for part in rows for row in part]).assign(**_cost(made, epochs)))
    ceiling = ["ceiling"] if simulated else []
    table = pd.concat(parts, ignore_index=True).reindex(
        columns=["dataset", "run", "model", *axes, *MEASURED, *ceiling, *COSTS]
    )
    # A training that stands there under two names is one.
    table = table.drop_duplicates(["dataset", "digest", "evaluation", "metric"])
    order = ["dataset", "evaluation", "metric", "run", *axes, "seed"]
    return table.sort_values(
        order, key=lambda column: column.astype(str) if column.name in axes else column, ignore_index=True
    )


def _validation(made: dict[str, Any], epochs: pd.DataFrame, ceilings: Mapping[str, float]) -> list[dict[str, Any]]:
    best = epochs[epochs["epoch"] == made["best_epoch"]].iloc[0]
    measured = {"pearson": best["validation_r"], "spearman": best["validation_rho"]}
    return _rows("validation", made["data"]["validation"], measured, ceilings)


def _tests(
    results: Path,
    path: str,
    dataset: str,
    truth: Mapping[str, Path],
    simulated: bool,
    intervals: pd.DataFrame,
) -> Iterator[list[dict[str, Any]]]:
    """Predictions against measurements. Their scales may differ: only correlations mean something."""
    for key, file in truth.items():
        name = key.removeprefix(f"{dataset}/")
        predictions = results / "predictions" / path / f"{name}.tsv"
        if name != key and predictions.is_file():
            measured = compare_files(predictions, file)
            for kind in ("", "change_"):
                if f"{kind}n" in measured:
                    metrics = {f"{kind}{metric}": measured[f"{kind}{metric}"] for metric in ("pearson", "spearman")}
                    rows = _rows(name, measured[f"{kind}n"], metrics, file_ceiling(Path(file)) if simulated else {})
                    what = "change" if kind else "value"
                    for bounds in intervals[(intervals["set"] == name) & (intervals["what"] == what)].to_dict(
                        "records"
                    ):
                        for row, metric in zip(rows, ("pearson", "spearman"), strict=True):
                            row |= {end: bounds[f"{metric}_{end}"] for end in ("low", "high")}
                    yield rows


def _rows(
    evaluation: str, n: float, measured: Mapping[str, float], ceilings: Mapping[str, float]
) -> list[dict[str, Any]]:
    key = {"evaluation": evaluation, "n": n}
    return [
        key | {"metric": name, "value": value} | ({"ceiling": ceilings[name]} if ceilings else {})
        for name, value in measured.items()
    ]


def _dream(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """A model's rows of a table of `proformer score`: every subset of the test set is an evaluation set."""
    kept = scores.rename(columns={"measure": "metric"}).assign(evaluation="dream " + scores["subset"].astype(str))
    return kept.reindex(columns=["evaluation", "n", "metric", "value", "low", "high", "ceiling"]).to_dict("records")


def _cost(made: dict[str, Any], epochs: pd.DataFrame) -> dict[str, Any]:
    from proformer.planning.cost import forward_flops

    n = made["data"]["train"]
    per_epoch = (made["training"].get("epoch_batches") or 0) * made["training"]["batch_size"] or n
    return {
        "parameters": made["parameters"],
        "forward_gflop": forward_flops(made["model"]) / 1e9,
        "training_minutes": float((per_epoch / epochs["sequences_per_second"]).sum() / 60),
        "epochs": len(epochs),
        "best_epoch": made["best_epoch"],
        "n_train": n,
        "hardware": made["made_by"]["hardware"],
        "precision": made["made_by"].get("precision", made["training"]["precision"]),
        "digest": made["made_by"]["run"],
        "config": json.dumps({"model": made["model"], "training": made["training"]}, sort_keys=True),
    }
