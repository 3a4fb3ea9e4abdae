"""LegNet, the model of autosome.org (Penzar et al. 2023; first in the DREAM challenge 2022).

Expression is read as a distribution over the 18 bins in which cells were sorted (soft classification): the target of y
is a normal distribution around y + ½ cut at 1, 2, …, 17, the loss its Kullback-Leibler divergence, the prediction the
mean of the bins. Two channels beside A, G, C and T: is_reverse, since both strands of every sequence are training rows,
and the prediction is the mean of both; is_singleton, whether the measured value is an integer (few reads), 0 at
prediction, as the team's report says (its script reads it off the values in the test file, which are placeholders). The
model reads 150 nt up to the 3′ end of the construct: plasmid, then promoter.

As released (autosome-ru/LegNet, 63773bb, and the challenge's submission): an N is 0,0,0,0 in the submission (its 0.25
is written into whole numbers), 0.25 four times in LegNet: recipes "as-released" and "repaired". 1,852,846 parameters.
"complex" and "defined" are the paper's longer trainings on the data of Vaishnav et al. "optimised" (2,129,602) has
plain squeeze-excitation, an expansion that follows the input's width, depthwise convolutions, no activation before the
mean, torch's initialisation, Lion and bf16 (its script: fp16).

Not the same here: a batch holds 512 sequences with both their strands, where the released 1,024 rows are drawn from all
strands; the submission asks for 1,000 epochs on a schedule of 80 and so dies after the 80th, here there are 80; the
bias of the bilinear layer, uninitialised memory there, starts at 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.datasets.batches import both_strands
from proformer.errors import InputError
from proformer.models.base import Loss, Model
from proformer.models.construct import construct
from proformer.sequences import N
from proformer.settings import Count, Flanks, NotNegative, at_least

if TYPE_CHECKING:
    from proformer.datasets.batches import Batch
    from proformer.tasks import Task

BINS = 18
# The 150 nt in front of a promoter, its 17-nt adapter included: data/plasmid.json of
# github.com/de-Boer-Lab/random-promoter-dream-challenge-2022 (f7b2e19), up to the 80 N of the insert.
PLASMID = (
    "AGTCCACTATTAAAGAACGTGGACTCCAACGTCAAAGGGCGAAAAACCGTCTATCAGGGCGATGGCCCACTACGT"
    "GAACCATCACCCTAATCAAGTGCTAGCAGGAATGATGCAAAAGGTTCCCGATTCGAACTGCATTTTTTTCACATC"
)


@dataclass(frozen=True)
class Config:
    """Defaults are those of the challenge's submission.

    window: nt that are read. widths: of the stem and of the stages after it. expansion: of a stage's inner width, over
    its output or input width (`expand`). group: channels per group of the inner convolution. squeeze: with or without
    a bilinear branch. final_activation: SiLU before the mean over positions. unknown: the value of an N in each of the
    four channels. sd: of the target's distribution, in bins. start: initialisation, of the team or torch's.
    """

    length: Count = 100
    flanks: Flanks = ("", "")
    window: Count = 150
    kernel: Count = 7
    # squeezed to a quarter, and that to a half
    widths: tuple[Annotated[int, at_least(8)], ...] = (256, 128, 128, 64, 64, 64, 64)
    expansion: Count = 4
    expand: Literal["output", "input"] = "output"
    group: Count = 2
    squeeze: Literal["bilinear", "plain"] = "bilinear"
    final_activation: bool = True
    unknown: NotNegative = 0.0
    sd: Annotated[float, at_least(1e-6)] = 0.5
    start: Literal["own", "torch"] = "own"

    def __post_init__(self) -> None:
        if any(width * self.expansion % self.group for width in self.widths):
            raise InputError(f"group is {self.group}, which does not divide the inner widths")


def bin_probabilities(values: Tensor, sd: float = 0.5) -> Tensor:
    """What a normal distribution around value + ½ leaves in the bins (-∞, 1], (1, 2], … (17, ∞): [B] to [B, 18]."""
    edges = torch.arange(1, BINS, device=values.device, dtype=torch.float64)
    inner = torch.special.ndtr((edges - (values.double()[:, None] + 0.5)) / sd)
    return F.pad(F.pad(inner, (0, 1), value=1.0), (1, 0)).diff(dim=1).to(values.dtype)


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
        """[B, width] to [B, out]."""
        left, right, out = self.factors
        return F.linear((x @ left) * (x @ right) * self.weights, out, self.bias)


class SqueezeExcitation(nn.Module):
    """Scale each channel of [B, C, L] by a gate that sees the means of all through `width` / 4 units."""

    def __init__(self, width: int, channels: int, bilinear: bool) -> None:
        super().__init__()
        inner = width // 4
        self.squeeze = nn.Linear(channels, inner)
        self.mix = nn.Linear(inner, inner) if bilinear else None
        self.pairs = Bilinear(inner, inner // 2) if bilinear else None
        self.excite = nn.Linear(inner + inner // 2 if bilinear else inner, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, L] to the same shape."""
        gate = F.silu(self.squeeze(x.mean(dim=2)))
        if self.mix is not None and self.pairs is not None:
            gate = self.mix(gate)
            gate = F.silu(torch.cat([gate, self.pairs(gate)], dim=1))
        return x * torch.sigmoid(self.excite(gate))[:, :, None]


def convolution(before: int, after: int, kernel: int, groups: int = 1) -> list[nn.Module]:
    """Convolution without bias, batch norm, SiLU."""
    layer = nn.Conv1d(before, after, kernel, padding="same", groups=groups, bias=False)
    return [layer, nn.BatchNorm1d(after), nn.SiLU()]


class Stage(nn.Module):
    """An inverted bottleneck with squeeze-excitation, put beside its input; then a convolution to the next width."""

    def __init__(self, before: int, after: int, config: Config) -> None:
        super().__init__()
        inner = config.expansion * (after if config.expand == "output" else before)
        self.block = nn.Sequential(
            *convolution(before, inner, 1),
            *convolution(inner, inner, config.kernel, groups=inner // config.group),
            SqueezeExcitation(before, inner, config.squeeze == "bilinear"),
            *convolution(inner, before, 1),
        )
        self.resize = nn.Sequential(*convolution(2 * before, after, config.kernel))

    def forward(self, x: Tensor) -> Tensor:
        """[B, before, L] to [B, after, L]."""
        return self.resize(torch.cat([x, self.block(x)], dim=1))


class LegNet(Model):
    """Codes uint8 [B, L] to expression [B, 1, 1], in bins: the mean over both strands."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        left, right = config.flanks
        # Other libraries have other plasmids; their constructs are padded with N.
        self.context = (PLASMID if left and PLASMID.endswith(left) else left, right)
        self.stem = nn.Sequential(*convolution(6, config.widths[0], config.kernel))
        self.stages = nn.Sequential(*(Stage(before, after, config) for before, after in pairwise(config.widths)))
        self.mapper = nn.Conv1d(config.widths[-1], BINS, 1)
        # A, G, C, T, is_reverse and is_singleton by code
        table = torch.zeros(6, 6)
        table[[0, 1, 2, 3], [0, 2, 1, 3]] = 1.0
        table[N:, :4] = config.unknown
        self.register_buffer("channels", table, persistent=False)
        self.channels: Tensor
        if config.start == "own":
            self.reset_parameters()

    def logits(self, codes: Tensor, singleton: Tensor | None = None) -> Tensor:
        """Codes uint8 [B, L] and whether rows are singletons [B] (None: not one) to logits [2B, 18].

        Each forward strand is followed by its reverse complement.
        """
        window = construct(codes, *self.context, self.config.window, "right")
        strands = both_strands(window).unflatten(1, (2, -1)).flatten(0, 1)  # [2B, window]
        x = self.channels[strands.long()]
        x[1::2, :, 4] = 1.0
        if singleton is not None:
            x[:, :, 5] = singleton.to(x.dtype).repeat_interleave(2)[:, None]
        x = self.mapper(self.stages(self.stem(x.transpose(1, 2))))
        return (F.silu(x) if self.config.final_activation else x).mean(dim=2)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        return self.mean_bin(self.logits(codes))[:, None, None]

    def mean_bin(self, logits: Tensor) -> Tensor:
        """Logits [2B, 18] to the mean of the bins, averaged over both strands: float32 [B]."""
        bins = torch.arange(BINS, device=logits.device, dtype=torch.float32)
        return (logits.float().softmax(dim=1) @ bins).view(-1, 2).mean(dim=1)

    def loss(self, batch: Batch, task: Task) -> Loss:
        """KL divergence between the bins of the target and those of each strand, per row.

        Raises InputError when targets are standardised: bins are bins of the measured values.
        """
        if task.scale == "log1p" or any(task.mean) or set(task.sd) - {1}:
            raise InputError("legnet: targets are bins; set training: target_mean to 0 and target_sd to 1")
        target = batch.target.flatten()
        logits = self.logits(batch.codes, singleton=target == target.round())
        truth = bin_probabilities(target, self.config.sd).repeat_interleave(2, 0)
        loss = F.kl_div(logits.float().log_softmax(dim=1), truth, reduction="batchmean")
        return Loss(loss, self.mean_bin(logits)[:, None, None])

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


build = LegNet


def _recipe(epochs: int = 80, model: dict[str, Any] | None = None, **training: Any) -> dict[str, dict[str, Any]]:
    """The settings of the submission, but for what is given; a one-cycle schedule peaks after 30 % of the epochs."""
    common = {
        "epochs": epochs,
        "warmup_epochs": 0.3 * epochs,
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
        "keep": "last",
    }
    return {"model": model or {"unknown": 0.25}, "training": {**common, **training}}


RECIPES = {
    "as-released": _recipe(model={"unknown": 0.0}),
    "repaired": _recipe(),
    "complex": _recipe(epochs=300),
    "defined": _recipe(epochs=150),
    "optimised": _recipe(
        model={
            "unknown": 0.0,
            "expand": "input",
            "group": 1,
            "squeeze": "plain",
            "final_activation": False,
            "start": "torch",
        },
        optimiser="lion",
        betas=(0.9, 0.99),
        weight_decay=0.1,
        learning_rate=5e-4,
        warmup_start=2e-5,
        final_rate=2e-9,
        precision="bf16",
    ),
}
