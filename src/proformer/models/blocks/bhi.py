"""Blocks of BHI's DeepGXP; defaults are those of Prix Fixe."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.datasets.batches import Batch, both_strands
from proformer.errors import InputError
from proformer.models import blocks
from proformer.models.blocks import Labels, Shape
from proformer.models.blocks.autosome import bin_probabilities
from proformer.models.construct import construct
from proformer.models.dropout import Dropout
from proformer.sequences import ALPHABET, N
from proformer.settings import BelowOne, Count, CountOrZero, Share
from proformer.tasks import LossName, Task

# What the construct lies in, from the released src/data.py (the plasmid of the challenge's data/plasmid.json).
VECTOR = (
    "GCTAGCAGGAATGATGCAAAAGGTTCCCGATTCGAAC",
    "TCTTAATTAAAAAAAGATAGAAAACATTAGGAGTGTAACACAAGACTTTCGGATCCTGAGCAGGCAAGATAAACGA",
)
# The team's trainer, as DeepGXP and Prix Fixe have it.
TRAINING = {
    "learning_rate": 0.0015,
    "optimiser": "adamw",
    "weight_decay": 0.01,
    "epsilon": 1e-8,
    "schedule": "cosine",
    "warmup_epochs": 0.0,
    "target_mean": 11.0,
    "clip_value": 0.0,
    "clip_norm": 0.0,
}
ADAPTERS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")


class Processor(blocks.Processor):
    """Both strands of a window around the construct; short constructs are continued into the vector.

    padding: probabilities of the 3′ side, the 5′ side and both, drawn for every sequence each time it is trained on
    (Prix Fixe draws once, when it reads the file, validation sequences too); at prediction both sides are padded.
    shifts: windows are moved by up to so many nt at prediction. letters: the order of the channels, that of Prix Fixe;
    the team's own model has ACGT. The reverse strands follow all forward strands of a batch.
    """

    views = 2

    def __init__(
        self,
        length: int,
        flanks: tuple[str, str],
        window: Count = 110,
        padding: tuple[Share, Share, Share] = (0.333, 0.667 * 0.334, 0.667 * 0.666),
        shifts: CountOrZero = 0,
        letters: Literal["AGCT", "ACGT"] = "AGCT",
    ) -> None:
        if abs(sum(padding) - 1) > 1e-6:
            raise InputError(f"padding with three probabilities that add up to 1, found {list(padding)}")
        table = torch.zeros(6, 4)  # N and M are zeros
        table[[ALPHABET.index(letter) for letter in letters], range(4)] = 1.0
        super().__init__(Shape(4, window), table)
        self.flanks, self.padding, self.shifts = flanks, padding, shifts
        # Constructs of other libraries lie in other vectors; they are padded with N.
        self.vector = VECTOR if flanks == ADAPTERS else ("", "")

    def windows(self, codes: Tensor, left: Tensor | None = None, shift: int = 0) -> Tensor:
        """The window of forward strands [B, L], and its reverse complement: uint8 [B, 2 · window].

        left: share of the missing nt that is padded on the 5′ side, 0, ½ or 1 [B]; None: half of them. A shifted
        sequence takes the nt it lost from the vector, and is then padded as others are.
        """
        (before, after), size = self.vector, self.gives.length
        wide = codes.shape[1] + sum(map(len, (*self.flanks, before, after)))
        whole = construct(codes, before + self.flanks[0], self.flanks[1] + after, wide, "left")
        known = whole != N
        length = wide - known.flip(1).to(torch.uint8).argmax(1, keepdim=True) - len(before) - len(after)
        share = 0.5 if left is None else left[:, None]
        padding = ((size - length).clamp(min=0) * share).long()
        place = torch.arange(size, device=codes.device) - padding  # in the sequence [B, window]
        place = place + shift * ((place >= 0) & (place < length)) + len(before)
        inside = (place >= 0) & (place < wide)
        return both_strands(whole.gather(1, place.clamp(0, wide - 1)).where(inside, N))

    def channels(self, windows: Tensor) -> Tensor:
        """Both strands uint8 [B, 2 · window] to channels [2B, 4, window]."""
        return self.encode(torch.cat(windows.chunk(2, dim=1)))

    def inputs(self, codes: Tensor) -> Iterable[Tensor]:
        """Both strands of each shifted window (in training: of the window as it is)."""
        most = 0 if self.training else self.shifts
        return (self.channels(self.windows(codes, shift=shift)) for shift in range(-most, most + 1))

    def examples(self, batch: Batch, task: Task) -> tuple[Tensor, Labels]:
        """Both strands of windows padded at random."""
        right, left, _ = self.padding
        draw = batch.uniform(1)[:, 0]
        side = torch.where(draw < right, 0.0, torch.where(draw < right + left, 1.0, 0.5))
        measured = task.restore(batch.target).to(batch.target.dtype).flatten()
        labels = Labels(batch.target.repeat(2, 1, 1), lambda: bin_probabilities(measured).repeat(2, 1))
        return self.channels(self.windows(batch.codes, side)), labels

    def by_sequence(self, rows: Tensor) -> Tensor:
        """[2B, …] to [B, 2, …]."""
        return rows.unflatten(0, (2, -1)).transpose(0, 1)


class Parallel(nn.Module):
    """Convolutions of several kernels on the same input, ReLU, dropout; their channels side by side."""

    def __init__(self, before: int, after: int, kernels: tuple[int, ...], dropout: float) -> None:
        if not kernels or after % len(kernels):
            raise InputError(f"a width that its {len(kernels)} kernels can share, found {after}")
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv1d(before, after // len(kernels), kernel, padding="same") for kernel in kernels
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, L] to [N, after, L]."""
        return self.dropout(F.relu(torch.cat([branch(x) for branch in self.branches], dim=1)))


class First(blocks.Block):
    """Convolutions side by side."""

    def __init__(
        self, takes: Shape, width: Count = 320, kernels: tuple[Count, ...] = (9, 15), dropout: BelowOne = 0.2
    ) -> None:
        super().__init__(takes._replace(channels=width))
        self.convolutions = Parallel(takes.channels, width, kernels, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, width, L]."""
        return self.convolutions(x)


class Core(blocks.Block):
    """A bidirectional LSTM, then convolutions side by side, of `lstm` units and channels each."""

    def __init__(
        self,
        takes: Shape,
        lstm: Count = 320,
        kernels: tuple[Count, ...] = (9, 15),
        dropout: BelowOne = 0.2,
        last_dropout: BelowOne = 0.5,
    ) -> None:
        super().__init__(takes._replace(channels=lstm))
        self.lstm = nn.LSTM(takes.channels, lstm, batch_first=True, bidirectional=True)
        self.convolutions = Parallel(2 * lstm, lstm, kernels, dropout)
        self.dropout = Dropout(last_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, lstm, L]."""
        states, _ = self.lstm(x.transpose(1, 2))
        return self.dropout(self.convolutions(states.transpose(1, 2)))


class Final(blocks.FinalBlock):
    """Three dense layers on all positions. loss: in place of the task's."""

    def __init__(self, takes: Shape, dense: Count = 64, loss: LossName | None = "huber") -> None:
        super().__init__(Shape(1, 1))
        self.loss_name = loss
        self.dense = nn.Sequential(
            nn.Linear(takes.channels * takes.length, dense),
            nn.ReLU(),
            nn.Linear(dense, dense),
            nn.ReLU(),
            nn.Linear(dense, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N]."""
        return self.dense(x.transpose(1, 2).flatten(1)).flatten()

    def loss(self, outputs: Tensor, labels: Labels, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        """Huber, or the task's."""
        named = replace(task, loss_name=self.loss_name) if self.loss_name else task
        loss = named.loss(self.score(outputs), labels.target)
        return loss, {"task": loss}
