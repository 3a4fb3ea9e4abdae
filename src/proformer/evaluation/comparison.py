"""One table of everything: model × evaluation set × metric × seed, with what each model is and what it cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.ceiling import file_ceiling, store_ceiling
from proformer.evaluation.compare import compare_files
from proformer.files import read_table
from proformer.models.folder import read_description

COLUMNS = ["dataset", "model", "seed", "evaluation", "n", "metric", "value", "low", "high"]
COSTS = [
    "parameters",
    "forward_gflop",
    "training_minutes",
    "epochs",
    "best_epoch",
    "n_train",
    "hardware",
    "precision",
    "run",
    "config",
]


def compare(
    results: Path,
    points: Iterable[str] | None = None,
    truth: Mapping[str, Path] | None = None,
    dream: Iterable[Path] = (),
    called: Mapping[str, str] | None = None,
    simulated: Mapping[str, Path | None] | None = None,
) -> pd.DataFrame:
    """Everything that was measured of trained models: one row per model, seed, evaluation set and metric.

    points: folders below `models/` (None: all that are finished). Validation rows are those of the best epoch. truth:
    measured sequences of a "dataset/evaluation", with which `predictions/<point>/<evaluation>.tsv` is compared. dream:
    tables of `proformer score`, in which a point goes by the name that `called` gives it. simulated: the data sets that
    are, with the folder of the experiment that windows are from; `ceiling` is then a perfect model's value.
    forward_gflop: per sequence and prediction, of the straight computation. Raises InputError when a point that was
    asked for is not finished.
    """
    root = results / "models"
    found = sorted(str(path.parent.relative_to(root)) for path in root.glob("dataset~*/*/model.json"))
    wanted = found if points is None else list(points)
    if missing := sorted(set(wanted) - set(found)):
        raise InputError(f"{root / missing[0]}: no trained model ({len(missing)} of {len(wanted)} are missing)")
    if not wanted:
        raise InputError(f"{root}: no trained models")
    scores = pd.concat([pd.DataFrame(columns=["model", "subset", "measure"]), *map(read_table, dream)])
    parts = []
    for path in sorted(wanted, key=lambda path: "/model~" not in path):  # where two are one, the one with a name stays
        folder = root / path
        made, epochs = read_description(folder), read_table(folder / "metrics.tsv")
        dataset = path.partition("/")[0].removeprefix("dataset~")
        store = results / f"data/{dataset}/seed~{made['training']['seed']}/validation.safetensors"
        ideal = dataset in (simulated or {})
        ceilings = store_ceiling(store, simulated[dataset]) if simulated and ideal else {}
        rows = [_validation(made, epochs, ceilings), *_tests(results, path, truth or {}, ideal)]
        rows.append(_dream(scores[scores["model"] == (called or {}).get(path)]))
        parts.append(pd.DataFrame([row for part in rows for row in part]).assign(**_identity(path, made)))
        parts[-1] = parts[-1].assign(**_cost(made, epochs))
    ceiling = ["ceiling"] if simulated else []
    table = pd.concat(parts, ignore_index=True).reindex(columns=[*COLUMNS, *ceiling, *COSTS])
    # A training that stands there under two names is one.
    table = table.drop_duplicates(["dataset", "run", "evaluation", "metric"])
    return table.sort_values(["dataset", "evaluation", "metric", "model", "seed"], ignore_index=True)


def _validation(made: dict[str, Any], epochs: pd.DataFrame, ceilings: Mapping[str, float]) -> list[dict[str, Any]]:
    best = epochs[epochs["epoch"] == made["best_epoch"]].iloc[0]
    measured = {"pearson": best["validation_r"], "spearman": best["validation_rho"]}
    return _rows("validation", made["data"]["validation"], measured, ceilings)


def _tests(results: Path, path: str, truth: Mapping[str, Path], simulated: bool) -> Iterator[list[dict[str, Any]]]:
    """Predictions against measurements. Their scales may differ: only correlations mean something."""
    dataset = path.partition("/")[0].removeprefix("dataset~")
    for key, file in truth.items():
        name = key.removeprefix(f"{dataset}/")
        predictions = results / "predictions" / path / f"{name}.tsv"
        if name != key and predictions.is_file():
            measured = compare_files(predictions, file)
            for kind in ("", "change_"):
                if f"{kind}n" in measured:
                    metrics = {f"{kind}{metric}": measured[f"{kind}{metric}"] for metric in ("pearson", "spearman")}
                    yield _rows(name, measured[f"{kind}n"], metrics, file_ceiling(Path(file)) if simulated else {})


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


def _identity(path: str, made: dict[str, Any]) -> dict[str, Any]:
    """Who a model is, from its folder's name: dataset~X/model~NAME_seed~S, or a point of a grid."""
    dataset, _, label = path.partition("/")
    name, _, _ = label.removeprefix("model~").rpartition("_seed~")
    return {"dataset": dataset.removeprefix("dataset~"), "model": name or label, "seed": made["training"]["seed"]}


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
        "run": made["made_by"]["run"],
        "config": json.dumps({"model": made["model"], "training": made["training"]}, sort_keys=True),
    }
