"""LegNet, the model of autosome.org (Penzar et al. 2023; first in the DREAM challenge 2022).

Expression is read as a distribution over the 18 bins in which cells were sorted (soft classification): the target of y
is a normal distribution around y + ½ cut at 1, 2, …, 17, the loss its Kullback-Leibler divergence, the prediction the
mean of the bins. Channels: A, G, C, T; is_reverse, since both strands of every sequence are training rows,
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

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from proformer.errors import InputError
from proformer.models.blocks.autosome import TRAINING, Core, Final, First, Processor
from proformer.models.composed import Composed
from proformer.settings import Count, Flanks, NotNegative, at_least


@dataclass(frozen=True)
class Config:
    """Defaults are those of the challenge's submission.

    length, flanks: of the sequences, from the data. window: nt that are read. kernel: of the convolutions. widths: of
    the stem and of the stages after it. expansion: of a stage's inner width, over the width that `expand` names.
    expand: the stage's "output" or "input". group: channels per group of the inner convolution. squeeze: with or
    without a bilinear branch. final_activation: SiLU before the mean over positions. unknown: the value of an N in each
    of the four channels. sd: of the target's distribution, in bins. start: initialisation, of the team or torch's.
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


class LegNet(Composed):
    """Codes uint8 [B, L] to expression [B, 1, 1], in bins: the mean over both strands."""

    def __init__(self, config: Config) -> None:
        processor = Processor(config.length, config.flanks, config.window, config.unknown, config.sd)
        first = First(processor.gives, config.widths[0], config.kernel)
        stage = config.kernel, config.expansion, config.expand, config.group, config.squeeze
        core = Core(first.gives, config.widths[1:], *stage)
        super().__init__(processor, first, core, Final(core.gives, config.final_activation))
        self.config = config
        if config.start == "own":
            self.reset_parameters()


build = LegNet


def _recipe(epochs: int = 80, model: dict[str, Any] | None = None, **training: Any) -> dict[str, dict[str, Any]]:
    """The settings of the submission, but for those that are given."""
    length = {"epochs": epochs, "warmup_epochs": 0.3 * epochs, "keep": "last"}
    return {"model": model or {"unknown": 0.25}, "training": {**TRAINING, **length, **training}}


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
