"""One table of everything: model × evaluation set × task × metric × seed, with what each model is and what it cost."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from proformer.errors import InputError, printable
from proformer.evaluation.ceiling import file_ceiling, store_ceiling
from proformer.evaluation.collect import point_of
from proformer.evaluation.evaluate import CHANGE, VALUE, evaluate
from proformer.evaluation.peers import published_name
from proformer.files import read_table
from proformer.models.folder import read_description
from proformer.planning.cost import forward_flops, known_costs
from proformer.status import read_jobs
from proformer.tasks import Task

MEASURED = ["seed", "evaluation", "n", "task", "metric", "over", "value", "low", "high"]
SHORT = {"pearson": "r", "spearman": "rho"}  # as metrics.tsv calls them
MEAN = "mean"  # over tasks
# Columns of epochs, before and after those of axes.
FIRST, LAST = ["dataset", "run", "model"], ["seed", "epoch", "part", "metric", "value"]


def compare(
    results: Path,
    points: Iterable[str] | None = None,
    truth: Mapping[str, Path] | None = None,
    dream: Iterable[Path] = (),
    called: Mapping[str, str] | None = None,
    simulated: Mapping[str, Path | None] | None = None,
    peers: Iterable[Path] = (),
) -> pd.DataFrame:
    """Everything that was measured of trained models: one row per point, evaluation set, task and metric.

    A point is a data set, a run, its axes, which are columns, and a seed.

    points: folders below `models/` (None: all that are finished). Validation rows are those of the best epoch; of
    several tasks, their mean. truth: measured sequences of a "dataset/evaluation", with which
    `predictions/<point>/<evaluation>.tsv` is compared. dream: tables of `proformer score`, in which a point has the
    name that `called` gives it. simulated: the data sets that are, with the folder of the experiment that windows are
    from; `ceiling` is then a perfect model's value. peers: tables of `proformer peers`, whose intervals stand beside
    the numbers. forward_gflop: per sequence and prediction, of the straight computation. Raises InputError when a point
    that was asked for is not finished.
    """
    wanted = trained_points(results, points)
    scores = pd.concat([pd.DataFrame(columns=["model", "subset", "measure"]), *map(read_table, dream)])
    intervals = pd.concat([pd.DataFrame(columns=["set", "what", "model", "seed"]), *map(read_table, peers)])
    tables, axes, costs, known = [], dict[str, Any](), dict[str, Any](), _known_flops(results)
    for path in sorted(wanted, key=lambda path: path.count("~")):  # where two are one, that of fewer axes stays
        folder = results / "models" / path
        with _left_out_when_damaged(folder, points):
            made, epochs = read_description(folder), read_table(folder / "metrics.tsv")
            task, point = Task.read(folder, made["task"]), point_of(made, path)
            costs = _cost(made, epochs, known.get(path))
            dataset, seed, axes = point["dataset"], made["training"]["seed"], axes | point["axes"]
            is_simulated = dataset in (simulated or {})
            store = results / f"data/{dataset}/seed~{seed}/validation.safetensors"
            ceilings = store_ceiling(store, simulated[dataset]) if simulated and is_simulated else {}
            label = " ".join([point["run"], *map(str, point["axes"].values())])
            names = [published_name(label), published_name(f"{label}-{dataset}")]
            mine = intervals[intervals["model"].isin(names) & (intervals["seed"].astype(str) == str(seed))]
            rows = _validation(made, task, epochs, ceilings)
            for key, file in (truth or {}).items():
                name, predictions = key.removeprefix(f"{dataset}/"), results / "predictions" / path
                if name != key and (table := predictions / f"{name}.tsv").is_file():
                    of_set = mine[mine["set"] == name]
                    if names[1] in set(of_set["model"]):  # where models of several data sets have their names
                        of_set = of_set[of_set["model"] == names[1]]
                    rows += _tests(name, table, Path(file), task, is_simulated, of_set)
            rows += _dream(scores[scores["model"] == (called or {}).get(path)])
            tables.append(pd.DataFrame([_identity(path, made) | row for row in rows]).assign(**costs))
    ceiling = ["ceiling"] if simulated else []
    columns = [*FIRST, *axes, *MEASURED, *ceiling, *costs]
    if not tables:
        raise InputError(f"{results / 'models'}: all trained models are damaged")
    table = pd.concat(tables, ignore_index=True).reindex(columns=columns)
    # A training that is there under two names is one.
    table = table.drop_duplicates(["dataset", "digest", "evaluation", "task", "metric", "over"])
    order = ["dataset", "evaluation", "task", "metric", "over", "run", *axes, "seed"]

    def level(column: pd.Series) -> pd.Series:
        return column.astype(str) if column.name in axes else column

    return table.sort_values(order, key=level, ignore_index=True)


def trained_points(results: Path, points: Iterable[str] | None = None) -> list[str]:
    """The folders of trained models below `models/`: these, or all. Raises InputError for one that is not finished."""
    root = results / "models"
    found = sorted(str(path.parent.relative_to(root)) for path in root.rglob("model.json"))
    wanted = found if points is None else list(points)
    if missing := sorted(set(wanted) - set(found)):
        raise InputError(f"{root / missing[0]}: no trained model ({len(missing)} of {len(wanted)} are missing)")
    if not wanted:
        raise InputError(f"{root}: no trained models")
    return wanted


def learning_curves(results: Path, points: Iterable[str] | None = None) -> pd.DataFrame:
    """Every epoch of trained models: losses and metrics of the training and the validation part.

    Metrics of several tasks are their means. Raises as `compare`.
    """
    tables, full = [], {short: name for name, short in SHORT.items()}
    for path in trained_points(results, points):
        folder = results / "models" / path
        with _left_out_when_damaged(folder, points):
            epochs = read_table(folder / "metrics.tsv").set_index("epoch")
            measured = epochs[[name for name in epochs if name.startswith(("train_", "validation_"))]]
            table = measured.melt(ignore_index=False, var_name="name", value_name="value").reset_index()
            table[["part", "metric"]] = (
                table["name"].str.replace("train_", "training_").str.split("_", n=1, expand=True)
            )
            who = _identity(path, read_description(folder))
            tables.append(table.assign(metric=table["metric"].replace(full), **who))
    columns = dict.fromkeys(name for table in tables for name in table)
    axes = [name for name in columns if name not in (*FIRST, *LAST, "name")]
    return pd.concat(tables, ignore_index=True)[[*FIRST, *axes, *LAST]]


@contextmanager
def _left_out_when_damaged(folder: Path, asked: object) -> Iterator[None]:
    """Go on without a training of which a file is odd, and say so, unless it was asked for."""
    try:
        yield
    except (InputError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = error if isinstance(error, InputError) else InputError(f"{folder}: damaged ({type(error).__name__})")
        if asked is not None or not str(reason).startswith(str(folder)):
            raise reason from None
        print(f"left out: {printable(reason)}", file=sys.stderr)


def _validation(
    made: dict[str, Any], task: Task, epochs: pd.DataFrame, ceilings: Mapping[str, float]
) -> list[dict[str, Any]]:
    best = epochs[epochs["epoch"] == made["best_epoch"]].iloc[0]
    key = {"evaluation": "validation", "n": made["data"]["validation"]}
    key |= {"task": task.names[0] if len(task.names) == 1 else MEAN, "over": "all"}
    columns = {name: f"validation_{SHORT.get(name, name)}" for name in (*SHORT, *task.metrics)}
    found = {metric: best[column] for metric, column in columns.items() if column in best}
    return [
        key | {"metric": metric, "value": value, "ceiling": ceilings.get(metric)} for metric, value in found.items()
    ]


def _tests(
    name: str, predictions: Path, file: Path, task: Task, simulated: bool, intervals: pd.DataFrame
) -> list[dict[str, Any]]:
    """Predictions against measurements; of numbers, whose scales may differ, only correlations mean something."""
    metrics = [metric for metric in task.metrics if metric not in ("r2", "mse")]
    ceilings = file_ceiling(file) if simulated else {}
    rows: list[dict[str, Any]] = evaluate(predictions, file, metrics, samples=0).to_dict("records")  # type: ignore[assignment]
    for row in rows:
        if len(task.names) == 1:  # a file without a header line does not know it
            row["task"] = task.names[0]
        metric = row["metric"].removeprefix("change_")
        what = VALUE if metric == row["metric"] else CHANGE
        for found in intervals[intervals["what"] == what].to_dict("records"):
            row |= {end: found.get(f"{metric}_{end}") for end in ("low", "high")}
    return [row | {"evaluation": name, "ceiling": ceilings.get(row["metric"])} for row in rows]


def _dream(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """A model's rows of a table of `proformer score`: every subset of the test set is an evaluation set."""
    kept = scores.rename(columns={"measure": "metric"}).assign(evaluation="dream " + scores["subset"].astype(str))
    kept = kept.assign(task=Task().names[0], over="all")
    return kept.reindex(columns=[*MEASURED[1:], "ceiling"]).to_dict("records")


def _identity(path: str, made: dict[str, Any]) -> dict[str, Any]:
    """Data set, run, model, axes and seed."""
    point = point_of(made, path)
    who = {"dataset": point["dataset"], "run": point["run"], "model": made["model"]["model"], **point["axes"]}
    return who | {"seed": made["training"]["seed"]}


def _known_flops(results: Path) -> dict[str, int]:
    """Operations of a prediction that the run has counted, by model: to count them takes seconds."""
    try:
        costs = known_costs(read_jobs(results / "jobs.json"), results / "costs.json")
    except InputError:
        return {}
    return {path: price.forward_flops for path, price in costs.items()}


def _cost(made: dict[str, Any], epochs: pd.DataFrame, flops: int | None) -> dict[str, Any]:
    n = made["data"]["train"]
    per_epoch = (made["training"].get("epoch_batches") or 0) * made["training"]["batch_size"] or n
    return {
        "parameters": made["parameters"],
        "forward_gflop": (flops or forward_flops(made["model"])) / 1e9,
        "training_minutes": float((per_epoch / epochs["sequences_per_second"]).sum() / 60),
        "epochs": len(epochs),
        "best_epoch": made["best_epoch"],
        "n_train": n,
        "hardware": made["made_by"]["hardware"],
        "precision": made["made_by"].get("precision", made["training"]["precision"]),
        "digest": made["made_by"]["run"],
        "config": json.dumps({"model": made["model"], "training": made["training"]}, sort_keys=True),
    }
