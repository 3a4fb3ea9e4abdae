"""A task: what the numbers of a data set are, how they are scaled for training, lost, restored and reversed.

A store names its task in the header, a model folder in model.json. Targets and outputs are [B, T, P]: T tasks at P
positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from proformer.errors import InputError
from proformer.settings import Count, CountOrZero, NotNegative, read

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["value", "values", "bins", "binary", "profile", "counts and profile"]
Scale = Literal["standardise", "log1p", "none"]
LossName = Literal["mse", "huber", "poisson", "bce", "kl", "pearson", "pearson_mse", "multinomial", "multinomial_mse"]
MetricName = Literal["pearson", "spearman", "r2", "mse", "poisson_nll", "jensen_shannon", "auroc", "aupr"]

_SCALE: dict[Kind, Scale] = {"value": "standardise", "values": "standardise"}
_LOSS: dict[Kind, LossName] = {
    "bins": "kl", "binary": "bce", "profile": "poisson", "counts and profile": "multinomial"
}  # fmt: skip
_METRICS: dict[Kind, tuple[MetricName, ...]] = {
    "bins": ("jensen_shannon",),
    "binary": ("auroc", "aupr"),
    "profile": ("pearson", "spearman", "mse", "poisson_nll"),
    "counts and profile": ("pearson", "spearman", "jensen_shannon"),
}


@dataclass(frozen=True)
class Task:
    """What a data set asks for.

    kind: what stands along P. "value", "values": one number for each of T tasks. "bins": probabilities of P bins; the
    model gives logits. "binary": 0 or 1 (one or more positions); logits. "profile": a number per position of `bin` bp.
    "counts and profile": read counts per position; the model gives log(1 + total), then a logit per position, in all
    1 + P numbers.
    names, units: of the T tasks (units: one for all, or empty). bin: bp of a position of a profile.
    scale: what the targets are transformed by. "standardise": mean 0 and sd 1 in the training part, per task; "log1p":
    log(1 + y).
    mean, sd: of the training part's targets, per task (empty before a store is split).
    loss_name, metrics: see `proformer.losses.LOSSES` and `proformer.evaluation.metrics.METRICS`.
    count_weight: of the squared error of log(1 + total), next to the multinomial loss.
    partners: the task that each task becomes on the other strand, where they are tracks of single strands.

    `scale`, `loss_name` and `metrics` default to those that suit the kind.
    """

    kind: Kind = "value"
    names: tuple[str, ...] = ("expression",)
    units: tuple[str, ...] = ()
    bin: Count | None = None
    scale: Scale | None = None
    mean: tuple[float, ...] = ()
    sd: tuple[NotNegative, ...] = ()
    loss_name: LossName | None = None
    metrics: tuple[MetricName, ...] = ()
    count_weight: NotNegative = 1.0
    partners: tuple[CountOrZero, ...] = ()

    def __post_init__(self) -> None:
        kind = self.kind
        given: dict[str, Any] = {
            "scale": self.scale or _SCALE.get(kind, "none"),
            "loss_name": self.loss_name or _LOSS.get(kind, "mse"),
            "metrics": tuple(self.metrics) or _METRICS.get(kind, ("pearson", "spearman", "r2", "mse")),
        }
        given |= {name: tuple(getattr(self, name)) for name in ("names", "units", "mean", "sd", "partners")}
        for name, value in given.items():
            object.__setattr__(self, name, value)
        for name in ("units", "mean", "sd", "partners"):
            if len(getattr(self, name)) not in ({0, 1, len(self.names)} if name == "units" else {0, len(self.names)}):
                raise InputError(f"found {len(getattr(self, name))} {name} for {len(self.names)} tasks")
        needs = {"bce": "binary", "kl": "bins", "multinomial": "counts and profile"}
        if kind != needs.get(self.loss_name or "", kind) or (kind in needs.values() and self.loss_name not in needs):
            raise InputError(f"the loss {self.loss_name!r} does not fit the kind {kind!r}")
        if kind in needs.values() and self.scale != "none":
            raise InputError(f"targets of the kind {kind!r} are not scaled, found scale {self.scale!r}")
        if self.loss_name == "poisson" and self.scale == "standardise":
            raise InputError("the Poisson loss needs targets of at least 0, found scale 'standardise'")

    @classmethod
    def named(cls, names: Sequence[str], number: int = 1) -> Task:
        """The task of `number` values, with these names if there are any."""
        if number == 1:
            return cls(names=tuple(names) or cls.names)
        return cls("values", tuple(names) or tuple(f"task {index + 1}" for index in range(number)))

    @classmethod
    def read(cls, where: object, keys: Mapping[str, Any]) -> Task:
        """Rebuild a task from plain data; raises InputError naming `where` when it is none."""
        return read(cls, keys, f"{where}: task")

    def transform(self, target: Tensor) -> Tensor:
        """Targets from the source's units, float [B, T, P], to those of the loss; counts get their total before."""
        if self.kind == "counts and profile":
            import torch

            return torch.cat([target.sum(dim=2, keepdim=True).log1p(), target], dim=2)
        if self.scale == "log1p":
            return target.log1p()
        if self.scale == "standardise":
            return (target - self._column(target, self.mean)) / self._column(target, self.sd)
        return target

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss of outputs against transformed targets, both [B, T, P]: a scalar."""
        from proformer.losses import LOSSES

        if output.shape != target.shape:
            raise InputError(
                f"the model gives {list(output.shape)} numbers for targets of {list(target.shape)}, expected as many "
                "(sequences, tasks, positions)"
            )
        return LOSSES[self.loss_name](output, target, self)  # type: ignore[index]

    def predicted(self, output: Tensor) -> Tensor:
        """Outputs as metrics compare them with `measured`: probabilities, counts and signals in the source's units.

        Standardised tasks stay in standard deviations from the mean.
        """
        if self.kind == "bins":
            return output.softmax(dim=2)
        if self.kind == "binary":
            return output.sigmoid()
        if self.kind == "counts and profile":
            return output[..., :1].expm1() * output[..., 1:].softmax(dim=2)
        return output.expm1() if self.scale == "log1p" else output

    def measured(self, target: Tensor) -> Tensor:
        """Transformed targets as metrics compare them, see `predicted`."""
        if self.kind == "counts and profile":
            return target[..., 1:]
        return target.expm1() if self.scale == "log1p" else target

    def restore(self, output: Tensor) -> Tensor:
        """Outputs in the units of the source: float64 [B, T, P] (on a device that has float64)."""
        values = self.predicted(output.double())
        if self.scale == "standardise":
            return values * self._column(values, self.sd) + self._column(values, self.mean)
        return values

    def reverse(self, values: Tensor) -> Tensor:
        """Outputs or transformed targets [B, T, P] of the reverse complement, as those of the forward strand."""
        if self.partners:
            values = values[:, list(self.partners)]
        if self.kind == "profile":
            return values.flip(2)
        if self.kind == "counts and profile":
            import torch

            return torch.cat([values[..., :1], values[..., 1:].flip(2)], dim=2)
        return values

    def _column(self, like: Tensor, numbers: tuple[float, ...]) -> Tensor:
        if not numbers:
            raise InputError("no mean and sd; `proformer split` measures them in the training part")
        return _tensor(numbers, like.dtype, like.device)


@cache
def _tensor(numbers: tuple[float, ...], dtype: Any, device: Any) -> Tensor:
    """A number per task, to go with [B, T, P]; kept, since a copy at every step would wait for the GPU."""
    import torch

    return torch.tensor(numbers, dtype=dtype, device=device)[:, None]
