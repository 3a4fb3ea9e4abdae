"""Proformer: Stem → Core → Head from a plain config (Kwak et al. 2024, Fig. 1)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from proformer.datasets.batches import Batch, both_strands
from proformer.models import layers, rewrites
from proformer.models.base import Loss, Model
from proformer.models.fill_mask import fill_mask_loss, mask_nucleotides, most_masked
from proformer.settings import BelowOne, Count, NotNegative
from proformer.tasks import Task


@dataclass(frozen=True)
class Config:
    """What defines a Proformer.

    length: nt of one strand, from the data. kmer: nt that one position of the stem reads. dim, heads, blocks: width,
    attention heads and number of the macaron blocks. head: average pooling ("ap"), expression tokens ("meh"), or those
    with a gated linear unit ("glu"). expression_heads: number of expression tokens. expression_start: "shared" as
    released, or "learned" (each token its own start). dropout: in the blocks. mask_rate: share of nucleotides masked in
    training, with the heads that predict them. mask: on each strand by itself (as released) or on both at once
    ("joint"). beta: weight of their loss. strands, embedding, macaron, convolution: what an ablation leaves out: the
    reverse strand, the k-mer embedding for a convolution with batch norm and ReLU, the first half of each feed-forward
    (the other is then whole), the separable convolution. merge_projections, read_rows_only, convolve_in_place,
    fuse_feed_forward: exact rewrites, which change neither parameters nor outputs, only the work.
    """

    length: Count = 100
    kmer: Count = 10
    dim: Count = 512
    heads: Count = 8
    blocks: Count = 4
    head: Literal["ap", "meh", "glu"] = "meh"
    expression_heads: Count = 32
    expression_start: Literal["shared", "learned"] = "shared"
    dropout: BelowOne = 0.0
    mask_rate: BelowOne = 0.05
    mask: Literal["independent", "joint"] = "independent"
    beta: NotNegative = 1.0
    strands: Literal["both", "forward"] = "both"
    embedding: Literal["kmer", "convolution"] = "kmer"
    macaron: bool = True
    convolution: bool = True
    merge_projections: bool = True
    read_rows_only: bool = True
    convolve_in_place: bool = True
    fuse_feed_forward: bool = True


class Proformer(Model):
    """Codes uint8 [B, L] to expression [B, 1, 1]. Unless its head is "ap", it learns from masked nucleotides too."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.tokens = 0 if config.head == "ap" else config.expression_heads
        learned, sizes = config.expression_start == "learned", (config.dim, config.heads, config.dropout)
        strands = 2 if config.strands == "both" else 1
        self.stem = layers.Stem(
            config.length, config.kmer, config.dim, self.tokens, learned, strands,
            convolution=config.embedding == "convolution",
        )  # fmt: skip
        parts = (
            rewrites.FusedFeedForward if config.fuse_feed_forward else layers.FeedForward,
            rewrites.RowsConv if config.convolve_in_place else layers.SeparableConv,
            rewrites.MergedAttention if config.merge_projections else layers.SelfAttention,
        )
        self.core = nn.ModuleList(layers.Block(*sizes, *parts) for _ in range(config.blocks))
        for block in self.core:
            if not config.macaron:
                block.ff1, block.ff2 = nn.Identity(), layers.WholeFeedForward(config.dim, config.dropout)
            if not config.convolution:
                block.conv = _Nothing()
        self.head = layers.make_head(config.dim, self.tokens, config.head == "glu")
        self.joint = config.mask == "joint" and strands == 2
        self.most_masked = most_masked(strands * config.length, config.mask_rate, self.joint)
        self.reset_parameters()

    def forward(self, codes: Tensor) -> Tensor:
        """Predict expression, with none of the work that only nucleotides need."""
        nowhere = torch.empty(len(codes), 0, dtype=torch.long, device=codes.device)
        return self.both(self.read(codes), nowhere)[0][:, None, None]

    def read(self, codes: Tensor) -> Tensor:
        """The strands that the model reads of forward ones: uint8 [B, L] to [B, 2L], or as they are."""
        return both_strands(codes) if self.config.strands == "both" else codes

    def both(self, strands: Tensor, positions: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Both strands uint8 [B, 2L], masked or not (M 5), to expression [B] and nucleotide logits [B, 2L, 6].

        `positions` int64 [B, K] asks for the nucleotides at those positions only: logits [B, K, 6]. With head "ap" the
        second result is None.
        """
        rows: layers.Rows = None
        if self.tokens and positions is not None:
            first = torch.arange(self.tokens, device=strands.device).expand(len(strands), -1)
            rows = torch.cat([first, positions + self.tokens], dim=1) if positions.shape[1] else self.tokens
        x = self.stem(strands)
        for block in self.core[:-1]:
            x = block(x)
        last = self.core[-1]
        return self.head(last(x, rows) if self.config.read_rows_only else layers.select_rows(last(x), rows))

    def loss(self, batch: Batch, task: Task) -> Loss:
        """Expression and masked nucleotides, both predicted from masked strands (fill-mask, Proformer's Results)."""
        config, strands = self.config, self.read(batch.codes)
        if not self.tokens or not config.mask_rate:
            return super().loss(batch, task)
        noise = batch.uniform(strands.shape[1] // (2 if self.joint else 1))
        seen, masked = mask_nucleotides(strands, noise, config.mask_rate)
        positions = masked.to(torch.uint8).topk(self.table_width(masked), dim=1).indices
        expression, logits = self.both(seen, positions)
        assert logits is not None
        prediction = expression.float()[:, None, None]
        expression = task.loss(prediction, batch.target)
        number = batch.total(masked.sum())
        nucleotides = fill_mask_loss(logits, strands, masked, number, positions) / batch.share
        parts = {"task": expression, "nucleotides": nucleotides}
        return Loss(expression + config.beta * nucleotides, prediction, parts)

    def table_width(self, masked: Tensor) -> int:
        """How many positions per sequence are scored: the batch's maximum, or on a GPU a number known before."""
        return int(masked.sum(1).max()) if masked.device.type == "cpu" else self.most_masked

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Initialise as Keras does: Glorot uniform kernels, zero biases, embeddings uniform in ±0.05.

        On the 3-D q/k/v kernels Keras' fan counting gives ±√(6 / (h·d + d²)), far narrower than on a plain matrix, so
        attention starts near uniform.
        """
        d, h = self.config.dim, self.config.heads
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Conv1d):
                if name.endswith((".query", ".key", ".value")):
                    fans = h * d + d * d
                elif name.endswith(".attn.output"):
                    fans = 2 * h * d
                elif isinstance(module, nn.Conv1d):
                    fans = 15 * d + 15
                else:
                    fans = module.in_features + module.out_features
                nn.init.uniform_(module.weight, -math.sqrt(6 / fans), math.sqrt(6 / fans))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class _Nothing(nn.Module):
    """In place of a part whose result is added."""

    def forward(self, x: Tensor) -> Tensor:
        """Zeros."""
        return torch.zeros_like(x)


build = Proformer

_TRANSFORMER = {
    "schedule": "transformer",
    "schedule_width": 512,
    "warmup_steps": 12_500,
    "betas": (0.9, 0.98),
    "epsilon": 1e-9,
    "batch_size": 512,
    "epochs": 20,
}
RECIPES = {
    # The grid of Figure 2, from the authors' talk.
    "grid": {"model": {"kmer": 5}, "training": {}},
    # The grid as the paper's text has it, whose optimiser is that of the final model. The talk's is the one above.
    "grid-text": {"model": {"kmer": 5}, "training": _TRANSFORMER},
    # The final model of Figure 4: the published code.
    "final": {
        "model": {"kmer": 10, "dim": 512, "heads": 8, "blocks": 4, "expression_heads": 32},
        "training": _TRANSFORMER,
    },
}
