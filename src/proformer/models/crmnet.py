"""CRMnet (Ding et al. 2023): a U-net of convolutions around transformer blocks.

As released (jiayuwen/CRMnet, bdda267): the whole construct in 112 nt, padded 3′ with N, which has a channel of its own;
one strand only. Four encoder stages of two convolutions, each with squeeze-excitation and batch norm, then a stride-2
convolution; eight transformer blocks, of which 2 and 3, 4 and 5, 6 and 7 read the same input and are summed; three
decoder stages with skip connections; three convolutions and five dense layers. 34,165,681 parameters.

Defects, kept by "as-released" and not by "repaired": positions multiply the features by sin(7.93 i), so that the first
one is multiplied by 0 (repaired: by 1); the "cosine" schedule ends where it begins, so that after ten epochs of warm-up
the rate is constant (repaired: half a cosine to 0).

Not the same here: the released rate rises once an epoch, here with every step; early stopping looks at validation r in
place of R²; batch norm sees all 8,192 rows, where each of the eight TPU cores saw its own 1,024; the last batch of an
epoch, smaller than the others, is used; rows are shuffled once over all of the data, not through a buffer of 100,000,
and what is held out (1 %) is what the data set says. On one GPU the same code takes batches of 1,024, at a rate of
0.001.

Wen Group's entry to the DREAM challenge 2022 (recipe "wen-group", 25,256,989 parameters) came before it: a first stage
of 64, eight heads, blocks one after the other, of which the third, fifth and seventh add their input, faster positions,
a second batch norm in each encoder stage that never sees a batch, a narrower squeeze in the head, and a constant rate.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.errors import InputError
from proformer.models.base import Model
from proformer.models.construct import construct
from proformer.models.dropout import Dropout, dropout
from proformer.models.keras import SameConv1d, batch_norm, he_normal
from proformer.models.layers import Rows, SelfAttention, SqueezeExcitation, TransformerBlock
from proformer.models.rewrites import MergedAttention
from proformer.sequences import N
from proformer.settings import BelowOne, Count, Flanks, Positive, at_least

DENSE_DROPOUT = (0.2, 0.2, 0.1, 0.1)


@dataclass(frozen=True)
class Config:
    """Defaults are the released ones.

    length, flanks: of the sequences, from the data. window: nt that are read. kernel: of the convolutions. widths: of
    the encoder's stages; the last is that of the transformer. up_width: of the decoder. heads, feed_forward: of the
    transformer. head: width of the first of three convolutions. dense: width of the first of four dense layers; each
    further one is half as wide, in both. dropout: of encoder and transformer; the dense layers have their own.
    first_position: "zero" as released, or "kept". turns: position i multiplies by sin(turns · i / positions). order: of
    the transformer's blocks, parallel "pairs", or a "chain". second_norm: of each encoder stage, "batch", or "fixed" to
    the moments that it begins with. head_squeeze: by how much the head's squeeze-excitations narrow.
    """

    length: Count = 100
    flanks: Flanks = ("", "")
    window: Count = 112
    kernel: Annotated[int, at_least(2)] = 11
    widths: tuple[Annotated[int, at_least(2)], ...] = (128, 128, 256, 256)
    up_width: Annotated[int, at_least(2)] = 128
    heads: Count = 12
    feed_forward: Count = 128
    head: Annotated[int, at_least(8)] = 128
    dense: Annotated[int, at_least(8)] = 256
    dropout: BelowOne = 0.1
    first_position: Literal["zero", "kept"] = "zero"
    turns: Positive = 111.0
    order: Literal["pairs", "chain"] = "pairs"
    second_norm: Literal["batch", "fixed"] = "batch"
    head_squeeze: Count = 2

    def __post_init__(self) -> None:
        if not self.widths or self.window % 2 ** (len(self.widths) - 1):
            raise InputError(f"window is {self.window}; {len(self.widths)} widths halve it too often")


def convolutions(kernel: int, *widths: int, norm: bool = True, squeeze: int = 2, fixed: bool = False) -> nn.Sequential:
    """Convolution, ReLU, squeeze-excitation and batch norm, the last perhaps fixed, from each width to the next."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [SameConv1d(before, after, kernel), nn.ReLU()]
        narrow = max(1, after // squeeze)
        layers += [SqueezeExcitation(nn.Linear(after, narrow), nn.ReLU(), nn.Linear(narrow, after))]
        layers += [batch_norm(after)] if norm else []
    if fixed:
        layers[-1] = FixedNorm(widths[-1])
    return nn.Sequential(*layers)


class FixedNorm(nn.BatchNorm1d):
    """A batch norm in inference mode for good: its moments stay 0 and 1, its scale and offset are trained."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)
        self.train(False)

    def train(self, mode: bool = True) -> "FixedNorm":
        """Stay as it is."""
        return super().train(False)


class Down(nn.Sequential):
    """Convolution of stride 2, padded as TensorFlow pads an even length: the odd zero goes right."""

    def __init__(self, width: int, kernel: int) -> None:
        left = (kernel - 2) // 2
        super().__init__(
            nn.ConstantPad1d((left, kernel - 2 - left), 0.0), nn.Conv1d(width, width, kernel, stride=2), nn.ReLU()
        )


class Up(nn.ConvTranspose1d):
    """Transposed convolution of stride 2, the adjoint of `Down`'s: [B, C, L] to [B, width, 2L]."""

    def __init__(self, before: int, width: int, kernel: int) -> None:
        super().__init__(before, width, kernel, stride=2, padding=(kernel - 2) // 2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Twice as long; what an odd kernel leaves over at the 3′ end is cut."""
        return super().forward(x)[:, :, : 2 * x.shape[2]]


class CheaperAttention(MergedAttention):
    """Merges the projections, which is exact, where that is fewer operations: for more rows than features."""

    def forward(self, x: Tensor, rows: Rows = None) -> Tensor:
        """[B, L, d] to the same shape."""
        merge = x.shape[0] * x.shape[1] > x.shape[2]
        return super().forward(x, rows) if merge else SelfAttention.forward(self, x, rows)


class CRMnet(Model):
    """Codes uint8 [B, L] to expression [B, 1, 1]; the second strand is not read."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        kernel, widths, dim = config.kernel, config.widths, config.widths[-1]
        self.encoder = nn.ModuleList(
            convolutions(kernel, before, after, after, fixed=config.second_norm == "fixed")
            for before, after in pairwise((5, *widths))
        )
        self.down = nn.ModuleList(Down(width, kernel) for width in widths[:-1])
        self.blocks = nn.ModuleList(
            TransformerBlock(CheaperAttention(dim, config.heads), dim, config.feed_forward, config.dropout, eps=1e-6)
            for _ in range(8)
        )
        below = (dim, *[config.up_width] * (len(widths) - 2))
        self.up = nn.ModuleList(Up(width, config.up_width, kernel) for width in below[: len(widths) - 1])
        self.decoder = nn.ModuleList(
            convolutions(kernel, config.up_width + skip, config.up_width, config.up_width) for skip in widths[-2::-1]
        )
        last, head, dense = config.up_width if len(widths) > 1 else dim, config.head, config.dense
        self.head = convolutions(kernel, last, head, head // 2, head // 4, norm=False, squeeze=config.head_squeeze)
        sizes = (config.window * (head // 4), dense, dense // 2, dense // 4, dense // 8)
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.expression_dense = nn.Linear(sizes[-1], 1)
        self.dropout = Dropout(config.dropout)
        positions = torch.arange(config.window // 2 ** (len(widths) - 1)) * config.turns
        factors = torch.sin(positions / len(positions))
        factors[0] = 0.0 if config.first_position == "zero" else 1.0
        self.register_buffer("positions", factors[:, None], persistent=False)
        self.positions: Tensor
        self.reset_parameters()

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        seen = construct(codes, *self.config.flanks, self.config.window, "left")
        channels = (seen.clamp(max=N).long() + 1) % 5  # N, A, C, G, T
        x = F.one_hot(channels, 5).to(self.expression_dense.weight.dtype).transpose(1, 2)
        skips = []
        for stage, down in zip(self.encoder[:-1], self.down, strict=True):
            skips.append(self.dropout(stage(x)))
            x = down(skips[-1])
        x = self.dropout(self.encoder[-1](x))
        x = self.transform(x.transpose(1, 2) * self.positions).transpose(1, 2)
        for up, stage, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = stage(torch.cat([up(x), skip], dim=1))
        x = self.head(x).transpose(1, 2).flatten(1)
        for dense, rate in zip(self.dense, DENSE_DROPOUT, strict=True):
            x = dropout(F.leaky_relu(dense(x), 0.1), rate, self.training)
        return self.expression_dense(x)[:, :, None]

    def transform(self, x: Tensor) -> Tensor:
        """The transformer, [B, L, d] to the same shape: a block, three pairs (parallel, or a chain), a block."""
        first, *pairs, last = self.blocks
        x = first(x)
        for one, other in zip(pairs[::2], pairs[1::2], strict=True):
            if self.config.order == "pairs":
                x = one(x) + other(x)
            else:
                before = one(x)
                x = before + other(before)
        return last(x)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Initialise as Keras does: He-normal convolutions, Glorot-uniform for the rest, zero biases."""
        for name, module in self.named_modules():
            if not isinstance(module, nn.Conv1d | nn.ConvTranspose1d | nn.Linear):
                continue
            if isinstance(module, nn.Conv1d):
                he_normal(module.weight)
            elif ".attention." in name:
                # Fans of Keras' 3-D kernels: [d, h, d] and, of the output, [h, d, d].
                dim, heads = self.config.widths[-1], self.config.heads
                fans = 2 * heads * dim if name.endswith("output") else heads * dim + dim * dim
                nn.init.uniform_(module.weight, -math.sqrt(6 / fans), math.sqrt(6 / fans))
            else:
                nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


build = CRMnet

_TRAINING = {
    "epochs": 50,
    "batch_size": 8192,
    "learning_rate": 0.008,
    "schedule": "warmup",
    "warmup_epochs": 10,
    "warmup_start": 0.0008,
    "loss": "huber",
    "target_mean": 0.0,
    "target_sd": 1.0,
    "shuffle": "once",
    "clip_value": 0.0,
    "clip_norm": 0.0,
    "patience": 10,
}

RECIPES = {
    "as-released": {"model": {"first_position": "zero"}, "training": _TRAINING},
    "repaired": {"model": {"first_position": "kept"}, "training": {**_TRAINING, "schedule": "cosine"}},
    "wen-group": {
        "model": {
            "widths": (64, 128, 256, 256),
            "heads": 8,
            "turns": 200.0,
            "order": "chain",
            "second_norm": "fixed",
            "head_squeeze": 8,
        },
        "training": {
            **_TRAINING,
            "epochs": 100,
            "batch_size": 1024,
            "learning_rate": 0.001,
            "schedule": "constant",
            "select": "loss",
            "patience": 20,
        },
    },
}
