"""CNN and ResidualBind (Toneyan et al. 2022): three convolutions, in the latter each before a dilated residual block.

"base" models go through a dense layer, which sees the whole sequence, to `bottleneck` channels at each position of the
profile, and convolve those; they can have any bin. "32" models keep positions of 32 bp apart to their end; larger bins
are means of theirs. "task" models end with a convolution for each task, "all" models with one dense layer. Parameters
are as released, but for those of the 32 models at other bins, which there gave 64 positions whatever was asked for.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from proformer.errors import InputError
from proformer.models.base import Model
from proformer.models.dropout import Dropout
from proformer.models.keras import initialised
from proformer.models.profile_layers import PLATEAU, Letters, Profile, activation, batch_norm, per_task
from proformer.settings import BelowOne, Count, CountOrZero

KERNELS = (19, 7, 7)


@dataclass(frozen=True)
class Config(Profile):
    """Sizes of the layers.

    filters, pools, dropouts: of the three convolutions. blocks: convolutions of the residual block after each, 0: none.
    activation: after the first convolution. middle: what reads the third: "flat", one dense layer over all positions;
    "dense" or "conv", a layer at each position. dense: width of the flat layer. bottleneck: channels at each position
    of the profile that the flat layer leads to. wide, wide_dropout, last_block: of the convolution before the end, and
    of the residual block after it. heads: "task", or "all" tasks from one dense layer. head: width of a task's
    convolution.
    """

    filters: tuple[Count, Count, Count] = (192, 256, 512)
    blocks: tuple[CountOrZero, CountOrZero, CountOrZero] = (5, 5, 3)
    pools: tuple[Count, Count, Count] = (8, 4, 4)
    dropouts: tuple[BelowOne, BelowOne, BelowOne] = (0.1, 0.1, 0.2)
    activation: Literal["relu", "exponential"] = "relu"
    middle: Literal["flat", "dense", "conv"] = "flat"
    dense: Count = 512
    bottleneck: Count = 8
    wide: Count = 256
    wide_dropout: BelowOne = 0.2
    last_block: CountOrZero = 6
    heads: Literal["task", "all"] = "task"
    head: Count = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.middle != "flat" and self.output == "profile" and self.bin % self.pool:
            raise InputError(f"found bins of {self.bin} bp, expected several of {self.pool} bp")

    @property
    def pool(self) -> int:
        """bp of a position after the three convolutions."""
        return math.prod(self.pools)


class Residual(nn.Module):
    """Convolutions of width 3, 1, 2, 4, … apart, with batch norm, ReLU and dropout between; their sum with the input.

    [B, c, L] to the same shape.
    """

    def __init__(self, channels: int, layers: int, momentum: float) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for number in range(layers):
            parts += [nn.ReLU(), Dropout(0.1)] if number else []
            layer = nn.Conv1d(channels, channels, 3, padding="same", dilation=2**number)
            parts += [initialised(layer), batch_norm(channels, momentum)]
        self.layers = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the layers make of x."""
        return F.relu(x + self.layers(x))


class ResidualBind(Model):
    """Codes uint8 [B, L] to coverage of at least 0, [B, T, P], or to logits [B, T, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.momentum = config.momentum or 0.01
        parts: list[nn.Module] = [Letters()]
        for number, (before, after) in enumerate(zip((4, *config.filters), config.filters, strict=False)):
            first = activation(config.activation if number == 0 else "relu")
            parts += [*self._convolution(before, after, KERNELS[number]), first]
            parts += [Residual(after, config.blocks[number], self.momentum)] if config.blocks[number] else []
            parts += [nn.MaxPool1d(config.pools[number]), Dropout(config.dropouts[number])]
        self.body = nn.Sequential(*parts)
        self.middle = nn.Sequential(*(self._flat() if config.middle == "flat" else self._position_wise()))
        self.end = None if config.output == "label" else self._end(config)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        x = self.middle(self.body(codes))
        if self.end is None:
            return x[:, :, None]
        if self.config.middle == "flat":
            x = self.wide(x.unflatten(1, (self.config.bottleneck, -1)))
        x = F.softplus(self.end(x))
        return x if x.shape[2] == self.config.positions else F.avg_pool1d(x, self.config.bin // self.config.pool)

    def _convolution(self, before: int, after: int, kernel: int) -> list[nn.Module]:
        return [initialised(nn.Conv1d(before, after, kernel, padding="same")), batch_norm(after, self.momentum)]

    def _dense(self, before: int, after: int, dropout: float) -> list[nn.Module]:
        layer = initialised(nn.Linear(before, after))
        return [layer, batch_norm(after, self.momentum), nn.ReLU(), Dropout(dropout)]

    def _flat(self) -> list[nn.Module]:
        """Dense layers over all positions, to `bottleneck` channels at each of the profile, or to the labels."""
        config = self.config
        size = config.filters[2] * (config.length // config.pools[0] // config.pools[1] // config.pools[2])
        parts = [nn.Flatten(), *self._dense(size, config.dense, 0.3)]
        if config.output == "label":
            return [*parts, initialised(nn.Linear(config.dense, config.tasks))]
        wide = [*self._convolution(config.bottleneck, config.wide, 7), nn.ReLU(), Dropout(config.wide_dropout)]
        wide += [Residual(config.wide, config.last_block, self.momentum)] if config.last_block else []
        self.wide = nn.Sequential(*wide)
        return [*parts, *self._dense(config.dense, config.positions * config.bottleneck, 0.1)]

    def _position_wise(self) -> list[nn.Module]:
        config, kernel = self.config, 7 if self.config.middle == "conv" else 1
        layers = self._convolution(config.filters[2], config.wide, kernel)
        return [*layers, nn.ReLU(), Dropout(config.wide_dropout)]

    def _end(self, config: Config) -> nn.Module:
        if config.heads == "all":
            return initialised(nn.Conv1d(config.wide, config.tasks, 1))
        width = config.head * config.tasks
        each = per_task(nn.Conv1d(config.wide, width, 7, padding="same"), config.tasks)
        last = per_task(nn.Conv1d(width, config.tasks, 1, groups=config.tasks), config.tasks)
        return nn.Sequential(each, batch_norm(width, self.momentum), nn.ReLU(), Dropout(0.1), last)


build = ResidualBind

_CNN: dict[str, Any] = {"blocks": (0, 0, 0), "last_block": 0, "dense": 256}
_ALL: dict[str, Any] = {
    "blocks": (5, 5, 4), "pools": (4, 4, 4), "heads": "all", "last_block": 5, "wide_dropout": 0.1,
}  # fmt: skip
_32: dict[str, Any] = {
    "filters": (256, 512, 1024), "pools": (4, 4, 2), "dropouts": (0.2, 0.2, 0.5), "last_block": 0, "bin": 32,
}  # fmt: skip
_MODELS: dict[str, dict[str, Any]] = {
    "cnn-task": _CNN,
    "cnn-all": _CNN | {"heads": "all"},
    "residual-task": {},
    "residual-all": _ALL,
    "residual-32-task": _32 | {"middle": "conv"},
    "residual-32-all": _32 | {"middle": "dense", "heads": "all", "wide_dropout": 0.3},
    "cnn-label": _CNN | {"output": "label"},
    "residual-label": {"blocks": (5, 5, 4), "pools": (4, 4, 4), "output": "label"},
}
RECIPES = {name: {"model": keys, "training": PLATEAU} for name, keys in _MODELS.items()}
