"""Blocks of Unlock_DNA, the challenge's third team and Proformer's; defaults are those of Prix Fixe."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.errors import InputError
from proformer.models import blocks, layers
from proformer.models.blocks import Labels, Shape, proformer
from proformer.models.construct import construct
from proformer.models.dropout import Dropout
from proformer.models.rewrites import FusedFeedForward, RowsConv
from proformer.sequences import N
from proformer.settings import BelowOne, Count, CountOrZero
from proformer.tasks import Task


class Processor(proformer.Processor):
    """Both strands as one string, of the construct less `cut` nt at either end, in the middle of `width` nt of N.

    The adapters have 17 and 13 nt, so that a cut of 20, the released one, takes nucleotides of the promoter as well.
    """

    def __init__(
        self, length: int, flanks: tuple[str, str], width: Count = 100, cut: CountOrZero = 20, mask_rate: BelowOne = 0.2
    ) -> None:
        super().__init__(width, flanks, mask_rate)
        self.flanks, self.width, self.cut = flanks, width, cut

    def forward_strand(self, codes: Tensor) -> Tensor:
        """Codes uint8 [B, L] to what is read of them, [B, width]."""
        whole = construct(codes, *self.flanks, codes.shape[1] + sum(map(len, self.flanks)), "left")
        place = torch.arange(whole.shape[1], device=codes.device)
        end = whole.shape[1] - (whole != N).flip(1).to(torch.uint8).argmax(1, keepdim=True)
        inside = (place >= self.cut) & (place < end - self.cut)
        return construct(whole.where(inside, N), "", "", self.width, "centre")


class First(blocks.Block):
    """k-mers and strands: a dense layer on windows of `kmer` positions, and a vector for each half of the positions.

    Neither embedding of the original that nothing reads (of positions, of an expression token) is left out: they count
    as parameters.
    """

    def __init__(self, takes: Shape, width: Count = 256, kmer: Count = 10) -> None:
        if takes.length % 2:
            raise InputError("an even number of positions")
        super().__init__(takes._replace(channels=width))
        self.kmer = kmer
        self.pos_embedding = nn.Embedding(takes.length, width)
        self.strand_embedding = nn.Embedding(2, width)
        self.expression_embedding = nn.Linear(1, width)
        self.kmer_dense = nn.Linear(takes.channels * kmer, width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, width, L]."""
        strands = self.strand_embedding.weight.repeat_interleave(x.shape[2] // 2, 0)
        return (self.kmer_dense(layers.windows(x.transpose(1, 2), self.kmer)) + strands).transpose(1, 2)


class NarrowAttention(nn.MultiheadAttention):
    """Multi-head attention whose heads share the width of the model."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads, batch_first=True)

    def forward(self, x: Tensor, rows: layers.Rows = None) -> Tensor:  # type: ignore[override]
        """[N, R, d] to the same shape."""
        # With narrow heads, PyTorch's own forward, which puts positions before sequences, takes twice as long on a CPU,
        # and so does layers.attention, which keeps its weights for second derivatives.
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).unflatten(2, (3, self.num_heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        return self.out_proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class ConformerBlock(layers.Block):
    """Proformer's block, but that the convolution's input, after its LayerNorm, is added as well."""

    def forward(self, x: Tensor, rows: layers.Rows = None) -> Tensor:
        """[N, R, d] to the same shape."""
        x = self.ff1(x)
        normal = self.conv.ln(x)
        x = self.ln(x + normal + self.conv.convolve(normal))
        return self.ff2(x + self.attn(x))


class Core(blocks.Block):
    """Position embeddings and conformer blocks, as wide as what they are given.

    most: positions beyond which it is refused, as Rafi et al. had no memory to train it on 2,114 bp. Here memory grows
    with the positions (380 MB a sequence at 2,114), time with their square.
    """

    def __init__(
        self, takes: Shape, heads: Count = 4, blocks: Count = 4, dropout: BelowOne = 0.1, most: Count = 1024
    ) -> None:
        if takes.length > most:
            raise InputError(
                f"at most {most} positions: Rafi et al. did not train it on 2,114 bp, for lack of memory; its option "
                "`most` allows more"
            )
        if takes.channels % heads:
            raise InputError(f"channels that {heads} heads can share")
        super().__init__(takes)
        parts = FusedFeedForward, RowsConv, NarrowAttention
        self.blocks = nn.Sequential(*(ConformerBlock(takes.channels, heads, dropout, *parts) for _ in range(blocks)))
        self.pos_embedding = nn.Embedding(takes.length, takes.channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, L] to the same shape."""
        return self.blocks(x.transpose(1, 2) + self.pos_embedding.weight).transpose(1, 2)


class Final(blocks.FinalBlock):
    """Expression from the first `heads` positions, and the nucleotide (or N) at each position that is no token."""

    masks = True

    def __init__(self, takes: Shape, heads: Count = 8, dropout: BelowOne = 0.2) -> None:
        super().__init__(Shape(1, 1))
        self.heads, self.tokens = heads, takes.tokens
        self.expression_dense = nn.Linear(takes.channels, 1)
        self.dropout = Dropout(dropout)
        self.nucleotide_dense = nn.Linear(takes.channels, N + 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, tokens + L] to expression [N] and nucleotide logits [N, 5, L]."""
        x = x.transpose(1, 2)
        expression = self.expression_dense(self.dropout(x[:, : self.heads])).mean(dim=1).squeeze(1)
        return expression, self.nucleotide_dense(x[:, self.tokens :]).transpose(1, 2)

    def loss(self, outputs: tuple[Tensor, Tensor], labels: Labels, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error, and the cross-entropy of masked nucleotides."""
        expression = F.mse_loss(self.score(outputs), labels.target)
        assert labels.masked is not None
        nucleotides = labels.masked.loss(outputs[1].transpose(1, 2))
        return expression + nucleotides, {"task": expression, "nucleotides": nucleotides}
