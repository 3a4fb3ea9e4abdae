"""Basset (Kelley et al. 2016) as Toneyan et al. 2022 trained it on labels: three convolutions and two dense layers.

10,372,515 parameters for 15 tasks.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from proformer.models.base import Model
from proformer.models.dropout import Dropout
from proformer.models.keras import SameConv1d, glorot_normal, initialised
from proformer.models.profile_layers import PLATEAU, Letters, Profile, activation, batch_norm
from proformer.settings import BelowOne, Count


@dataclass(frozen=True)
class Config(Profile):
    """Sizes of the layers.

    filters, kernels, pools: of the three convolutions. dense, dropout: of the dense layers. activation: after the first
    convolution.
    """

    output: Literal["label"] = "label"
    filters: tuple[Count, Count, Count] = (300, 200, 200)
    kernels: tuple[Count, Count, Count] = (10, 11, 7)
    pools: tuple[Count, Count, Count] = (3, 4, 4)
    dense: tuple[Count, ...] = (1000, 1000)
    dropout: BelowOne = 0.3
    activation: Literal["relu", "exponential"] = "relu"


class Basset(Model):
    """Codes uint8 [B, L] to the logits of labels [B, T, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        momentum, size = config.momentum or 0.01, config.length
        parts: list[nn.Module] = [Letters()]
        before = 4
        for number, (filters, kernel, pool) in enumerate(
            zip(config.filters, config.kernels, config.pools, strict=True)
        ):
            layer = initialised(SameConv1d(before, filters, kernel), glorot_normal)
            first = activation(config.activation if number == 0 else "relu")
            parts += [layer, batch_norm(filters, momentum), first, nn.MaxPool1d(pool)]
            before, size = filters, size // pool
        parts.append(nn.Flatten())
        before *= size
        for width in config.dense:
            layer_ = initialised(nn.Linear(before, width), glorot_normal)
            parts += [layer_, nn.ReLU(), Dropout(config.dropout)]
            before = width
        self.layers = nn.Sequential(*parts, initialised(nn.Linear(before, config.tasks), glorot_normal))

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        return self.layers(codes)[:, :, None]


build = Basset

RECIPES = {"label": {"model": {}, "training": PLATEAU}}
