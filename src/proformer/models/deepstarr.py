"""DeepSTARR (de Almeida et al. 2022): enhancer activity in Drosophila cells, developmental and housekeeping.

Four convolutions with batch norm, ReLU and pooling, two dense layers, and a linear head for each programme. 249 nt of
one strand; an N is 0,0,0,0. 622,722 trainable parameters. bernardo-de-almeida/DeepSTARR, b02e460.

Not the same here: the squared errors of the programmes are averaged, not added, which Adam does not notice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from proformer.errors import InputError
from proformer.models import keras
from proformer.models.base import Model
from proformer.models.dropout import Dropout
from proformer.settings import BelowOne, Count, NotNegative


@dataclass(frozen=True)
class Config(keras.Input):
    """filters, kernels: of the convolutions, each followed by pooling of 2. dense: of the dense layers. dropout: after
    each of them. tasks: how many, from the data.
    """

    length: Count = 249
    window: Count = 249
    unknown: NotNegative = 0.0
    filters: tuple[Count, ...] = (256, 60, 60, 120)
    kernels: tuple[Count, ...] = (7, 3, 5, 3)
    dense: tuple[Count, ...] = (256, 256)
    dropout: BelowOne = 0.4
    tasks: Count = 2

    def __post_init__(self) -> None:
        if len(self.filters) != len(self.kernels) or not self.filters or not self.dense:
            raise InputError("filters and kernels need as many numbers each, dense at least one")
        if not self.window >> len(self.filters):
            raise InputError(f"window is {self.window}, too short for {len(self.filters)} times pooling of 2")


class DeepSTARR(Model):
    """Codes uint8 [B, L] to the activity in each programme, [B, tasks, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.window = keras.Window(config)
        sizes = zip(pairwise((4, *config.filters)), config.kernels, strict=True)
        self.convolutions = nn.ModuleList(keras.initialised(keras.SameConv1d(a, b, k)) for (a, b), k in sizes)
        widths = ((config.window >> len(config.filters)) * config.filters[-1], *config.dense)
        self.dense = nn.ModuleList(keras.initialised(nn.Linear(a, b)) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(keras.batch_norm(size) for size in (*config.filters, *config.dense))
        self.dropout = Dropout(config.dropout)
        self.heads = nn.ModuleList(keras.initialised(nn.Linear(widths[-1], 1)) for _ in range(config.tasks))

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        x, norms = self.window(codes), iter(self.norms)
        for convolution in self.convolutions:
            x = nn.functional.max_pool1d(next(norms)(convolution(x)).relu(), 2)
        x = x.transpose(1, 2).flatten(1)  # positions before channels, as Keras flattens
        for layer in self.dense:
            x = self.dropout(next(norms)(layer(x)).relu())
        return torch.stack([head(x) for head in self.heads], dim=1)


build = DeepSTARR

RECIPES: dict[str, dict[str, Any]] = {
    "as-released": {
        "model": {},
        "training": keras.ADAM
        | {"learning_rate": 0.002, "batch_size": 128, "epochs": 100, "patience": 10, "select": "loss"}
        | {"keep": "best", "epsilon": 1e-7, "target_mean": 0.0, "target_sd": 1.0},
    }
}


def load_original(model: DeepSTARR, arrays: Mapping[str, Tensor]) -> DeepSTARR:
    """Copy weights of the published Keras file, in place. Raises InputError for what does not fit."""
    layers: list[nn.Module] = [*model.convolutions, *model.dense]
    both = [part for pair in zip(layers, model.norms, strict=True) for part in pair]
    keras.load_layers([*both, *model.heads], arrays)
    return model
