"""The transformer of Vaishnav et al. 2022.

One strand is read, by the first convolution's kernels and by their reverse complements. The two maps have batch
normalisations of their own and lie one above the other under a two-dimensional convolution: strands are told apart, and
the model is not invariant to reverse complement. Attention has no positions; the number of heads is also the width of
the feed-forward and of the LSTM. The LSTM's gates are hard sigmoids, the default of the release's TensorFlow 1.

The settings of the training notebook ("as-released") and those stored with the authors' app ("app") differ; which made
the published predictions is not known. Both train with TensorFlow's RMSProp, whose epsilon (1e-10) stands inside the
root and whose mean square starts at 1: the engine's has it outside, and starts at 0, so first steps are larger here.
The release stops early on R² (1 - residual / total), the engine on r.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.errors import InputError
from proformer.models import keras
from proformer.models.base import Model
from proformer.models.dropout import Dropout
from proformer.models.keras import COMPLEX_MEDIUM, OWN_DATA, batch_norm, he_normal, initialised
from proformer.models.layers import TransformerBlock
from proformer.settings import BelowOne, Count, NotNegative

LN_EPS = 1e-14


def dense(before: int, after: int) -> nn.Linear:
    """A dense layer of the feed-forward."""
    return initialised(nn.Linear(before, after), keras.glorot_normal)


@dataclass(frozen=True)
class Config(keras.Input):
    """Sizes of the layers.

    motifs: filters of the first convolution. filters: of the others, and the width of attention. kernel: of the
    convolutions. convolutions, blocks: how many. heads: of attention. dense: of the dense layer. attention_dropout,
    dropout: in the blocks, and elsewhere. l2: of all kernels but the recurrent ones.
    """

    motifs: Count = 256
    filters: Count = 128
    kernel: Count = 30
    convolutions: Count = 2
    blocks: Count = 2
    heads: Count = 8
    dense: Count = 128
    attention_dropout: BelowOne = 0.2
    dropout: BelowOne = 0.2
    l2: NotNegative = 1e-4

    def __post_init__(self) -> None:
        if self.filters % self.heads:
            raise InputError(f"filters is {self.filters}, not a multiple of {self.heads} heads")


class Convolution(nn.Module):
    """Convolution without bias (SAME), batch normalisation, ReLU: [B, c, W] to [B, filters, W]."""

    def __init__(self, inputs: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.convolution = initialised(keras.SameConv1d(inputs, filters, kernel, bias=False), he_normal)
        self.norm = batch_norm(filters)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return self.norm(self.convolution(x)).relu()


class Motifs(nn.Module):
    """One set of kernels read both ways along the strand: [B, 4, W] to [B, 2 · motifs, W], forward, then reverse."""

    def __init__(self, motifs: int, kernel: int) -> None:
        super().__init__()
        self.convolution = initialised(nn.Conv1d(4, motifs, kernel, bias=False), he_normal)
        self.norms = nn.ModuleList(batch_norm(motifs) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Scan."""
        kernels = self.convolution.weight
        turned = kernels.flip(1, 2)  # A, C, G, T backwards: T, G, C, A
        both = F.conv1d(keras.same(x, kernels.shape[2]), torch.cat([kernels, turned]))
        return torch.cat([norm(part) for norm, part in zip(self.norms, both.chunk(2, 1), strict=True)], 1).relu()


class Transformer(Model):
    """Codes uint8 [B, L] to expression [B, 1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        n, k = config.filters, config.kernel
        self.window = keras.Window(config)
        self.motifs = Motifs(config.motifs, k)
        # A convolution of 2 × k over the stacked maps is one of width k over their channels side by side; He's variance
        # is the same, too (fan-in 2 · k · motifs).
        widths = [2 * config.motifs] + [n] * config.convolutions
        self.convolutions = nn.Sequential(*(Convolution(width, n, k) for width in widths))
        self.blocks = nn.Sequential(*(self._block() for _ in range(config.blocks)))
        self.lstm = keras.BiLSTM(n, config.heads, "hard", he_normal, config.dropout)
        self.dropout = Dropout(config.dropout)
        states, dense = config.window * 2 * config.heads, (config.dense, config.dense)
        self.dense = keras.Dense(states, dense, 1, he_normal, config.dropout)

    def _block(self) -> TransformerBlock:
        width, heads = self.config.filters, self.config.heads
        attention = keras.ActivatedAttention(width, width, width, heads)
        return TransformerBlock(attention, width, heads, self.config.attention_dropout, LN_EPS, dense)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        x = self.convolutions(self.motifs(self.window(codes))).transpose(1, 2)
        return self.dense(self.dropout(self.lstm(self.blocks(x))))

    def penalty(self) -> Tensor:
        """L2 of the kernels."""
        kernels = [p for name, p in self.named_parameters() if name.endswith(("weight", "kernel")) and p.dim() > 1]
        return self.config.l2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()


build = Transformer

TRAINING = keras.ADAM | {"optimiser": "rmsprop", "epochs": 100, "patience": 10, "keep": "best", "epsilon": 1e-7}

RECIPES = {
    "as-released": {"model": {}, "training": TRAINING | COMPLEX_MEDIUM},
    "repaired": {"model": {"unknown": 0.25}, "training": TRAINING | OWN_DATA},
    "app": {
        "model": {"filters": 64, "convolutions": 1, "dense": 64, "attention_dropout": 0, "dropout": 0.05, "l2": 0},
        "training": TRAINING | COMPLEX_MEDIUM,
    },
}
