"""MPRAnn (Agarwal et al. 2025): the convolutional network that was published with the human lentiMPRA.

Four convolutions, all but the first with a softmax over their channels, and two sigmoid dense layers; 230 nt, adapters
included. Both strands of the insert are read between adapters that stay as they are: rows of a batch in training,
averaged at prediction. 3,957,751 trainable parameters. visze/sequence_cnn_models, 7638fce.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from proformer.datasets.batches import Batch, reverse_complement
from proformer.errors import InputError
from proformer.models import keras
from proformer.models.base import Loss, Model
from proformer.models.dropout import Dropout
from proformer.settings import BelowOne, Count, Flanks, NotNegative
from proformer.tasks import Task


@dataclass(frozen=True)
class Config(keras.Input):
    """filters, kernels: of the four convolutions. dense: of the two dense layers. dropouts: after the second and the
    fourth convolution, and between the dense layers. tasks: how many, from the data.
    """

    length: Count = 200
    flanks: Flanks = ("AGGACCGGATCAACT", "CATTGCGTGAACCGA")
    window: Count = 230
    unknown: NotNegative = 0.0
    filters: tuple[Count, Count, Count, Count] = (250, 250, 250, 100)
    kernels: tuple[Count, Count, Count, Count] = (7, 8, 3, 2)
    dense: tuple[Count, Count] = (300, 200)
    dropouts: tuple[BelowOne, BelowOne, BelowOne] = (0.1, 0.1, 0.3)
    tasks: Count = 1

    @property
    def positions(self) -> int:
        """Of the last convolution."""
        a, b, c, d = self.kernels
        return (self.window - a - b + 2) // 2 - c - d + 2

    def __post_init__(self) -> None:
        if self.positions < 1:
            raise InputError(f"window is {self.window}, too short for kernels {list(self.kernels)} and pooling of 2")


class MPRAnn(Model):
    """Codes uint8 [B, L] to activity [B, tasks, 1], the mean over both strands of the insert."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.window = keras.Window(config)
        first, second, third = (Dropout(rate) for rate in config.dropouts)
        layers: list[nn.Module] = []
        before = 4
        for number, (after, kernel) in enumerate(zip(config.filters, config.kernels, strict=True)):
            convolution = keras.initialised(nn.Conv1d(before, after, kernel))
            layers += [convolution, nn.Softmax(dim=1) if number else nn.ReLU(), keras.batch_norm(after)]
            layers += [nn.MaxPool1d(2), first] if number == 1 else []
            before = after
        self.convolutions = nn.Sequential(*layers, second)
        wide, narrow = config.dense
        sizes = (config.positions * before, wide), (wide, narrow), (narrow, config.tasks)
        a, b, c = (keras.initialised(nn.Linear(*size)) for size in sizes)
        self.dense = nn.Sequential(a, nn.Sigmoid(), third, b, nn.Sigmoid(), c)

    def strands(self, codes: Tensor) -> Tensor:
        """Both strands of inserts [B, L], forward strands first: [2B, tasks, 1]."""
        x = self.window(torch.cat([codes, reverse_complement(codes)]))
        return self.dense(self.convolutions(x).transpose(1, 2).flatten(1))[:, :, None]

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        return self.strands(codes).unflatten(0, (2, -1)).mean(dim=0)

    def loss(self, batch: Batch, task: Task) -> Loss:
        """The task's loss, of both strands."""
        both = self.strands(batch.codes).float()
        return Loss(task.loss(both, batch.target.repeat(2, 1, 1)), both.unflatten(0, (2, -1)).mean(dim=0))


build = MPRAnn

_TRAINING = keras.ADAM | {
    "batch_size": 32, "epochs": 100, "patience": 10, "select": "loss", "keep": "best", "epsilon": 1e-7,
    "target_mean": 0.0, "target_sd": 1.0,
}  # fmt: skip
RECIPES: dict[str, dict[str, Any]] = {
    "script": {"model": {}, "training": _TRAINING},  # the script's default, and that of Rafi et al.
    "workflow": {"model": {}, "training": _TRAINING | {"batch_size": 128}},  # what the authors' workflow passes
}
