"""BHI's DeepGXP (second in the DREAM challenge 2022): convolutions, a bidirectional LSTM, convolutions.

Both strands pass the same network; in training their losses are averaged, at prediction their outputs ("post-hoc
conjoined"). 110 nt are read: shorter constructs are continued into the vector on the 3′ side (probability 0.333), the
5′ side (0.223) or both (0.444), drawn anew at every access; longer ones lose 3′ bases. At prediction the outputs of
five windows, moved by -2 … +2 nt, and both strands are averaged. An N is 0,0,0,0. 6,875,137 parameters.

As released (dream_submissions of de-Boer-Lab/random-promoter-dream-challenge-2022, f7b2e19). "repaired" draws the sides
as the team's report says, 4:3:2 (5′ : 3′ : both); a comment of the code says 3:4:2 (3′ : 5′ : both), and the code does
neither.

Not the same here: predictions pad on both sides, where the released ones draw the side at random, once for each of the
five windows; the vector's 5′ part has 37 nt, and where the released code ends with a sequence that is too short (5′
padding of one below 73 nt) the rest is N; the last batch of an epoch, smaller than the others, is used. The team's
last step, which sends predictions x through Φ(x - 0.0620), is left out: it is monotone, so ranks and Spearman's ρ stay
and Pearson's r alone would change.
"""

from dataclasses import dataclass

from proformer.errors import InputError
from proformer.models.blocks.bhi import TRAINING, Core, Final, First, Processor
from proformer.models.composed import Composed
from proformer.settings import BelowOne, Count, CountOrZero, Flanks, Share


@dataclass(frozen=True)
class Config:
    """Defaults are the released ones.

    length, flanks: of the sequences, from the data. window: nt that are read. kernels: of the convolutions side by
    side, which share width and lstm equally. width, lstm, dense: channels of the convolutions, units of the LSTM and of
    the dense layer. dropout, last_dropout: after the layers, and before the last. padding: probabilities of the 3′
    side, the 5′ side and both. shifts: windows moved by up to so many nt at prediction.
    """

    length: Count = 100
    flanks: Flanks = ("", "")
    window: Count = 110
    kernels: tuple[Count, ...] = (9, 15)
    width: Count = 512
    lstm: Count = 320
    dense: Count = 64
    dropout: BelowOne = 0.2
    last_dropout: BelowOne = 0.5
    padding: tuple[Share, Share, Share] = (0.333, 0.667 * 0.334, 0.667 * 0.666)
    shifts: CountOrZero = 2

    def __post_init__(self) -> None:
        if not self.kernels or self.width % len(self.kernels) or self.lstm % len(self.kernels):
            raise InputError(f"{len(self.kernels)} kernels cannot share width {self.width}, lstm {self.lstm}")
        if abs(sum(self.padding) - 1) > 1e-6:
            raise InputError(f"padding is {list(self.padding)}, expected three probabilities that add up to 1")


class DeepGXP(Composed):
    """Codes uint8 [B, L] to expression [B, 1, 1], averaged over strands and shifted windows."""

    def __init__(self, config: Config) -> None:
        processor = Processor(config.length, config.flanks, config.window, config.padding, config.shifts, "ACGT")
        first = First(processor.gives, config.width, config.kernels, config.dropout)
        core = Core(first.gives, config.lstm, config.kernels, config.dropout, config.last_dropout)
        super().__init__(processor, first, core, Final(core.gives, config.dense, loss=None))
        self.config = config


build = DeepGXP

_TRAINING = {**TRAINING, "epochs": 15, "batch_size": 512, "loss": "huber", "keep": "last", "seed": 40}

RECIPES = {
    "as-released": {"model": {}, "training": _TRAINING},
    "repaired": {"model": {"padding": (3 / 9, 4 / 9, 2 / 9)}, "training": _TRAINING},
}
