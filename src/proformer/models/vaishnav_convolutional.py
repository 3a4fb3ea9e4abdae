"""The convolutional model of Vaishnav et al. 2022.

The two strands enter two unshared branches, so the model is not invariant to reverse complement: that would need equal
branches and a flattening without positions.

As released, four of the six convolutions (30×1) slide along an axis of length 1: of their 30 taps only number 14 ever
meets data, the other 9,502,720 parameters are moved by the penalty alone, and no layer but the first sees neighbouring
positions. `deep` says what these layers are: "dead" keeps all taps as parameters and computes with the living one (same
outputs, same gradients of the data), "pointwise" has that tap alone, and "sequence" slides along the sequence, as a
width of 30 suggests. The recipe "repaired" takes "sequence", which starts He-normal: 30 living taps of the released
standard deviation, 0.1, would multiply the signal by six in each layer.

The released script validates at the start of epochs 2 to 5 and keeps the best r², so its last epoch is never kept
("before-last"); r² and r have the same order where r is positive. It reads rows in file order, the first tenth held
out; here the split of the data set applies, and the order is that of the file.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.datasets.batches import both_strands
from proformer.models.base import Model
from proformer.models.dropout import Dropout
from proformer.models.keras import ADAM, OWN_DATA, Input, SameConv1d, Window, he_normal
from proformer.settings import BelowOne, Count, NotNegative


@dataclass(frozen=True)
class Config(Input):
    """Sizes of the layers.

    filters, kernel: of the convolutions. deep: the second convolution: "dead" as released, "pointwise", or along the
    "sequence". dense: of the dense layers. dropout: after them. l1: times the mean absolute weight of every matrix is
    added to the loss (the release calls it l2).
    """

    filters: Count = 256
    kernel: Count = 30
    deep: Literal["dead", "pointwise", "sequence"] = "dead"
    dense: Count = 256
    dropout: BelowOne = 0.2
    l1: NotNegative = 1e-4


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv1d) and module.bias is not None:
        if isinstance(module, Deep) and module.deep == "sequence":
            he_normal(module.weight)
        else:
            nn.init.trunc_normal_(module.weight, std=0.1, a=-0.2, b=0.2)
        nn.init.constant_(module.bias, 0.1)


class Deep(SameConv1d):
    """A released 30×1 convolution, in one of the three ways above: [B, c, W] to [B, filters, W]."""

    def __init__(self, inputs: int, config: Config) -> None:
        super().__init__(inputs, config.filters, 1 if config.deep == "pointwise" else config.kernel)
        self.deep = config.deep

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        if self.deep != "dead":
            return super().forward(x)
        # SAME padding puts so many zeros before an axis of length 1; the tap after them reads it.
        living = (self.kernel_size[0] - 1) // 2
        return F.conv1d(x, self.weight[:, :, living : living + 1], self.bias)


class Convolutional(Model):
    """Codes uint8 [B, L] to expression [B, 1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        n = config.filters
        self.window = Window(config)
        self.forward_branch, self.reverse_branch = (
            nn.Sequential(SameConv1d(4, n, config.kernel), nn.ReLU(), Deep(n, config), nn.ReLU()) for _ in range(2)
        )
        self.joined = nn.Sequential(Deep(2 * n, config), nn.ReLU(), Deep(n, config), nn.ReLU(), nn.Flatten())
        sizes = (config.window * n, config.dense, config.dense)
        layers = [nn.Sequential(nn.Linear(a, b), nn.ReLU(), Dropout(config.dropout)) for a, b in pairwise(sizes)]
        self.dense = nn.Sequential(*layers, nn.Linear(config.dense, 1))
        self.apply(_initialise)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        strands = self.window.encode(both_strands(self.window.place(codes))).chunk(2, dim=2)
        branches = [self.forward_branch(strands[0]), self.reverse_branch(strands[1])]
        return self.dense(self.joined(torch.cat(branches, dim=1)))[:, :, None]

    def penalty(self) -> Tensor:
        """The penalty on weights, dead ones included."""
        means = [parameter.abs().mean() for parameter in self.parameters() if parameter.dim() > 1]
        return self.config.l1 * torch.stack(means).sum()


build = Convolutional

TRAINING = ADAM | {"learning_rate": 5e-4, "epochs": 5}

RECIPES = {
    "as-released": {
        "model": {},
        "training": TRAINING | {"shuffle": "none", "keep": "before-last", "target_mean": 0, "target_sd": 1},
    },
    "repaired": {
        "model": {"deep": "sequence", "unknown": 0.25},
        "training": TRAINING | OWN_DATA | {"keep": "best"},
    },
}
