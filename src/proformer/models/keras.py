"""What the peers of Vaishnav et al. 2022 share: their input, and layers as Keras has them.

Shapes: B sequences, W positions of the window, T time steps, c channels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.errors import InputError
from proformer.models.blocks import Processor, Shape
from proformer.models.construct import construct
from proformer.models.dropout import Dropout, dropout
from proformer.models.layers import attention
from proformer.settings import Count, Flanks, NotNegative

COMPLEX_MEDIUM = {"target_mean": 9.359, "target_sd": 3.704}
"""The scaler of the Keras models, fitted on 61,623 designed sequences; defined medium: 9.173 and 3.676."""
OWN_DATA = {"target_mean": None, "target_sd": None}
"""Targets standardised by the training part."""
ADAM = {
    "optimiser": "adam", "schedule": "constant", "learning_rate": 0.001, "epsilon": 1e-8, "clip_value": 0,
    "clip_norm": 0, "batch_size": 1024, "epochs": 3, "shuffle": "epoch", "keep": "last",
}  # fmt: skip
"""How Vaishnav et al. trained DeepSEA, DanQ and DeepAtt: constant Adam, three epochs, the last weights."""
UPSTREAM = ADAM | {"batch_size": 64, "epochs": 100, "patience": 5, "keep": "best", "epsilon": 1e-7}
"""How DeepATT's authors trained them, but for AMSGrad and the binary cross-entropy of 919 labels."""


def recipes(original: dict[str, Any], upstream: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of DeepSEA, DanQ and DeepAtt: as trained on yeast, repaired; and keys of their larger and upstream's models."""
    return {
        "as-released": {"model": {}, "training": ADAM | COMPLEX_MEDIUM},
        "repaired": {"model": {"unknown": 0.25}, "training": ADAM | OWN_DATA},
        "original": {"model": original, "training": ADAM | COMPLEX_MEDIUM},
        "upstream": {"model": {"window": 1000, "unknown": 0} | upstream, "training": UPSTREAM},
    }


@dataclass(frozen=True)
class Input:
    """What a peer reads: the end of the construct, padded 5' with N.

    length, flanks: of the sequences, from the data. window: nt that are read. unknown: what each of the four channels
    holds at an N: 1 as released (the encoder's index None sets them all), 0.25 or 0 to repair it.
    """

    length: Count = 100
    flanks: Flanks = ("", "")
    window: Count = 110
    unknown: NotNegative = 1.0


class Window(Processor):
    """Codes to the window of the construct, one-hot (A, C, G, T)."""

    def __init__(self, config: Input) -> None:
        table = torch.cat([torch.eye(4), torch.full((1, 4), config.unknown), torch.zeros(1, 4)])
        super().__init__(Shape(4, config.window), table)
        self.config = config

    def place(self, codes: Tensor) -> Tensor:
        """Codes uint8 [B, L] to the window of the construct, uint8 [B, W]."""
        if codes.shape[1] != self.config.length:
            raise ValueError(f"codes have {codes.shape[1]} positions, this model reads {self.config.length}")
        return construct(codes, *self.config.flanks, self.config.window, "right")

    def forward(self, codes: Tensor) -> Tensor:
        """Codes uint8 [B, L] to float [B, 4, W]."""
        return self.encode(self.place(codes))


Initialiser = Callable[[Tensor], object]
Layer = TypeVar("Layer", nn.Linear, nn.Conv1d)
glorot_uniform: Initialiser = nn.init.xavier_uniform_


def _truncated(weight: Tensor, variance: float) -> None:
    # Keras widens the normal so that cutting it at two standard deviations leaves this variance.
    sd = math.sqrt(variance) / 0.87962566103423978
    nn.init.trunc_normal_(weight, std=sd, a=-2 * sd, b=2 * sd)


def he_normal(weight: Tensor) -> None:
    """Variance 2 / fan-in, for weights [out, in, …]."""
    _truncated(weight, 2 / weight[0].numel())


def glorot_normal(weight: Tensor) -> None:
    """Variance 2 / (fan-in + fan-out), for weights [out, in, …]."""
    _truncated(weight, 2 / (weight[0].numel() + weight[:, 0].numel()))


def initialised(layer: Layer, weight: Initialiser = glorot_uniform) -> Layer:
    """The layer, initialised as Keras does: `weight`, and zero biases."""
    weight(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class SameConv1d(nn.Conv1d):
    """A convolution of stride 1 with TensorFlow's SAME padding: [B, c, W] to [B, c', W]."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return F.conv1d(same(x, self.kernel_size[0]), self.weight, self.bias)


def same(x: Tensor, kernel: int) -> Tensor:
    """SAME padding: of an even kernel's odd total, the smaller half goes before."""
    return F.pad(x, ((kernel - 1) // 2, kernel // 2))


def batch_norm(channels: int) -> nn.BatchNorm1d:
    """Keras' defaults: epsilon 0.001, momentum 0.99. Takes [B, c, W]."""
    return nn.BatchNorm1d(channels, eps=1e-3, momentum=0.01)


def max_pool_same(x: Tensor, size: int) -> Tensor:
    """Max-pooling with stride `size` and TensorFlow's SAME padding: [B, c, W] to [B, c, ⌈W / size⌉]."""
    missing = -x.shape[2] % size
    return F.max_pool1d(F.pad(x, (missing // 2, missing - missing // 2), value=-torch.inf), size)


class Dense(nn.Module):
    """Dense ReLU layers on what is flattened, then linear outputs: a number per task, or a logit per label."""

    def __init__(
        self,
        inputs: int,
        hidden: tuple[int, ...],
        outputs: int,
        kernels: Initialiser = glorot_uniform,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = (inputs, *hidden)
        self.hidden = nn.ModuleList(initialised(nn.Linear(a, b), kernels) for a, b in pairwise(sizes))
        self.dropout = Dropout(dropout)
        self.output = initialised(nn.Linear(sizes[-1], outputs), he_normal if outputs == 1 else glorot_uniform)

    def forward(self, x: Tensor) -> Tensor:
        """[B, …] to [B, outputs, 1]."""
        x = x.flatten(1)
        for layer in self.hidden:
            x = self.dropout(layer(x).relu())
        return self.output(x)[:, :, None]


class BiLSTM(nn.Module):
    """Bidirectional LSTM with Keras' one bias per gate; gates input, forget, cell, output.

    gates: "hard", clip(0.2 x + 0.5) as in TensorFlow 1, or "logistic". dropout: of the inputs, one mask per gate and
    direction for all time steps. Recurrent weights start orthogonal, the forget bias at 1.
    """

    def __init__(
        self,
        inputs: int,
        units: int,
        gates: Literal["hard", "logistic"],
        kernel: Initialiser = glorot_uniform,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.units, self.gates, self.dropout = units, gates, dropout
        self.kernel = nn.Parameter(torch.empty(2, 4 * units, inputs))
        self.recurrent = nn.Parameter(torch.empty(2, 4 * units, units))
        self.bias = nn.Parameter(torch.zeros(2, 4 * units))
        for direction in range(2):
            kernel(self.kernel.data[direction])
            nn.init.orthogonal_(self.recurrent.data[direction])
        self.bias.data[:, units : 2 * units] = 1

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, c] to [B, T, 2 units], forward and backward."""
        if self.gates == "logistic" and not self.dropout:
            start, none = x.new_zeros(2, len(x), self.units), torch.zeros_like(self.bias[0])
            weights = [w for d in range(2) for w in (self.kernel[d], self.recurrent[d], self.bias[d], none)]
            return torch.lstm(x, (start, start), weights, True, 1, 0.0, self.training, True, True)[0]
        return self._steps(x)

    def _steps(self, x: Tensor) -> Tensor:
        both = torch.stack([x, x.flip(1)]).unsqueeze(1)  # [2, 1, B, T, c]
        if self.dropout and self.training:
            masks = dropout(x.new_ones(len(x), 2, 4, 1, x.shape[2]), self.dropout)
            both = both * masks.permute(1, 2, 0, 3, 4)
        kernel = self.kernel.view(2, 4, 1, self.units, -1).transpose(3, 4)
        inputs = (both @ kernel).permute(3, 0, 2, 1, 4).flatten(3)  # [T, 2, B, 4 units]
        inputs, recurrent = inputs + self.bias[:, None], self.recurrent.transpose(1, 2)
        hard = self.gates == "hard"
        if hard:  # the lines 0.2 z + 0.5 of the gates, once for all steps; the cell's candidate stays z
            slope = inputs.new_tensor([0.2, 0.2, 1, 0.2]).repeat_interleave(self.units)
            inputs, recurrent = inputs * slope + (1 - slope) * 0.625, recurrent * slope
        h = c = inputs.new_zeros(2, len(x), self.units)
        states = []
        for step in inputs:
            z = torch.baddbmm(step, h, recurrent)
            i, f, _, o = (z.clamp(0, 1) if hard else z.sigmoid()).chunk(4, dim=2)
            c = torch.addcmul(f * c, i, z[:, :, 2 * self.units : 3 * self.units].tanh())
            h = o * c.tanh()
            states.append(h)
        forward, backward = torch.stack(states, dim=2)
        return torch.cat([forward, backward.flip(1)], dim=2)


class ActivatedAttention(nn.Module):
    """Multi-head attention with an activation on queries, keys, values and output (ReLU as Vaishnav et al. have it)."""

    def __init__(
        self,
        queries: int,
        rows: int,
        width: int,
        heads: int,
        activation: Callable[[Tensor], Tensor] = F.relu,
        kernels: Initialiser = glorot_normal,
    ) -> None:
        super().__init__()
        self.heads, self.activation = heads, activation
        self.query, self.key, self.value, self.output = (
            initialised(nn.Linear(size, width), kernels) for size in (queries, rows, rows, width)
        )

    def forward(self, queries: Tensor, x: Tensor | None = None) -> Tensor:
        """Queries [B, Q, c] attend to x [B, T, c'], or to themselves: [B, Q, width]."""
        x = queries if x is None else x
        q, k, v = (self.activation(f(part)) for f, part in ((self.query, queries), (self.key, x), (self.value, x)))
        return self.activation(self.output(attention(q, k, v, self.heads)))


class ConvolutionLSTM(nn.Module):
    """Convolution, ReLU, pooling, dropout and bidirectional LSTM: [B, 4, W] to [B, positions, 2 · units].

    config: has `filters`, `kernel`, `pool`, `dropout`, `units` and `gates`.
    """

    def __init__(self, config: Any, kernels: Initialiser = glorot_uniform) -> None:
        super().__init__()
        self.pool, self.positions = config.pool, (config.window - config.kernel + 1) // config.pool
        if self.positions < 1:
            raise InputError(f"window is {config.window}, too short for kernel {config.kernel} and pool {config.pool}")
        self.convolution = initialised(nn.Conv1d(4, config.filters, config.kernel), kernels)
        self.dropout = Dropout(config.dropout)
        self.lstm = BiLSTM(config.filters, config.units, config.gates, kernels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 4, W] to [B, positions, 2 · units]."""
        x = F.max_pool1d(self.convolution(x).relu(), self.pool)
        return self.lstm(self.dropout(x).transpose(1, 2))


def _variables(layer: nn.Module) -> list[Tensor]:
    """The numbers of a layer in the order in which Keras keeps them."""
    if isinstance(layer, nn.BatchNorm1d):
        assert layer.running_mean is not None
        assert layer.running_var is not None
        return [layer.weight, layer.bias, layer.running_mean, layer.running_var]
    if isinstance(layer, BiLSTM):
        return [part[direction] for direction in range(2) for part in (layer.kernel, layer.recurrent, layer.bias)]
    if isinstance(layer, ActivatedAttention):
        dense = layer.query, layer.key, layer.value, layer.output
        return [part for each in dense for part in (each.weight, each.bias)]
    return list(layer.parameters())


@torch.no_grad()
def load_layers(layers: Sequence[nn.Module], arrays: Mapping[str, Tensor]) -> None:
    """Copy a Keras file's arrays, LAYER/… in its order, into the same layers of ours; nothing unless all fits.

    Keras has all axes the other way round. Raises InputError, which lists what does not fit.
    """
    found = [list(group) for _, group in groupby(arrays.items(), lambda item: item[0].partition("/")[0])]
    if len(found) != len(layers):
        raise InputError(f"original weights: found {len(found)} layers with weights, expected {len(layers)}")
    copies, wrong = [], []
    for layer, group in zip(layers, found, strict=True):
        ours = _variables(layer)
        if len(ours) != len(group):
            wrong.append(f"{group[0][0].partition('/')[0]} has {len(group)} arrays, expected {len(ours)}")
            continue
        for place, (name, array) in zip(ours, group, strict=True):
            value = array.permute(*reversed(range(array.dim())))
            copies.append((place, value))
            if value.shape != place.shape:
                wrong.append(f"{name} has shape {tuple(array.shape)}, expected {tuple(place.shape)[::-1]}")
    if wrong:
        raise InputError(f"original weights: {'; '.join(wrong)}")
    for place, value in copies:
        place.copy_(value)
