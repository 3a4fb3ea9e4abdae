"""What a training run is made of: every key, its default, and what it means."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from proformer.errors import InputError
from proformer.models import DEFAULT, find_recipe, resolve
from proformer.settings import BelowOne, Count, CountOrZero, NotNegative, Positive, Share, read
from proformer.tasks import LossName, MetricName


@dataclass(frozen=True)
class Training:
    """Settings of one training run. Defaults are those of the paper's grid (see the authors' talk and Methods).

    epochs, batch_size: passes over the training part, and sequences of a step.
    learning_rate: the greatest that the schedule reaches. weight_decay: of "adamw" and "lion".
    optimiser: "adam", "adamw" or "lion" (with decoupled weight decay), or "rmsprop".
    betas, epsilon: of Adam; `betas` of Lion, too.
    schedule: "cosine" rises linearly over `warmup_epochs` to `learning_rate`, then falls to 0 over the remaining
    epochs; "transformer" is d^-½ · min(step^-½, step · warmup_steps^-1.5), where d is `schedule_width`, and ignores
    `learning_rate`; "warmup" rises from `warmup_start` and stays; "onecycle" rises and falls along half cosines, from
    `warmup_start` over `learning_rate` to `final_rate`, while Adam's first beta goes the other way, .95 to .85 to .95;
    "plateau" is multiplied by `plateau_factor` after `plateau_epochs` epochs without a better validation loss.
    warmup_epochs, warmup_steps, schedule_width, warmup_start, final_rate, plateau_epochs, plateau_factor: of the
    schedules that name them.
    loss: in place of the task's own, unless the model has an objective of its own. shuffle: the rows every epoch, once,
    or never ("none": file order). epoch_batches: length of an epoch that is not one pass over the data.
    reverse_complement: share of the training sequences that are turned, drawn at every step, profiles with them.
    shift, place: training sequences are pieces of the store's windows, so many bp shorter, from anywhere or the middle;
    validation takes their middle. 0: whole windows.
    target_mean, target_sd: what targets are standardised by (None: mean and sd of the training part).
    select: the validation metric that says which epoch is the best, or "loss".
    keep: the weights that become the model: of the best epoch, of the last epoch, or the best but for the last epoch
    ("before-last", a released defect).
    clip_value, clip_norm: per variable, first each gradient entry, then the variable's norm (0: off).
    clip_over: "all": the norm of all variables together, then each entry.
    patience: epochs without a better one before stopping (None: never).
    precision: "bf16" runs matrix products in bfloat16 (weights, optimiser and losses stay float32), where the device
    has such arithmetic; elsewhere in float32.
    deterministic: use only operations that give the same bits again (null: on a CPU).
    seed: of the initial weights, the order of the rows, and all that is drawn.
    compile: on a GPU, compile the model and replay its steps as CUDA graphs, for small models; a CPU ignores it.
    """

    epochs: Count = 20
    batch_size: Count = 512
    learning_rate: Positive = 1e-3
    optimiser: Literal["adam", "adamw", "rmsprop", "lion"] = "adam"
    weight_decay: NotNegative = 0.0
    schedule: Literal["cosine", "transformer", "constant", "warmup", "onecycle", "plateau"] = "cosine"
    warmup_epochs: NotNegative = 1.0
    warmup_steps: Count = 12_500
    schedule_width: Count = 512
    warmup_start: NotNegative = 0.0
    final_rate: NotNegative = 0.0
    plateau_epochs: Count = 3
    plateau_factor: Share = 0.2
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.999)
    epsilon: Positive = 1e-7
    clip_value: NotNegative = 0.5
    clip_norm: NotNegative = 1.0
    clip_over: Literal["variable", "all"] = "variable"
    loss: LossName | None = None
    shuffle: Literal["epoch", "once", "none"] = "epoch"
    epoch_batches: Count | None = None
    reverse_complement: Share = 0.0
    shift: CountOrZero = 0
    place: Literal["anywhere", "middle"] = "anywhere"
    target_mean: float | None = None
    target_sd: Positive | None = None
    select: MetricName | Literal["loss"] = "pearson"
    keep: Literal["best", "last", "before-last"] = "best"
    patience: Count | None = None
    precision: Literal["float32", "bf16"] = "float32"
    deterministic: bool | None = None
    compile: bool = False
    seed: CountOrZero = 1


@dataclass(frozen=True)
class _Job:
    model: dict[str, Any] | str | None = None
    training: dict[str, Any] | None = None
    recipe: str | None = None
    point: dict[str, Any] | None = None  # which point of a workflow's runs it is, for model.json
    diverged: Literal["error", "keep"] = "error"


def read_job(
    config: Mapping[str, Any], data: Mapping[str, Any] | None = None, source: object = "the data"
) -> tuple[dict[str, Any], Training]:
    """The complete model config and training settings of {"model": keys or name, "training": keys, "recipe": name}.

    Keys that are given go before those of the recipe. `data`: see `resolve`; of its `length` and `target`, a training
    that shifts reads less. Raises InputError for an unknown key, model or recipe, for an impossible value, and for a
    length or tasks that the data (`source` says which) do not have.
    """
    model, settings = _parts(config)
    if data:
        data = {**data, "length": data["length"] - settings.shift}
        if data.get("bin"):
            data |= {"target": data["target"] - settings.shift}
    found = resolve(model, data)
    for name in ("length", "tasks"):
        if data and data.get(name) and found.get(name, data[name]) != data[name]:
            raise InputError(f"model: {name} is {found[name]}, {source} has {data[name]}")
    return found, settings


def keeps_diverged(config: Mapping[str, Any]) -> bool:
    """Whether a training whose loss is no longer finite ends with its best epoch, rather than with an error."""
    return read(_Job, config, "config").diverged == "keep"


def read_training(config: Mapping[str, Any]) -> Training:
    """The training settings alone: what they say needs no data, which a model's keys may not make sense without."""
    return _parts(config)[1]


def _parts(config: Mapping[str, Any]) -> tuple[dict[str, Any], Training]:
    """The model's keys over its recipe's, and the training settings."""
    job = read(_Job, config, "config")
    model = {"model": job.model} if isinstance(job.model, str) else job.model or {}
    recipe = find_recipe(model.get("model", DEFAULT), job.recipe)
    settings = read(Training, {**recipe["training"], **(job.training or {})}, "training")
    return {**recipe["model"], **model}, settings


def digest(*parts: object) -> str:
    """A short digest of plain data: equal digests mean equal settings."""
    plain = [asdict(part) if hasattr(part, "__dataclass_fields__") else part for part in parts]  # type: ignore[call-overload]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
