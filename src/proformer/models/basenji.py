"""Basenji at any resolution (Kelley et al. 2018, as Toneyan et al. 2022 adapted it): dilated residual convolutions.

2,038,287 parameters for 15 tasks at every bin, running statistics of batch norms among them.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from proformer.models.base import Model
from proformer.models.dropout import Dropout
from proformer.models.keras import he_normal, initialised
from proformer.models.profile_layers import TRAINING, Letters, Profile, batch_norm
from proformer.settings import BelowOne, Count


@dataclass(frozen=True)
class Config(Profile):
    """Sizes of the layers.

    filters: of the first convolution and the residual stream. wide: of the last convolution. blocks: residual ones.
    dropout, last_dropout: after each block, and after the last convolution.
    """

    filters: Count = 256
    wide: Count = 2048
    blocks: Count = 11
    dropout: BelowOne = 0.3
    last_dropout: BelowOne = 0.05


class Convolution(nn.Module):
    """GELU (x · sigmoid(1.702 x)) *before* a convolution without bias, then batch norm: [B, c, L] to [B, c', L].

    start: of the batch norm's factor, 0 where the block is to begin as the identity.
    """

    def __init__(
        self, before: int, after: int, kernel: int, momentum: float, dilation: int = 1, start: float = 1.0
    ) -> None:
        super().__init__()
        layer = nn.Conv1d(before, after, kernel, padding="same", dilation=dilation, bias=False)
        self.convolution = initialised(layer, he_normal)
        self.norm = batch_norm(after, momentum)
        nn.init.constant_(self.norm.weight, start)

    def forward(self, x: Tensor) -> Tensor:
        """Activate, convolve, normalise."""
        layer = self.convolution
        return self.norm(layer._conv_forward(F.silu(1.702 * x), layer.weight / 1.702, None))


class Basenji(Model):
    """Codes uint8 [B, L] to coverage of at least 0, [B, T, P], or to logits [B, T, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width, momentum = config.filters, config.momentum or 0.1
        self.letters = Letters()
        self.first = Convolution(4, width, 15, momentum)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                Convolution(width, width // 2, 3, momentum, dilation=round(1.5**number)),
                Convolution(width // 2, width, 1, momentum, start=0.0),
                Dropout(config.dropout, inplace=True),
            )
            for number in range(config.blocks)
        )
        last_dropout = Dropout(config.last_dropout, inplace=True)
        self.last = nn.Sequential(Convolution(width, config.wide, 1, momentum), last_dropout)
        self.output = initialised(nn.Linear(config.wide, config.tasks), he_normal)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        labels = self.config.output == "label"
        pool = 2 if self.config.bin > 1 or labels else 1
        x = F.max_pool1d(self.first(self.letters(codes)), pool)
        for block in self.blocks:
            x = x + block(x)
        x = self.last(x)
        # Not by avg_pool1d, whose gradient copies x: a sixth of a training step.
        x = x.unflatten(2, (-1, x.shape[2] if labels else self.config.bin // pool)).mean(3)
        x = self.output(x.transpose(1, 2)).transpose(1, 2)
        return x if labels else F.softplus(x)


build = Basenji

RECIPES = {
    "profile": {"model": {}, "training": TRAINING},
    "label": {"model": {"output": "label"}, "training": TRAINING | {"patience": 10, "schedule": "plateau"}},
}
