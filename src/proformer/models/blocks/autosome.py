"""Blocks of autosome.org's LegNet (Penzar et al. 2023); defaults are those of Prix Fixe."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.datasets.batches import Batch, both_strands
from proformer.errors import InputError
from proformer.models import blocks
from proformer.models.blocks import Labels, Shape
from proformer.models.construct import construct
from proformer.models.layers import SqueezeExcitation
from proformer.sequences import N
from proformer.settings import Count, NotNegative, Positive
from proformer.tasks import Task

BINS = 18
# The 150 nt in front of a promoter, its 17-nt adapter included: data/plasmid.json of
# github.com/de-Boer-Lab/random-promoter-dream-challenge-2022 (f7b2e19), up to the 80 N of the insert.
PLASMID = (
    "AGTCCACTATTAAAGAACGTGGACTCCAACGTCAAAGGGCGAAAAACCGTCTATCAGGGCGATGGCCCACTACGT"
    "GAACCATCACCCTAATCAAGTGCTAGCAGGAATGATGCAAAAGGTTCCCGATTCGAACTGCATTTTTTTCACATC"
)

# The team's trainer; a one-cycle schedule peaks after 30 % of the epochs. Each sequence makes two of 1,024 rows.
TRAINING = {
    "epochs": 80,
    "warmup_epochs": 24.0,
    "epoch_batches": 1000,
    "batch_size": 512,
    "optimiser": "adamw",
    "weight_decay": 0.01,
    "epsilon": 1e-8,
    "schedule": "onecycle",
    "learning_rate": 0.005,
    "warmup_start": 2e-4,
    "final_rate": 2e-8,
    "clip_value": 0.0,
    "clip_norm": 0.0,
    "target_mean": 0.0,
    "target_sd": 1.0,
}


def bin_probabilities(values: Tensor, sd: float = 0.5) -> Tensor:
    """What a normal distribution around value + ½ leaves in the bins (-∞, 1], (1, 2], … (17, ∞): [B] to [B, 18]."""
    edges = torch.arange(1, BINS, device=values.device, dtype=torch.float64)
    inner = torch.special.ndtr((edges - (values.double()[:, None] + 0.5)) / sd)
    return F.pad(F.pad(inner, (0, 1), value=1.0), (1, 0)).diff(dim=1).to(values.dtype)


class Processor(blocks.Processor):
    """Both strands of the last nt of the construct: A, G, C, T, is_reverse, is_singleton.

    Each forward strand is followed by its reverse complement. is_singleton says in training that the measured value is
    an integer (few reads); at prediction it is 0.
    """

    views = 2

    def __init__(
        self, length: int, flanks: tuple[str, str], window: Count = 150, unknown: NotNegative = 0.0, sd: Positive = 0.5
    ) -> None:
        table = torch.zeros(6, 6)
        table[[0, 1, 2, 3], [0, 2, 1, 3]] = 1.0
        table[N:, :4] = unknown
        super().__init__(Shape(6, window), table)
        left, right = flanks
        # Other libraries have other plasmids; their constructs are padded with N.
        self.context = (PLASMID if left and PLASMID.endswith(left) else left, right)
        self.sd = sd

    def rows(self, codes: Tensor, singleton: Tensor | None = None) -> Tensor:
        """Codes uint8 [B, L] and whether sequences are singletons [B] (None: not one) to channels [2B, 6, window]."""
        window = construct(codes, *self.context, self.gives.length, "right")
        x = self.encode(both_strands(window).unflatten(1, (2, -1)).flatten(0, 1))
        x[1::2, 4] = 1.0
        if singleton is not None:
            x[:, 5] = singleton.to(x.dtype).repeat_interleave(2)[:, None]
        return x

    def inputs(self, codes: Tensor) -> Iterable[Tensor]:
        """Both strands."""
        return [self.rows(codes)]

    def examples(self, batch: Batch, task: Task) -> tuple[Tensor, Labels]:
        """Both strands, with the bins of the measured value."""
        measured = task.restore(batch.target).to(batch.target.dtype).flatten()
        rounding = 1e-5 if set(task.sd) - {1} else 0.0  # of values that were standardised and restored
        singleton = (measured - measured.round()).abs() <= rounding
        labels = Labels(
            batch.target.repeat_interleave(2, 0),
            lambda: bin_probabilities(measured, self.sd).repeat_interleave(2, 0),
        )
        return self.rows(batch.codes, singleton), labels


class Initialised(blocks.Block):
    """A block with the team's initialisation."""

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Normal weights and zero biases: convolutions as if they had no groups, dense layers with sd 0.001."""
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.normal_(module.weight, std=math.sqrt(2 / (module.kernel_size[0] * module.out_channels)))
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.001)
            if isinstance(module, nn.Conv1d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


class GroupedConvolution(nn.Conv1d):
    """A convolution that on a CPU takes small groups eight channels at a time, with zeros between those of one group.

    Over groups of two channels oneDNN takes twice as long.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, C', L]."""
        merged = 8 // self.weight.shape[1]
        if x.device.type != "cpu" or merged < 2 or self.groups % merged:
            return super().forward(x)
        groups = self.groups // merged
        own = self.weight.unflatten(0, (groups, merged, -1))[:, :, :, None]
        same = torch.eye(merged, dtype=own.dtype)[:, None, :, None, None]
        weight = (own * same).flatten(0, 2).flatten(1, 2)
        return F.conv1d(x, weight, self.bias, self.stride, self.padding, self.dilation, groups)


def convolution(before: int, after: int, kernel: int, groups: int = 1) -> list[nn.Module]:
    """Convolution without bias, batch norm, SiLU."""
    layer = GroupedConvolution(before, after, kernel, padding="same", groups=groups, bias=False)
    return [layer, nn.BatchNorm1d(after), nn.SiLU()]


class First(Initialised):
    """One convolution."""

    def __init__(self, takes: Shape, width: Count = 256, kernel: Count = 7) -> None:
        super().__init__(takes._replace(channels=width))
        self.convolution = nn.Sequential(*convolution(takes.channels, width, kernel))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, width, L]."""
        return self.convolution(x)


class Bilinear(nn.Module):
    """y_o = Σ_ij W_ijo x_i x_j + b_o, where W is a sum of R outer products (CP) with half as many parameters as W.

    W is never formed: projecting x on both factors and multiplying costs O(R) per feature.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.rank = max(round(0.5 * width * width * out / (2 * width + out)), 1)
        self.weights = nn.Parameter(torch.ones(self.rank))
        self.factors = nn.ParameterList(torch.empty(size, self.rank) for size in (width, width, out))
        self.bias = nn.Parameter(torch.zeros(out))
        for factor in self.factors:  # so that the entries of W have sd 0.00075
            nn.init.normal_(factor, std=(0.00075 / self.rank**0.5) ** (1 / 3))

    def forward(self, x: Tensor) -> Tensor:
        """[N, width] to [N, out]."""
        left, right, out = self.factors
        return F.linear((x @ left) * (x @ right) * self.weights, out, self.bias)


class WithPairs(nn.Module):
    """A dense layer of `width` units, and half as many bilinear functions of them: [N, width] to [N, 3/2 · width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)
        self.pairs = Bilinear(width, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width] to [N, width + width / 2]."""
        x = self.mix(x)
        return torch.cat([x, self.pairs(x)], dim=1)


def squeeze_excitation(width: int, channels: int, bilinear: bool) -> SqueezeExcitation:
    """Squeeze-excitation of [N, channels, L] through `width` / 4 units, and their products where `bilinear`."""
    inner = width // 4
    layers: list[nn.Module] = [nn.Linear(channels, inner), nn.SiLU()]
    if bilinear:
        layers += [WithPairs(inner), nn.SiLU()]
        inner += inner // 2
    return SqueezeExcitation(*layers, nn.Linear(inner, channels))


class Stage(nn.Module):
    """An inverted bottleneck with squeeze-excitation, concatenated with its input; a convolution to the next width.

    squeezed: the width of which squeeze-excitation has a quarter. pool: width and stride of max-pooling at the end.
    """

    def __init__(
        self, before: int, after: int, inner: int, kernel: int, group: int, bilinear: bool, squeezed: int, pool: int
    ) -> None:
        super().__init__()
        self.block = nn.Sequential(
            *convolution(before, inner, 1),
            *convolution(inner, inner, kernel, groups=inner // group),
            squeeze_excitation(squeezed, inner, bilinear),
            *convolution(inner, before, 1),
        )
        pooling: list[nn.Module] = [nn.MaxPool1d(pool)] if pool > 1 else []
        self.resize = nn.Sequential(*convolution(2 * before, after, kernel), *pooling)

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, L] to [N, after, L / pool]."""
        return self.resize(torch.cat([x, self.block(x)], dim=1))


class Core(Initialised):
    """Stages of an inverted bottleneck each.

    widths: of the stages. expansion: of a stage's inner width, over its output or input width (`expand`). group:
    channels per group of the inner convolution. squeeze: with or without a bilinear branch, from a quarter of the input
    or inner width (`squeeze_from`). pool: width and stride of max-pooling after each stage.
    """

    def __init__(
        self,
        takes: Shape,
        widths: tuple[Count, ...] = (128, 128, 64, 64, 64, 64),
        kernel: Count = 7,
        expansion: Count = 4,
        expand: Literal["output", "input"] = "output",
        group: Count = 2,
        squeeze: Literal["bilinear", "plain"] = "plain",
        squeeze_from: Literal["input", "inner"] = "input",
        pool: Count = 1,
    ) -> None:
        least = 4 if squeeze == "plain" else 8  # squeezed to a quarter, and that to a half
        if takes.channels < least:
            raise InputError(f"at least {least} channels")
        steps = list(pairwise(widths := (takes.channels, *widths)))
        inner = [expansion * (after if expand == "output" else before) for before, after in steps]
        if any(width % group for width in inner):
            raise InputError(f"inner widths ({', '.join(map(str, inner))}) that its group of {group} divides")
        if not takes.length // pool ** len(steps):
            raise InputError(f"at least {pool ** len(steps)} positions")
        super().__init__(takes._replace(channels=widths[-1], length=takes.length // pool ** len(steps)))
        of_inner = squeeze_from == "inner"
        self.stages = nn.Sequential(
            *(
                Stage(*step, width, kernel, group, squeeze == "bilinear", width if of_inner else step[0], pool)
                for step, width in zip(steps, inner, strict=True)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, last width, L / pool per stage]."""
        return self.stages(x)


class Final(Initialised, blocks.FinalBlock):
    """Logits of the 18 bins in which cells were sorted (soft classification), means over positions.

    activation: SiLU before the mean. Where the processor has the bins' probabilities, the loss is their divergence,
    else the task's loss of the mean bin.
    """

    def __init__(self, takes: Shape, activation: bool = False) -> None:
        super().__init__(Shape(BINS, 1))
        self.activation = activation
        self.mapper = nn.Conv1d(takes.channels, BINS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to logits [N, 18]."""
        x = self.mapper(x)
        return (F.silu(x) if self.activation else x).mean(dim=2)

    def score(self, outputs: Tensor) -> Tensor:
        """The mean of the bins, float32 [N, 1, 1]."""
        bins = torch.arange(BINS, device=outputs.device, dtype=torch.float32)
        return (outputs.float().softmax(dim=1) @ bins)[:, None, None]

    def loss(self, outputs: Tensor, labels: Labels, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        """Kullback-Leibler divergence between the bins of the target and those of the outputs.

        Raises InputError when targets are standardised: bins are bins of the measured values.
        """
        if task.scale == "log1p" or any(task.mean) or set(task.sd) - {1}:
            raise InputError("final block autosome gives bins: set training: target_mean to 0 and target_sd to 1")
        if labels.probabilities is None:
            loss = task.loss(self.score(outputs), labels.target)
        else:
            loss = F.kl_div(outputs.float().log_softmax(dim=1), labels.probabilities(), reduction="batchmean")
        return loss, {"task": loss}
