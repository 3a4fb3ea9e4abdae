"""DeepATT (Li et al. 2021), and the small model that Vaishnav et al. 2022 trained on yeast under its name.

Theirs: convolution, pooling of 3, bidirectional LSTM, self-attention with ReLU on every projection, two dense layers
of 16 (their "original": one of 100). Upstream: wider, logistic gates, and in place of self-attention one query per
label (a one-hot vector through a dense layer), each read out by the same two dense layers; it reads 1000 nt and
predicts 919 labels (`outputs`).

One strand is read: the model is not strand-symmetric.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from proformer.errors import InputError
from proformer.models import keras
from proformer.models.base import Model
from proformer.models.dropout import Dropout
from proformer.settings import BelowOne, Count


@dataclass(frozen=True)
class Config(keras.Input):
    """Sizes of the layers.

    filters, kernel: of the convolution. pool: width and stride of pooling. units: of the LSTM, in one direction. gates:
    of the LSTM: Keras' "hard" sigmoid, or "logistic". attention: "self", or "category" (one query per output). width:
    that of all attention heads together. heads: of attention. dense: of the dense layers. outputs: of the model.
    dropout: after every layer.
    """

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
        states, sizes = 2 * config.units, (config.width, config.heads)
        self.window = keras.Window(config)
        self.states = keras.ConvolutionLSTM(config, keras.glorot_uniform if self.by_category else keras.he_normal)
        self.dropout = Dropout(config.dropout)
        if self.by_category:
            linear = nn.Identity(), keras.glorot_uniform
            self.attention = keras.ActivatedAttention(config.outputs, states, *sizes, *linear)
            self.dense = keras.Dense(config.width, config.dense, 1)
        else:
            self.attention = keras.ActivatedAttention(states, states, *sizes)
            self.dense = keras.Dense(self.states.positions * config.width, config.dense, config.outputs)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        x = self.states(self.window(codes))
        if not self.by_category:
            return self.dense(self.dropout(self.attention(x)))
        queries = torch.eye(self.config.outputs, dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
        x = self.dropout(self.attention(queries, x))
        return self.dense(x.flatten(0, 1)).view(len(x), -1, 1)


build = DeepAtt

RECIPES = keras.recipes(
    {"dense": [100]},
    {
        "filters": 1024, "pool": 15, "units": 512, "gates": "logistic", "attention": "category", "width": 400,
        "heads": 4, "dense": [100],
    },
)  # fmt: skip


def load_original(model: DeepAtt, arrays: Mapping[str, Tensor]) -> DeepAtt:
    """Copy weights of the Keras file of Vaishnav et al., in place. Raises InputError for what does not fit."""
    first = [model.states.convolution, model.states.lstm, model.attention]
    keras.load_layers([*first, *model.dense.hidden, model.dense.output], arrays)
    return model
