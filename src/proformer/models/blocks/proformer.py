"""Blocks of Proformer; see `proformer.models.layers` for the equations."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from proformer.datasets.batches import Batch, both_strands
from proformer.models import blocks, layers
from proformer.models.blocks import Labels, Masked, Shape
from proformer.models.fill_mask import mask_nucleotides
from proformer.models.rewrites import FusedFeedForward, MergedAttention, RowsConv
from proformer.settings import BelowOne, Count, CountOrZero, NotNegative
from proformer.tasks import Task


class Processor(blocks.Processor):
    """Both strands as one string of A, C, G, T, N and M; in training a share `mask_rate` of nucleotides becomes M."""

    def __init__(self, length: int, flanks: tuple[str, str], mask_rate: BelowOne = 0.05) -> None:
        super().__init__(Shape(layers.SYMBOLS, 2 * length, strands=2), torch.eye(layers.SYMBOLS), mask_rate > 0)
        self.mask_rate = mask_rate

    def forward_strand(self, codes: Tensor) -> Tensor:
        """What is read of codes uint8 [B, L]: all."""
        return codes

    def inputs(self, codes: Tensor) -> Iterable[Tensor]:
        """Both strands."""
        return [self.encode(both_strands(self.forward_strand(codes)))]

    def examples(self, batch: Batch, task: Task) -> tuple[Tensor, Labels]:
        """Both strands, each masked by itself."""
        strands = both_strands(self.forward_strand(batch.codes))
        if not self.masks:
            return self.encode(strands), Labels(batch.target)
        seen, where = mask_nucleotides(strands, batch.uniform(strands.shape[1]), self.mask_rate)
        masked = Masked(strands, where, batch.total(where.sum()), batch.share)
        return self.encode(seen), Labels(batch.target, masked=masked)


class First(blocks.Block):
    """k-mer, position and strand embeddings, with expression tokens in front."""

    def __init__(self, takes: Shape, width: Count = 256, kmer: Count = 10, tokens: CountOrZero = 32) -> None:
        super().__init__(takes._replace(channels=width, length=tokens + takes.length, tokens=tokens))
        sizes = (takes.length // takes.strands, kmer, width, tokens)
        self.stem = layers.Stem(*sizes, learned=False, strands=takes.strands, symbols=takes.channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, width, tokens + L]."""
        return self.stem.embed(x.transpose(1, 2)).transpose(1, 2)


class Core(blocks.Block):
    """Macaron blocks, as wide as what they are given."""

    def __init__(self, takes: Shape, heads: Count = 8, blocks: Count = 4, dropout: BelowOne = 0.0) -> None:
        super().__init__(takes)
        parts = FusedFeedForward, RowsConv, MergedAttention
        self.blocks = nn.Sequential(*(layers.Block(takes.channels, heads, dropout, *parts) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to the same shape."""
        return self.blocks(x.transpose(1, 2)).transpose(1, 2)


class Final(blocks.FinalBlock):
    """Multiple expression heads and the nucleotides where there are expression tokens, else average pooling.

    beta: weight of the loss of masked nucleotides.
    """

    def __init__(self, takes: Shape, beta: NotNegative = 1.0) -> None:
        super().__init__(Shape(1, 1))
        self.masks, self.beta = takes.tokens > 0, beta
        self.head = layers.make_head(takes.channels, takes.tokens, glu=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """[N, C, tokens + L] to expression [N] and nucleotide logits [N, L, 6], or None without tokens."""
        return self.head(x.transpose(1, 2))

    def loss(
        self, outputs: tuple[Tensor, Tensor | None], labels: Labels, task: Task
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The task's, and that of masked nucleotides."""
        expression = task.loss(self.score(outputs), labels.target)
        if outputs[1] is None or labels.masked is None:
            return expression, {"task": expression}
        nucleotides = labels.masked.loss(outputs[1])
        return expression + self.beta * nucleotides, {"task": expression, "nucleotides": nucleotides}
