"""ChromBPNet (Pampari et al. 2024): base-resolution accessibility, apart from what the enzyme prefers.

A BPNet: a convolution of 21, then convolutions of 3 with dilations 2, 4, 8 …, none of them padded, each added to the
middle of its input; from there a profile of the middle `target` (a convolution of 75) and, from the mean over
positions, log(1 + total counts). A second, smaller BPNet is trained on closed chromatin, where counts follow the
enzyme's bias alone; it is frozen, its logits are added to the other's, and the log counts are joined by log(e^a + e^b).
6,377,986 trainable parameters and 217,730 frozen ones. kundajelab/chrombpnet, e9ba553.

`body` is another model in place of the larger BPNet: DREAM-CNN and DREAM-RNN of Rafi et al. 2024, Fig. 3C-D. They are
built of PyTorch's layers, whose batch norm moves more slowly than the Keras one of the original and whose LSTM has a
second bias vector for each gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from proformer import models
from proformer.datasets.batches import DeviceData
from proformer.errors import InputError
from proformer.models.base import Model
from proformer.models.blocks import Shape
from proformer.models.blocks.chrombpnet import Final, crop
from proformer.settings import Count

CLOSED = 1  # region_set of windows outside peaks: the second file of regions
ROWS = 256  # windows at once, where counts of the bias model are compared with those measured


@dataclass(frozen=True)
class Config:
    """length: of the windows, from the data. target: bp of the profile in their middle, from the data.

    filters, layers: of the network, and how many of its convolutions are dilated. kernel, profile_kernel: of the first
    convolution and of the profile's. body: the config of another model in its place.
    bias: `filters` and `layers` of the frozen model of the enzyme's bias; null: none. bias_weights: the folder of its
    training, read once, before the first step.
    """

    length: Count = 2114
    target: Count = 1000
    filters: Count = 512
    layers: Count = 8
    kernel: Count = 21
    profile_kernel: Count = 75
    body: dict[str, Any] | None = None
    bias: dict[str, Any] | None = None
    bias_weights: str | None = None

    def __post_init__(self) -> None:
        if self.body is None and (shortest := self.target + self.profile_kernel - 1 + self.trimmed) > self.length:
            raise InputError(
                f"length is {self.length}, expected at least {shortest} for {self.layers} dilated convolutions and a "
                f"profile of {self.target}"
            )
        if self.bias is not None and (unknown := sorted(set(self.bias) - {"filters", "layers"})):
            raise InputError(f"bias has {unknown[0]!r}, expected filters and layers")

    @property
    def trimmed(self) -> int:
        """Positions that the convolutions in front of the profile's take off."""
        return self.kernel - 1 + 2 * sum(2**layer for layer in range(1, self.layers + 1))


class BPNet(Model):
    """Codes uint8 [B, L] to [B, 1, 1 + target]: log(1 + total counts), then the profile's logits."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv1d(4, config.filters, config.kernel)
        self.dilated = nn.ModuleList(
            nn.Conv1d(config.filters, config.filters, 3, dilation=2**layer) for layer in range(1, config.layers + 1)
        )
        self.final = Final(Shape(config.filters, config.length - config.trimmed), config.target, config.profile_kernel)
        self.register_buffer("letters", torch.eye(6, 4), persistent=False)  # N is zeros
        for layer in (self.first, *self.dilated, self.final.profile, self.final.counts):
            nn.init.xavier_uniform_(layer.weight)  # as Keras does
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        x = self.first(self.letters[codes.long()].transpose(1, 2)).relu()  # type: ignore[index]
        for layer in self.dilated:
            y = layer(x).relu()
            x = y + crop(x, y.shape[2])
        return self.final.score(self.final(x))


class ChromBPNet(Model):
    """A model of accessibility and a frozen one of the enzyme's bias: codes uint8 [B, L] to [B, 1, 1 + target]."""

    def __init__(self, config: Config, accessibility: Model, bias: BPNet) -> None:
        super().__init__()
        self.config, self.accessibility, self.bias = config, accessibility, bias.requires_grad_(False)

    def forward(self, codes: Tensor) -> Tensor:
        """Predict: logits are added, counts too, in logarithms."""
        counts, logits = self.accessibility(codes).float().tensor_split([1], dim=2)
        other, more = self.bias(codes).float().tensor_split([1], dim=2)
        return torch.cat([torch.logaddexp(counts, other), logits + more], dim=2)

    @torch.no_grad()
    def fit(self, data: DeviceData) -> None:
        """Read the bias model's weights, and scale its counts to those of closed windows.

        Raises InputError when there are none, and for a bias model of other windows.
        """
        if self.config.bias_weights is None:
            raise InputError("model chrombpnet: found no bias_weights, expected the folder of a trained bias model")
        self._load(Path(self.config.bias_weights))
        rows = data.where("region_set", CLOSED)
        if not len(rows):
            return
        gaps = [(batch.target[:, :, 0] - self.bias(batch.codes)[:, :, 0]).sum() for batch in data.batches(ROWS, rows)]
        self.bias.final.counts.bias.add_(torch.stack(gaps).sum() / len(rows))

    def _load(self, folder: Path) -> None:
        from proformer.models.folder import read_folder  # which imports the models

        trained = read_folder(folder)
        made, own = trained.description["model"], self.config
        for key in ("length", "target"):
            if (found := made.get(key)) != (expected := getattr(own, key)):
                raise InputError(f"{folder}: found a bias model whose {key} is {found}, expected {expected}")
        shapes = [{name: value.shape for name, value in m.state_dict().items()} for m in (trained.model, self.bias)]
        if not isinstance(trained.model, BPNet) or shapes[0] != shapes[1]:
            raise InputError(f"{folder}: found the model {made['model']}, expected a chrombpnet of bias: {own.bias}")
        self.bias.load_state_dict(trained.model.state_dict())


def build(config: Config) -> Model:
    """A BPNet or another body, alone or with a BPNet of the bias."""
    accessibility = BPNet(config) if config.body is None else _body(config, config.body)
    if config.bias is None:
        return accessibility
    keys = {name: getattr(config, name) for name in ("length", "target", "kernel", "profile_kernel")}
    return ChromBPNet(config, accessibility, BPNet(Config(**keys, **config.bias)))


def _body(config: Config, body: Mapping[str, Any]) -> Model:
    options = body.get("options") or {}
    final = {"positions": config.target, **(options.get("final") or {})}
    return models.build({"length": config.length, "flanks": ("", ""), **body, "options": {**options, "final": final}})


def dream(**blocks: Any) -> dict[str, Any]:
    """A DREAM model as `body`."""
    options = {"processor": {"reverse_channel": False}}
    return {"model": "composed", "processor": "benchmarks", "final": "chrombpnet", "options": options, **blocks}


_TRAINING = {
    "epochs": 50, "batch_size": 64, "optimiser": "adam", "schedule": "constant", "learning_rate": 0.001,
    "epsilon": 1e-7, "patience": 5, "select": "loss", "clip_value": 0.0, "clip_norm": 0.0, "reverse_complement": 0.5,
    "seed": 1234,
}  # fmt: skip
# As the script of Rafi et al. has it; the text says "from 5e-4 to 5e-3", with the larger rate first.
_DREAM = {
    **_TRAINING, "epochs": 80, "patience": 20, "schedule": "onecycle", "learning_rate": 5e-4, "warmup_start": 2e-5,
    "final_rate": 2e-9, "warmup_epochs": 24.0,
}  # fmt: skip
BIAS = {"filters": 128, "layers": 4}
RECIPES: dict[str, dict[str, Any]] = {
    "as-released": {"model": {"bias": BIAS}, "training": _TRAINING},
    "bias": {"model": BIAS, "training": _TRAINING},
    "without-bias": {"model": {}, "training": _TRAINING},
    "dream-cnn": {"model": {"body": dream(first="bhi", core="autosome"), "bias": BIAS}, "training": _DREAM},
    "dream-rnn": {"model": {"body": dream(first="bhi", core="bhi"), "bias": BIAS}, "training": _DREAM},
    "dream-attn": {"model": {"body": dream(first="autosome", core="unlock_dna"), "bias": BIAS}, "training": _DREAM},
}
