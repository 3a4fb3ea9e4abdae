"""What a training run is made of: every key, its default, and what it means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from proformer.errors import InputError
from proformer.tasks import LossName, MetricName


@dataclass(frozen=True)
class Training:
    """Settings of one training run. Defaults are those of the paper's grid (see the authors' talk and Methods).

    optimiser: "adam", "adamw" or "lion" (with decoupled `weight_decay`), or "rmsprop".
    schedule: "cosine" rises linearly over `warmup_epochs` to `learning_rate`, then falls to 0 over the remaining
    epochs; "transformer" is d^-½ · min(step^-½, step · warmup_steps^-1.5), where d is `schedule_width`, and ignores
    `learning_rate`; "warmup" rises from `warmup_start` and stays; "onecycle" rises and falls along half cosines, from
    `warmup_start` over `learning_rate` to `final_rate`, while Adam's first beta goes the other way, .95 to .85 to .95.
    loss: in place of the task's own, unless the model has an objective of its own. shuffle: the rows every epoch, once,
    or never ("none": file order). epoch_batches: length of an epoch that is not one pass over the data.
    reverse_complement: share of the training sequences that are turned, drawn at every step, profiles with them.
    shift: training sequences are pieces of the store's windows, so many bp shorter, that begin anywhere; validation
    takes their middle. 0: whole windows.
    target_mean, target_sd: what targets are standardised by (None: mean and sd of the training part).
    select: the validation metric that says which epoch is the best, or "loss".
    keep: the weights that become the model: of the best epoch, of the last epoch, or the best but for the last epoch
    ("before-last", a released defect).
    clip_value, clip_norm: per variable, first each gradient entry, then the variable's norm (0: off).
    patience: epochs without a better one before stopping (None: never).
    precision: "bf16" runs matrix products in bfloat16 (weights, optimiser and losses stay float32), where the device
    has such arithmetic; elsewhere in float32.
    compile: on a GPU, compile the model and replay its steps as CUDA graphs, for small models; a CPU ignores it.
    """

    epochs: int = 20
    batch_size: int = 512
    learning_rate: float = 1e-3
    optimiser: Literal["adam", "adamw", "rmsprop", "lion"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["cosine", "transformer", "constant", "warmup", "onecycle"] = "cosine"
    warmup_epochs: float = 1.0
    warmup_steps: int = 12_500
    schedule_width: int = 512
    warmup_start: float = 0.0
    final_rate: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-7
    clip_value: float = 0.5
    clip_norm: float = 1.0
    loss: LossName | None = None
    shuffle: Literal["epoch", "once", "none"] = "epoch"
    epoch_batches: int | None = None
    reverse_complement: float = 0.0
    shift: int = 0
    target_mean: float | None = None
    target_sd: float | None = None
    select: MetricName | Literal["loss"] = "pearson"
    keep: Literal["best", "last", "before-last"] = "best"
    patience: int | None = None
    precision: Literal["float32", "bf16"] = "float32"
    deterministic: bool | None = None
    compile: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        for name, hint in get_type_hints(type(self)).items():
            value = getattr(self, name)
            choices = [
                choice for part in (hint, *get_args(hint)) if get_origin(part) is Literal for choice in get_args(part)
            ]
            if choices and value not in choices and not (value is None and type(None) in get_args(hint)):
                raise InputError(f"training: {name} is {value!r}, expected one of {', '.join(choices)}")
        positive = ("epochs", "batch_size", "learning_rate", "warmup_steps", "schedule_width", "epsilon")
        at_least_0 = ("warmup_epochs", "warmup_start", "final_rate", "weight_decay", "clip_value", "clip_norm", "shift")
        for name in (*positive, *at_least_0, "reverse_complement"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != value:
                raise InputError(f"training: {name} is {value!r}, expected a number of at least 0")
            if name in positive and value == 0:
                raise InputError(f"training: {name} is 0, expected more")
        if self.reverse_complement > 1 or self.shift != int(self.shift):
            raise InputError(
                f"training: reverse_complement is {self.reverse_complement!r} and shift {self.shift!r}, "
                "expected at most 1 and a whole number"
            )


def read_training(keys: Mapping[str, Any]) -> Training:
    """Build the settings from plain keys. Raises InputError for an unknown key or an impossible value."""
    known = [field.name for field in fields(Training)]
    if unknown := sorted(set(keys) - set(known)):
        raise InputError(f"training: unknown key {unknown[0]!r}; known: {', '.join(known)}")
    return Training(**keys)


def digest(*parts: object) -> str:
    """A short digest of plain data: equal digests mean equal settings."""
    plain = [asdict(part) if hasattr(part, "__dataclass_fields__") else part for part in parts]  # type: ignore[call-overload]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
