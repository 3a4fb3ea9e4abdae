"""DanQ (Quang & Xie 2016), as re-implemented with DeepATT and as Vaishnav et al. 2022 trained that on yeast.

A convolution, a bidirectional LSTM, dense layers. Their trained model is not published; their adapted file pools by 3
and has two dense layers of 64, taken here as released (2,825,729 parameters). Their "original" keeps upstream's trunk
(pooling of 13) before one dense layer of 925. Under TensorFlow 1 the gates are hard sigmoids, upstream logistic.
Upstream reads 1000 nt and predicts 919 labels (`outputs`).

One strand is read: the model is not strand-symmetric.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from proformer.models.base import Model
from proformer.models.dropout import Dropout
from proformer.models.keras import ConvolutionLSTM, Dense, Input, Window, recipes
from proformer.settings import BelowOne, Count


@dataclass(frozen=True)
class Config(Input):
    """Sizes of the layers.

    filters, kernel: of the convolution. pool: width and stride of pooling. units: of the LSTM, in one direction. gates:
    of the LSTM: Keras' "hard" sigmoid, or "logistic". dense: of the dense layers. outputs: of the model. dropout: after
    convolution and dense layers. recurrent_dropout: of the LSTM's outputs.
    """

    filters: Count = 320
    kernel: Count = 26
    pool: Count = 3
    units: Count = 320
    gates: Literal["hard", "logistic"] = "hard"
    dense: tuple[Count, ...] = (64, 64)
    outputs: Count = 1
    dropout: BelowOne = 0.2
    recurrent_dropout: BelowOne = 0.5


class DanQ(Model):
    """Codes uint8 [B, L] to expression [B, 1, 1] (or logits of labels [B, outputs, 1])."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.window = Window(config)
        self.states = ConvolutionLSTM(config)
        self.dropout = Dropout(config.recurrent_dropout)
        self.dense = Dense(self.states.positions * 2 * config.units, config.dense, config.outputs)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        return self.dense(self.dropout(self.states(self.window(codes))))


build = DanQ

RECIPES = recipes({"pool": 13, "dense": [925]}, {"pool": 13, "dense": [925], "gates": "logistic"})
