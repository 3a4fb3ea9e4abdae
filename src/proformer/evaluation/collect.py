"""From model folders to the tidy tables of a grid."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from proformer.datasets.store import Store
from proformer.errors import InputError
from proformer.evaluation.heads import head_of
from proformer.models.folder import TrainedModel, read_folder
from proformer.models.proformer import Proformer

EPOCH_COLUMNS = ["epoch", "train_loss", "train_r", "validation_loss", "validation_r", "validation_rho"]
EPOCH_COLUMNS += ["validation_r_batches", "learning_rate"]


def collect(
    dataset: str, folders: Iterable[Path], sequences: Store, ceiling: float | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per trained point (grid) and one row per point and epoch (epochs).

    `r` and `rho` are those of the best epoch, on the whole validation set; a collapsed model, whose constant
    predictions have no r, counts as 0 and is marked. `distinct_tokens` is counted on the first sequences of a store.
    ceiling: r of a perfect model, known of simulated data; a column of both tables.
    """
    points, epochs = [], []
    ideal = {} if ceiling is None else {"ceiling": ceiling}
    for folder in folders:
        try:
            trained = read_folder(folder)
            made = trained.description
            point = point_of(made, folder.name)
            key = {"dataset": dataset, "run": point["run"], **point["axes"]}
            if isinstance(trained.model, Proformer):
                key |= {name: made["model"][name] for name in ("dim", "heads", "blocks")}
                key["head"] = head_of(made["model"])
            key["seed"] = made["training"]["seed"]
            metrics = _read_metrics(folder)
            best = metrics.set_index("epoch").loc[made["best_epoch"]]
            row = {"r": best["validation_r"], "rho": best["validation_rho"], **ideal}
            row |= {"collapsed": bool(np.isnan(best["validation_r"])), "best_epoch": made["best_epoch"]}
            row |= {"epochs": len(metrics), "parameters": made["parameters"]}
            row |= {"distinct_tokens": distinct_tokens(trained, sequences)}
            row |= {f"n_{part}": made["data"][part] for part in ("train", "validation")}
            points.append(key | row | {"digest": made["made_by"]["run"]})
            epochs.append(pd.DataFrame(key, index=metrics.index).join(metrics[EPOCH_COLUMNS]).assign(**ideal))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{folder}: damaged ({type(error).__name__}); train the model again") from None
    if not points:
        raise InputError(f"{dataset}: no model folders to collect")
    return pd.DataFrame(points).fillna({"r": 0.0, "rho": 0.0}), pd.concat(epochs, ignore_index=True)


def point_of(description: dict[str, Any], name: str) -> dict[str, Any]:
    """The run, the data set and the axes of a trained point; of a model that belongs to no run, its `name`."""
    return description.get("point") or {"run": name, "dataset": "", "axes": {}}


@torch.inference_mode()
def distinct_tokens(trained: TrainedModel, sequences: Store, count: int = 8, tolerance: float = 1e-9) -> int | None:
    """How many of the H expression tokens differ after the last block (None without tokens).

    As released, all tokens start equal and only the depthwise convolution, which sees their neighbours, makes them
    differ. Two tokens count as one when they agree in every sequence and dimension to `tolerance` of the token scale,
    in float64.
    """
    if not isinstance(trained.model, Proformer) or not trained.model.tokens:
        return None
    model = copy.deepcopy(trained.model).double()
    x = model.stem(model.read(torch.from_numpy(sequences.codes[:count].copy())))
    for block in model.core:
        x = block(x)
    rows = x[:, : model.tokens].transpose(0, 1).flatten(1)  # [H, count · d]
    same = torch.cdist(rows, rows, p=float("inf")) <= tolerance * rows.abs().max()
    return int((same.float().argmax(dim=1) == torch.arange(model.tokens)).sum())


def _read_metrics(folder: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(folder / "metrics.tsv", sep="\t")
    except (FileNotFoundError, pd.errors.EmptyDataError):
        raise InputError(f"{folder / 'metrics.tsv'}: missing or empty; train the model again") from None
