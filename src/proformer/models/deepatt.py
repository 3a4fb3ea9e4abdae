"""DeepATT (Li et al. 2021), and the small model that Vaishnav et al. 2022 trained on yeast under its name.

Theirs: convolution, pooling of 3, bidirectional LSTM, self-attention with ReLU on every projection, two dense layers
of 16 (their "original": one of 100). Upstream: wider, logistic gates, and in place of self-attention one query per
label (a one-hot vector through a dense layer), each read out by the same two dense layers; it reads 1000 nt and
predicts 919 labels (`outputs`).

One strand is read: the model is not strand-symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.errors import InputError
from proformer.models.base import Model
from proformer.models.keras import (
    ADAM,
    COMPLEX_MEDIUM,
    OWN_DATA,
    UPSTREAM,
    Attention,
    BiLSTM,
    Dense,
    Input,
    Window,
    glorot_uniform,
    he_normal,
    initialised,
    pooled,
)
from proformer.settings import BelowOne, Count


@dataclass(frozen=True)
class Config(Input):
    """attention: "self", or "category" (one query per output). `width` is that of all attention heads together."""

    filters: Count = 256
    kernel: Count = 30
    pool: Count = 3
    units: Count = 16
    gates: Literal["hard", "logistic"] = "hard"
    attention: Literal["self", "category"] = "self"
    width: Count = 32
    heads: Count = 16
    dense: tuple[Count, ...] = (16, 16)
    outputs: Count = 1
    dropout: BelowOne = 0.2

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise InputError(f"width is {self.width}, not a multiple of {self.heads} heads")


class DeepAtt(Model):
    """Codes uint8 [B, L] to expression [B, 1, 1] (or logits of labels [B, outputs, 1])."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.by_category = config.attention == "category"
        init = glorot_uniform if self.by_category else he_normal
        states = 2 * config.units
        self.window = Window(config)
        self.convolution = initialised(nn.Conv1d(4, config.filters, config.kernel), init)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = BiLSTM(config.filters, config.units, config.gates, init)
        self.attention = (
            Attention(config.outputs, states, config.width, config.heads, nn.Identity(), glorot_uniform)
            if self.by_category
            else Attention(states, states, config.width, config.heads)
        )
        inputs, outputs = (config.width, 1) if self.by_category else (pooled(config) * config.width, config.outputs)
        self.dense = Dense(inputs, config.dense, outputs)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        x = F.max_pool1d(self.convolution(self.window(codes)).relu(), self.config.pool)
        x = self.lstm(self.dropout(x).transpose(1, 2))
        if not self.by_category:
            return self.dense(self.dropout(self.attention(x, x)))
        queries = torch.eye(self.config.outputs, dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
        x = self.dropout(self.attention(queries, x))
        return self.dense(x.flatten(0, 1)).view(len(x), -1, 1)


build = DeepAtt

RECIPES = {
    "as-released": {"model": {}, "training": ADAM | COMPLEX_MEDIUM},
    "repaired": {"model": {"unknown": 0.25}, "training": ADAM | OWN_DATA},
    "original": {"model": {"dense": [100]}, "training": ADAM | COMPLEX_MEDIUM},
    "upstream": {
        "model": {
            "window": 1000, "filters": 1024, "pool": 15, "units": 512, "gates": "logistic", "attention": "category",
            "width": 400, "heads": 4, "dense": [100], "unknown": 0,
        },
        "training": UPSTREAM,
    },
}  # fmt: skip
