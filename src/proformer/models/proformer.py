"""Proformer: Stem → Core → Head from a plain config (Kwak et al. 2024, Fig. 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from proformer.errors import InputError
from proformer.models.layers import (
    Attention,
    AveragePooling,
    Block,
    FeedForward,
    MultipleExpressionHeads,
    Rows,
    SeparableConv,
    Stem,
    take,
)
from proformer.models.rewrites import FusedFeedForward, MergedAttention, RowsConv


@dataclass(frozen=True)
class Config:
    """What defines a Proformer; `length` is one strand.

    `expression_start`: "shared" as released, or "learned" (each token its own start). `merge_projections`,
    `read_rows_only`, `convolve_in_place` and `fuse_feed_forward` are exact rewrites: they change neither parameters nor
    outputs, only the work.
    """

    length: int = 100
    kmer: int = 10
    dim: int = 512
    heads: int = 8
    blocks: int = 4
    head: Literal["ap", "meh", "glu"] = "meh"
    expression_heads: int = 32
    expression_start: Literal["shared", "learned"] = "shared"
    dropout: float = 0.0
    merge_projections: bool = True
    read_rows_only: bool = True
    convolve_in_place: bool = True
    fuse_feed_forward: bool = True

    def __post_init__(self) -> None:
        for name in ("length", "kmer", "dim", "heads", "blocks", "expression_heads"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"model: {name} is {value!r}, expected a whole number of at least 1")
        for name, allowed in (("head", ("ap", "meh", "glu")), ("expression_start", ("shared", "learned"))):
            if getattr(self, name) not in allowed:
                raise InputError(f"model: {name} is {getattr(self, name)!r}, expected one of {', '.join(allowed)}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"model: dropout is {self.dropout!r}, expected at least 0 and less than 1")


class Proformer(nn.Module):
    """Codes uint8 [B, 2L] (forward strand, then reverse complement) to expression [B] and nucleotide logits [B, 2L, 6].

    With head "ap" there are no nucleotide logits: the second result is None.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.tokens = 0 if config.head == "ap" else config.expression_heads
        self.stem = Stem(config.length, config.kmer, config.dim, self.tokens, config.expression_start == "learned")
        parts = (
            FusedFeedForward if config.fuse_feed_forward else FeedForward,
            RowsConv if config.convolve_in_place else SeparableConv,
            MergedAttention if config.merge_projections else Attention,
        )
        self.core = nn.ModuleList(Block(config.dim, config.heads, config.dropout, *parts) for _ in range(config.blocks))
        self.head = (
            MultipleExpressionHeads(config.dim, self.tokens, config.head == "glu")
            if self.tokens
            else AveragePooling(config.dim)
        )
        self.reset_parameters()

    def forward(self, codes: Tensor, positions: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Predict; `positions` int64 [B, K] asks for the nucleotides at those positions only: logits [B, K, 6]."""
        rows: Rows = None
        if self.tokens and positions is not None:
            first = torch.arange(self.tokens, device=codes.device).expand(len(codes), -1)
            rows = torch.cat([first, positions + self.tokens], dim=1) if positions.shape[1] else self.tokens
        x = self.stem(codes)
        for block in self.core[:-1]:
            x = block(x)
        last = self.core[-1]
        return self.head(last(x, rows) if self.config.read_rows_only else take(last(x), rows))

    def expression(self, codes: Tensor) -> Tensor:
        """Expression alone [B], with none of the work that only nucleotides need."""
        return self(codes, torch.empty(len(codes), 0, dtype=torch.long, device=codes.device))[0]

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


build = Proformer

RECIPES = {
    # The grid of Figure 2, as told in the authors' talk.
    "grid": {"model": {"kmer": 5}, "training": {}},
    # The final model of Figure 4: the published code.
    "final": {
        "model": {"kmer": 10, "dim": 512, "heads": 8, "blocks": 4, "expression_heads": 32},
        "training": {
            "schedule": "transformer",
            "warmup_steps": 12_500,
            "betas": (0.9, 0.98),
            "epsilon": 1e-9,
            "batch_size": 512,
            "epochs": 20,
        },
    },
}
