"""BPNet (Avsec et al. 2021) as Toneyan et al. 2022 used it: dilated convolutions, and a convolution for each task.

Recipe "profile": coverage of each task, 1,824,527 parameters for 15 tasks at every bin. Recipe "counts": the original's
two ends, log(1 + total) and the logits of the profile, from 64 filters: 142,622 parameters.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.models.base import Model
from proformer.models.keras import initialised
from proformer.models.profile_layers import TRAINING, Letters, Profile, per_task
from proformer.settings import Count


@dataclass(frozen=True)
class Config(Profile):
    """Sizes of the layers.

    filters, kernel: of the first convolution. layers: dilated convolutions, each twice as far apart as the one before.
    head_kernel: of the convolution that gives the profile. head: "coverage", or "counts" for a task of the kind counts
    and profile. softplus: keeps the coverage above 0, which the Poisson loss needs; the paper has none with others.
    """

    filters: Count = 256
    kernel: Count = 25
    layers: Count = 9
    head_kernel: Count = 7
    head: Literal["coverage", "counts"] = "coverage"
    softplus: bool = True


class BPNet(Model):
    """Codes uint8 [B, L] to coverage [B, T, P]; or to log(1 + total) and logits, [B, T, 1 + P]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, width = config, config.filters
        self.letters = Letters()
        self.first = initialised(nn.Conv1d(4, width, config.kernel, padding="same"))
        self.dilated = nn.ModuleList(
            initialised(nn.Conv1d(width, width, 3, padding="same", dilation=2**number))
            for number in range(1, config.layers + 1)
        )
        head = nn.Conv1d(width, config.tasks, config.head_kernel, padding="same")
        self.profile = per_task(head, config.tasks)
        self.total = initialised(nn.Linear(width, config.tasks)) if config.head == "counts" else None

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        x = F.relu(self.first(self.letters(codes)))
        for layer in self.dilated:
            x = x + F.relu(layer(x))
        profile = F.avg_pool1d(self.profile(x), self.config.bin)
        if self.total is not None:
            return torch.cat([self.total(x.mean(2))[:, :, None], profile], dim=2)
        return F.softplus(profile) if self.config.softplus else profile


build = BPNet

RECIPES = {
    "profile": {"model": {}, "training": TRAINING},
    "counts": {"model": {"head": "counts", "filters": 64, "head_kernel": 25, "bin": 1}, "training": TRAINING},
}
