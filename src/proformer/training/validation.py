"""How good an epoch's weights are: the validation columns of metrics.tsv, and the number that picks the best epoch."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from proformer.datasets.batches import DeviceData
from proformer.evaluation.metrics import METRICS, measure, pearson, spearman
from proformer.evaluation.streaming import Streamed
from proformer.models.base import Model
from proformer.tasks import MetricName
from proformer.training.config import Training
from proformer.training.distributed import ONE, Ranks

COLUMNS = {"pearson": "validation_r", "spearman": "validation_rho", "loss": "validation_loss"}


@torch.inference_mode()
def predict_codes(model: Model, codes: Tensor, precision: str = "float32") -> Tensor:
    """Predictions for forward strands uint8 [B, L], in the units of transformed targets: float32 [B, T, P]."""
    with torch.autocast(codes.device.type, torch.bfloat16, enabled=precision == "bf16"):
        return model(codes).float()


def predict_all(
    model: Model, data: DeviceData, precision: str = "float32", size: int = 512, ranks: Ranks = ONE
) -> np.ndarray:
    """Predictions for a whole data set, in its order: float64 [N, T, P]; every rank predicts its rows."""
    model.eval()
    rows = ranks.rows(len(data))
    starts = range(rows.start, rows.stop, size)
    parts = [predict_codes(model, data.batch(slice(i, min(i + size, rows.stop))).codes, precision) for i in starts]
    return ranks.gather(torch.cat(parts), len(data)).cpu().numpy().astype(np.float64)


def validate(model: Model, data: DeviceData, settings: Training, ranks: Ranks = ONE) -> dict[str, float]:
    """Loss, correlations and the selecting metric, each a mean over tasks; NaN where there are no rows.

    Of numbers, one a task, `validation_loss` is the squared error. Profiles are not kept: see `Streamed` for what their
    metrics are over, `validation_loss` is the task's.
    """
    others: list[Any] = [] if settings.select in COLUMNS else [settings.select]
    if not len(data):
        columns = ["loss", "r", "rho", "r_batches", *others]
        return {f"validation_{name}": math.nan for name in columns}
    if data.target.shape[2] > 1:
        return _streamed(model, data, settings, ranks)
    output = torch.from_numpy(predict_all(model, data, settings.precision, ranks=ranks))
    target = data.batch(slice(None)).target.cpu()
    prediction, truth = data.task.predicted(output).numpy(), data.task.measured(target).numpy().astype(np.float64)
    pairs = list(zip(prediction[:, :, 0].T, truth[:, :, 0].T, strict=True))
    row = {
        "validation_loss": float(np.mean((prediction - truth) ** 2)),
        "validation_r": _mean([pearson(x, y) for x, y in pairs]),
        "validation_rho": _mean([spearman(x, y) for x, y in pairs]),
        "validation_r_batches": _mean([_mean_batch_r(x, y, settings.batch_size) for x, y in pairs]),
    }
    return row | {f"validation_{name}": _mean(measure(name, prediction, truth)) for name in others}


def column_of(select: MetricName | str) -> str:
    """The column of the metric that picks the best epoch."""
    return COLUMNS.get(select, f"validation_{select}")


def score_of(row: dict[str, float], select: MetricName | str) -> float:
    """The number of an epoch's row that picks the best: more is better."""
    value = row[column_of(select)]
    return -value if select == "loss" or METRICS[select].sign < 0 else value  # type: ignore[index]


def _streamed(model: Model, data: DeviceData, settings: Training, ranks: Ranks) -> dict[str, float]:
    model.eval()
    task = data.task
    names: list[MetricName] = ["pearson"]
    if settings.select not in ("pearson", "loss"):
        names.append(settings.select)  # type: ignore[arg-type]
    metrics, loss = Streamed(names), 0.0
    for batch in data.batches(settings.batch_size):
        part = predict_codes(model, batch.codes[ranks.rows(len(batch))], settings.precision)
        output = ranks.gather(part, len(batch))
        loss += float(task.loss(output, batch.target)) * len(batch)
        metrics.update(task.predicted(output).cpu().numpy(), task.measured(batch.target).cpu().numpy())
    values = {COLUMNS.get(name, f"validation_{name}"): _mean(found) for name, found in metrics.values().items()}
    return {"validation_loss": loss / len(data), **values}


def _mean(values: object) -> float:
    return float(np.mean(values))  # type: ignore[call-overload]


def _mean_batch_r(prediction: np.ndarray, truth: np.ndarray, size: int) -> float:
    """Mean of per-batch r, which the released log calls val_pearson_r; it is not the r of the set."""
    parts = [pearson(prediction[i : i + size], truth[i : i + size]) for i in range(0, len(truth) - 1, size)]
    return float(np.nanmean(parts)) if np.isfinite(parts).any() else float("nan")
