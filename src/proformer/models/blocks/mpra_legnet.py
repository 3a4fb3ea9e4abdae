"""Blocks of MPRA-LegNet (Agarwal et al. 2025; autosome-ru/human_legnet, a20dbc7)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from proformer.datasets.batches import Batch, reverse_complement
from proformer.models.blocks import Labels, Shape, autosome, benchmarks
from proformer.sequences import encode
from proformer.settings import Count, CountOrZero, NotNegative
from proformer.tasks import Task

BEHIND = "CACTAGAGGGTATATAATGGAAGC"  # what follows the construct in the plasmid


class Processor(benchmarks.Processor):
    """A, G, C, T of the construct. In training its first 0 to `shift` nt move out, as many of the plasmid move in, and
    every other construct is turned; at prediction both strands are read.
    """

    def __init__(
        self, length: int, flanks: tuple[str, str], unknown: NotNegative = 0.25, shift: CountOrZero = 21
    ) -> None:
        super().__init__(length, flanks, unknown, reverse_channel=False)
        self.shift = min(shift, len(BEHIND))

    def inputs(self, codes: Tensor) -> Iterable[Tensor]:
        """Both strands."""
        whole = self.construct(codes)
        return [self.encode(whole), self.encode(reverse_complement(whole))]

    def examples(self, batch: Batch, task: Task) -> tuple[Tensor, Labels]:
        """One strand of each construct, shifted."""
        whole, (shift, turned) = self.construct(batch.codes), batch.uniform(2).unbind(1)
        behind = torch.from_numpy(encode(BEHIND)).to(whole.device).expand(len(whole), -1)
        place = (shift * (self.shift + 1)).long()[:, None] + torch.arange(whole.shape[1], device=whole.device)
        whole = torch.cat([whole, behind], dim=1).gather(1, place)
        whole = torch.where(turned[:, None] < 0.5, reverse_complement(whole), whole)
        return self.encode(whole), Labels(batch.target)


class Final(autosome.Initialised, benchmarks.Values):
    """Batch norm, a convolution of width 1, a mean over positions, a dense layer with batch norm and SiLU, outputs."""

    def __init__(self, takes: Shape, width: Count = 256, tasks: Count = 1) -> None:
        super().__init__(Shape(tasks, 1))
        self.mapper = nn.Sequential(nn.BatchNorm1d(takes.channels), nn.Conv1d(takes.channels, width, 1))
        self.dense = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.SiLU(), nn.Linear(width, tasks))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, T]."""
        return self.dense(self.mapper(x).mean(dim=2))
