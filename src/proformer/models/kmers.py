"""Baselines: what a model has to beat to have learned more than composition.

The prediction is linear in a few numbers that are read off the forward strand, and fitted in closed form, in float64,
to the whole training part before the first step: no weight is learned by gradients, so one epoch is enough. "mean": no
numbers at all, the mean of the training part. "gc": G+C content. "kmers": how often each k-mer occurs, by ridge
regression. N, and so padding, is part of no k-mer and of no share.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from proformer.datasets.batches import DeviceData
from proformer.errors import InputError
from proformer.models.base import Model
from proformer.sequences import N
from proformer.settings import Count, Positive, at_least, at_most

ROWS = 1 << 14  # sequences at once


@dataclass(frozen=True)
class Config:
    """features: what is read off a sequence: nothing ("mean"), the percentage of G and C ("gc"), or counts of "kmers".

    length: of the sequences, from the data. k: of the k-mers. penalty: of the squared weights, the ridge's alpha.
    """

    length: Count = 100
    features: Literal["mean", "gc", "kmers"] = "kmers"
    k: Annotated[int, at_least(1), at_most(6)] = 3
    penalty: Positive = 1.0


class Baseline(Model):
    """Codes uint8 [B, L] to one number per sequence, [B, 1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        size = {"mean": 0, "gc": 1, "kmers": 4**config.k}[config.features]
        self.weight = nn.Parameter(torch.zeros(size), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(()), requires_grad=False)

    def features(self, codes: Tensor) -> Tensor:
        """The numbers that stand for each sequence: float32 [B, features]."""
        if self.config.features == "mean":
            return self.weight.new_zeros(len(codes), 0)
        if self.config.features == "gc":
            strong, known = (codes == 1) | (codes == 2), codes < N
            return 100 * strong.sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1)
        windows = codes.unfold(1, self.config.k, 1).long()  # [B, L - k + 1, k]
        place = (windows * 4 ** torch.arange(self.config.k, device=codes.device)).sum(2)
        place = place.where((windows < N).all(2), len(self.weight))  # those with an N are counted behind all others
        counts = torch.zeros(len(codes), len(self.weight) + 1, device=codes.device)
        return counts.scatter_add_(1, place, torch.ones_like(place, dtype=counts.dtype))[:, :-1]

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        return (self.features(codes) @ self.weight[:, None] + self.bias)[:, :, None]

    def fit(self, data: DeviceData) -> None:
        """Ridge regression on the whole training part, its intercept without a penalty."""
        moments: Any = 0
        for batch in data.batches(ROWS):
            if batch.target.shape[1:] != (1, 1):
                raise InputError(
                    f"model kmers: found targets of {list(batch.target.shape[1:])} (tasks, positions), expected one"
                )
            columns = [torch.ones_like(batch.target[:, 0]), self.features(batch.codes), batch.target[:, 0]]
            both = torch.cat([column.to(_home(data.device)).double() for column in columns], dim=1)
            moments = moments + both.T @ both  # of 1, the features and the target, each with each
        mean = moments[0, 1:] / len(data)
        spread = moments[1:, 1:] - len(data) * torch.outer(mean, mean)
        ridge = self.config.penalty * torch.eye(len(self.weight), device=spread.device, dtype=spread.dtype)
        weight = torch.linalg.solve(spread[:-1, :-1] + ridge, spread[:-1, -1])
        self.weight.data.copy_(weight)
        self.bias.data.copy_(mean[-1] - mean[:-1] @ weight)


def _home(device: torch.device) -> torch.device:
    """Where there is float64."""
    return torch.device("cpu") if device.type == "mps" else device


build = Baseline

RECIPES: dict[str, dict[str, Any]] = {
    name: {"model": {"features": name}, "training": {"epochs": 1}} for name in ("kmers", "gc", "mean")
}
