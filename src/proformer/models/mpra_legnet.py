"""MPRA-LegNet: LegNet for human lentiMPRA (Agarwal et al. 2025; autosome-ru/human_legnet, a20dbc7).

The construct with its adapters; four stages of an inverted bottleneck with squeeze-excitation, each with pooling of 2;
a mean over positions and dense layers. 1,322,465 parameters. "example" has the kernels of the shipped example.cfg, and
857,825 parameters: which of the two was published is not known.
"""

from dataclasses import dataclass
from typing import Any

from proformer.models.blocks import autosome
from proformer.models.blocks.mpra_legnet import Final, Processor
from proformer.models.composed import Composed
from proformer.settings import Count, CountOrZero, Flanks, NotNegative


@dataclass(frozen=True)
class Config:
    """length, flanks: of the sequences, from the data. stem_kernel, kernel: of the first and of all other convolutions.
    widths: of the stem and of the stages after it. head: width of the dense layers. unknown: the value of an N in each
    of the four channels. shift: nt that constructs move by, at most, in training. tasks: how many, from the data.
    """

    length: Count = 200
    flanks: Flanks = ("AGGACCGGATCAACT", "CATTGCGTGAACCGA")
    stem_kernel: Count = 11
    kernel: Count = 9
    widths: tuple[Count, ...] = (64, 80, 96, 112, 128)
    head: Count = 256
    unknown: NotNegative = 0.25
    shift: CountOrZero = 21
    tasks: Count = 1


class MPRALegNet(Composed):
    """Codes uint8 [B, L] to activity [B, tasks, 1]: the mean over both strands."""

    def __init__(self, config: Config) -> None:
        processor = Processor(config.length, config.flanks, config.unknown, config.shift)
        first = autosome.First(processor.gives, config.widths[0], config.stem_kernel)
        core = autosome.Core(
            first.gives, config.widths[1:], config.kernel, expand="input", group=1, squeeze_from="inner", pool=2
        )
        super().__init__(processor, first, core, Final(core.gives, config.head, config.tasks))
        self.config = config
        self.reset_parameters()


build = MPRALegNet

_TRAINING = {
    "epochs": 25, "warmup_epochs": 7.5, "batch_size": 1024, "optimiser": "adamw", "weight_decay": 0.1, "epsilon": 1e-8,
    "schedule": "onecycle", "learning_rate": 0.01, "warmup_start": 4e-4, "final_rate": 4e-8, "clip_value": 0.0,
    "clip_norm": 1.0, "clip_over": "all", "precision": "bf16", "target_mean": 0.0, "target_sd": 1.0,
}  # fmt: skip
RECIPES: dict[str, dict[str, Any]] = {
    "as-released": {"model": {}, "training": _TRAINING},
    "example": {"model": {"stem_kernel": 5, "kernel": 3}, "training": _TRAINING},
}
