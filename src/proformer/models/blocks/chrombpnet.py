"""ChromBPNet's outputs as a final block (Pampari et al. 2024), for the DREAM models on base-resolution profiles."""

import torch
from torch import Tensor, nn

from proformer.errors import InputError
from proformer.models.blocks import Shape
from proformer.models.blocks.benchmarks import Values
from proformer.settings import Count


class Final(Values):
    """log(1 + total counts), from the mean over positions; then a logit for each of the `positions` in the middle."""

    def __init__(self, takes: Shape, positions: Count = 1000, kernel: Count = 75) -> None:
        if takes.length - kernel + 1 < positions:
            raise InputError(f"at least {positions + kernel - 1} positions")
        super().__init__(Shape(1, positions))
        self.profile = nn.Conv1d(takes.channels, 1, kernel)
        self.counts = nn.Linear(takes.channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, 1 + positions]."""
        logits = crop(self.profile(x), self.gives.length)[:, 0]
        return torch.cat([self.counts(x.mean(dim=2)), logits], dim=1)

    def score(self, outputs: Tensor) -> Tensor:
        """[N, 1 + positions] to [N, 1, 1 + positions]."""
        return outputs.float()[:, None]


def crop(x: Tensor, length: int) -> Tensor:
    """The middle of [N, C, L]: [N, C, length]."""
    start = (x.shape[2] - length) // 2
    return x[:, :, start : start + length]
