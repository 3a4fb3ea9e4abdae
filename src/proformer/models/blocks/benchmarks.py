"""Blocks of the DREAM models on other data (Rafi et al. 2024, Fig. 3): whole constructs, one number a task.

The original has a channel is_reverse, read off the names of rows. It is 0 here, as rows carry no names; Drosophila's
two strands of a window have the same labels anyway.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from proformer.datasets.batches import Batch
from proformer.models import blocks
from proformer.models.blocks import Labels, Shape
from proformer.models.construct import construct
from proformer.settings import Count, NotNegative
from proformer.tasks import Task


class Processor(blocks.Processor):
    """The construct on one strand: A, G, C, T and is_reverse; `reverse_channel` leaves out the last."""

    def __init__(
        self, length: int, flanks: tuple[str, str], unknown: NotNegative = 0.0, reverse_channel: bool = True
    ) -> None:
        table = torch.zeros(6, 4 + reverse_channel)
        table[[0, 1, 2, 3], [0, 2, 1, 3]] = 1.0
        table[4:, :4] = unknown
        super().__init__(Shape(table.shape[1], length + len(flanks[0]) + len(flanks[1])), table)
        self.flanks = flanks

    def construct(self, codes: Tensor) -> Tensor:
        """Inserts uint8 [B, L] between their flanks."""
        return construct(codes, *self.flanks, self.gives.length, "centre") if any(self.flanks) else codes

    def inputs(self, codes: Tensor) -> Iterable[Tensor]:
        """The strand that is given."""
        return [self.encode(self.construct(codes))]

    def examples(self, batch: Batch, task: Task) -> tuple[Tensor, Labels]:
        """The strand that is given, with its targets."""
        return self.encode(self.construct(batch.codes)), Labels(batch.target)


class Values(blocks.FinalBlock):
    """A final block with a number a task, whose loss is the task's, added over tasks."""

    def score(self, outputs: Tensor) -> Tensor:
        """[N, T] to [N, T, 1]."""
        return outputs.float()[:, :, None]

    def loss(self, outputs: Tensor, labels: Labels, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        """The task's, added over tasks."""
        loss = task.loss(self.score(outputs), labels.target) * outputs.shape[1]
        return loss, {"task": loss}


class Final(Values):
    """For each task a convolution of width 1, the mean over positions, and a dense layer: linear in all."""

    def __init__(self, takes: Shape, tasks: Count = 1, width: Count = 256) -> None:
        super().__init__(Shape(tasks, 1))
        self.mappers = nn.ModuleList(nn.Conv1d(takes.channels, width, 1) for _ in range(tasks))
        self.dense = nn.ModuleList(nn.Linear(width, 1) for _ in range(tasks))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, T]."""
        parts = zip(self.mappers, self.dense, strict=True)
        return torch.cat([dense(mapper(x).mean(dim=2)) for mapper, dense in parts], dim=1)
