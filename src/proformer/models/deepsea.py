"""DeepSEA (Zhou & Troyanskaya 2015), as re-implemented with DeepATT and as Vaishnav et al. 2022 trained that on yeast.

Three convolutions, then dense layers. Vaishnav et al. cut it down for 110 nt: one pooling, of 3, after the first
convolution, and two dense layers of 64; their "original" has one dense layer of 925 instead. The published weights do
not name the dense activations; ReLU is what their adapted file says, which also keeps max-norm and the penalties.
Upstream reads 1000 nt and predicts 919 labels (`outputs`).

One strand is read: the model is not strand-symmetric.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from proformer.datasets.batches import Batch
from proformer.errors import InputError
from proformer.models.base import Loss, Model
from proformer.models.dropout import Dropout
from proformer.models.keras import Dense, Input, SameConv1d, Window, initialised, max_pool_same, recipes
from proformer.settings import BelowOne, Count, NotNegative
from proformer.tasks import Task


@dataclass(frozen=True)
class Config(Input):
    """One number per convolution in `filters`, `pools` and `dropouts`.

    filters, kernel: of the convolutions. pools: width and stride of pooling (1: none). dropouts: after each
    convolution. dense: of the dense layers. outputs: of the model.
    max_norm: largest norm of every kernel along its first Keras axis (of a convolution: its width). l2: of the kernels.
    activity_l1: of what the first dense layer puts out.
    """

    filters: tuple[Count, ...] = (320, 480, 960)
    kernel: Count = 8
    pools: tuple[Count, ...] = (3, 1, 1)
    dropouts: tuple[BelowOne, ...] = (0.2, 0.2, 0.5)
    dense: tuple[Count, ...] = (64, 64)
    outputs: Count = 1
    max_norm: NotNegative = 0.9
    l2: NotNegative = 5e-7
    activity_l1: NotNegative = 1e-8

    def __post_init__(self) -> None:
        if not len(self.filters) == len(self.pools) == len(self.dropouts) or not self.dense:
            raise InputError("filters, pools and dropouts need as many numbers each, dense at least one")


class DeepSEA(Model):
    """Codes uint8 [B, L] to expression [B, 1, 1] (or logits of labels [B, outputs, 1])."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.window = Window(config)
        channels, width = (4, *config.filters), config.window
        for size in config.pools:
            width = -(-width // size)
        self.convolutions = nn.ModuleList(initialised(SameConv1d(a, b, config.kernel)) for a, b in pairwise(channels))
        self.dropouts = nn.ModuleList(Dropout(rate) for rate in config.dropouts)
        self.first = initialised(nn.Linear(width * channels[-1], config.dense[0]))
        self.dense = Dense(config.dense[0], config.dense[1:], config.outputs)

    def features(self, codes: Tensor) -> Tensor:
        """The first dense layer's activations [B, d]."""
        x = self.window(codes)
        for convolution, size, dropout in zip(self.convolutions, self.config.pools, self.dropouts, strict=True):
            x = dropout(max_pool_same(convolution(x).relu(), size))
        return self.first(x.flatten(1)).relu()

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        return self.dense(self.features(codes))

    def loss(self, batch: Batch, task: Task) -> Loss:
        """The task's loss, with penalties on weights and on activity: summed over units, averaged over the batch."""
        features = self.features(batch.codes)
        prediction = self.dense(features).float()
        activity = features.float().abs().sum(1).mean()
        loss = task.loss(prediction, batch.target) + self.config.activity_l1 * activity
        return Loss(loss + self.penalty(), prediction, {"task": loss})

    def penalty(self) -> Tensor:
        """L2 of the regularised kernels."""
        return self.config.l2 * torch.stack([weight.square().sum() for weight in self._regularised()]).sum()

    def _regularised(self) -> list[nn.Parameter]:
        # Vaishnav et al. add the single output without regularisation; the 919 of upstream have it.
        layers = [*self.convolutions, self.first, *self.dense.hidden]
        return [layer.weight for layer in (layers if self.config.outputs == 1 else [*layers, self.dense.output])]

    @torch.no_grad()
    def after_step(self) -> None:
        """Limit the norms, as Keras does after each update."""
        for weight in self._regularised():
            norm = weight.norm(dim=-1, keepdim=True)
            weight.mul_((self.config.max_norm / norm.clamp(min=1e-7)).clamp(max=1))


build = DeepSEA

RECIPES = recipes({"dense": [925]}, {"pools": [4, 4, 1], "dense": [925]})
