"""What models of coverage share (Toneyan et al. 2022): letters, bins, and ends that give profiles or labels.

Shapes: B sequences of L nucleotides, T tasks, P positions of a profile, c channels.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.errors import InputError
from proformer.models.keras import Initialiser, glorot_uniform
from proformer.sequences import N
from proformer.settings import Count, above, at_most

TRAINING: dict[str, Any] = {
    "optimiser": "adam", "schedule": "constant", "learning_rate": 0.001, "epsilon": 1e-7, "clip_value": 0,
    "clip_norm": 0, "batch_size": 64, "epochs": 100, "patience": 6, "select": "loss", "reverse_complement": 0.5,
}  # fmt: skip
"""How the paper trained Basenji and BPNet."""
PLATEAU = TRAINING | {"schedule": "plateau", "patience": 10}
"""How it trained the others: a fifth of the rate after three epochs without a better validation loss."""


@dataclass(frozen=True)
class Profile:
    """What a model of coverage reads and predicts.

    length, tasks, bin: nucleotides, tasks, and bp of a position of a profile, from the data.
    output: "profile", or "label": the logit of each task's label.
    momentum: share of a batch in the running statistics of batch norms; None: the authors', a hundredth or a tenth.
    """

    length: Count = 2048
    tasks: Count = 15
    bin: Count = 128
    output: Literal["profile", "label"] = "profile"
    momentum: Annotated[float, above(0), at_most(1)] | None = None

    def __post_init__(self) -> None:
        if self.length % self.bin and self.output == "profile":
            raise InputError(f"bins of {self.bin} bp do not divide the length of {self.length}")

    @property
    def positions(self) -> int:
        """Of a profile."""
        return self.length // self.bin


class Letters(nn.Module):
    """Codes uint8 [B, L] to one-hot letters float [B, 4, L], of which an N has a quarter each."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.cat([torch.eye(4), torch.full((N + 1 - 4, 4), 0.25)]), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Look letters up."""
        return F.embedding(codes.int(), self.table).transpose(1, 2)


class Exponential(nn.Module):
    """The first activation that makes filters resemble motifs (Koo & Ploenzke 2021)."""

    def forward(self, x: Tensor) -> Tensor:
        """Raise e to the power of x."""
        return x.exp()


def activation(name: Literal["relu", "exponential"]) -> nn.Module:
    """The activation of a first layer."""
    return Exponential() if name == "exponential" else nn.ReLU()


class BatchNorm(nn.BatchNorm1d):
    """A batch of one number per channel, as a last batch may be, has no spread: it is normalised by the running one."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, c] or [B, c, L]."""
        if self.training and x.shape[0] * x[0, 0].numel() == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def batch_norm(channels: int, momentum: float) -> nn.BatchNorm1d:
    """As Keras has it, but for the momentum."""
    return BatchNorm(channels, eps=1e-3, momentum=momentum)


def per_task(layer: nn.Conv1d, tasks: int, weight: Initialiser = glorot_uniform) -> nn.Conv1d:
    """One convolution in place of one per task: each task's filters are initialised as a layer of their own."""
    with torch.no_grad():
        for own in layer.weight.chunk(tasks):
            weight(own)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
