"""The equations of Proformer: stem, block and heads, in the order in which a sequence meets them; what others share.

Shapes: B sequences, L nucleotides per strand, T = 2L positions, H expression heads, d model width, h attention heads.
Attention is written from plain products and a softmax, so that attribution methods can look inside. These are the
equations as published; faster versions are in `rewrites.py`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proformer.models.dropout import Dropout

SYMBOLS = 6  # A, C, G, T, N, M
LN_EPS = 1e-6

Rows = int | Tensor | None
"""Which rows of [B, R, d] are wanted: all (None), the first so many (int), or by index (int64 [B, K])."""


def select_rows(x: Tensor, rows: Rows) -> Tensor:
    """The wanted rows of x [B, R, d]."""
    if rows is None:
        return x
    if isinstance(rows, int):
        return x[:, :rows]
    return x.gather(1, rows[:, :, None].expand(-1, -1, x.shape[2]))


def windows(letters: Tensor, kmer: int) -> Tensor:
    """Stride-1 windows of `kmer` letters [B, T, symbols], with zeros beyond the ends: [B, T, kmer · symbols]."""
    symbols, before = letters.shape[2], (kmer - 1) // 2
    letters = F.pad(letters.flatten(1), (before * symbols, (kmer - 1 - before) * symbols))
    return letters.unfold(1, kmer * symbols, symbols)


class Stem(nn.Module):
    """k-mer, position and strand embeddings, with H expression tokens in front (Proformer, Fig. 1).

    A stride-1 window of k one-hot letters (zeros beyond the ends) is mapped to d by one dense layer. The strands are
    one string to it: windows cross the junction. The released expression tokens are a dense layer of a zero, so all
    start as the same bias; `learned` gives each its own start. `convolution` adds batch norm and ReLU to the windows,
    as the first layer of a convolutional network has them.
    """

    def __init__(
        self,
        length: int,
        kmer: int,
        dim: int,
        tokens: int,
        learned: bool,
        strands: int = 2,
        symbols: int = SYMBOLS,
        convolution: bool = False,
    ) -> None:
        super().__init__()
        self.length, self.kmer, self.tokens, self.strands = length, kmer, tokens, strands
        self.kmer_dense = nn.Linear(kmer * symbols, dim)
        self.norm = nn.BatchNorm1d(dim) if convolution else None
        self.position_embedding = nn.Parameter(torch.empty(strands * length, dim).uniform_(-0.05, 0.05))
        self.strand_embedding = nn.Parameter(torch.empty(strands, dim).uniform_(-0.05, 0.05))
        self.expression_start = nn.Parameter(torch.empty(tokens, dim).uniform_(-0.05, 0.05)) if learned else None
        self.expression_embedding = nn.Linear(1, dim) if tokens and not learned else None

    def forward(self, codes: Tensor) -> Tensor:
        """Codes uint8 [B, 2L] to rows [B, H + 2L, d]."""
        if codes.shape[1] != self.strands * self.length:
            raise ValueError(f"codes have {codes.shape[1]} positions, this model reads {self.strands * self.length}")
        return self.embed(F.one_hot(codes.long(), SYMBOLS).to(self.kmer_dense.weight.dtype))

    def embed(self, letters: Tensor) -> Tensor:
        """Letters, one-hot [B, 2L, symbols], to rows [B, H + 2L, d]."""
        x = self.kmer_dense(windows(letters, self.kmer))
        if self.norm is not None:
            x = F.relu(self.norm(x.transpose(1, 2))).transpose(1, 2)
        x = x + (self.position_embedding + self.strand_embedding.repeat_interleave(self.length, 0))
        if self.expression_start is not None:
            start = self.expression_start.expand(len(x), -1, -1)
        elif self.expression_embedding is not None:
            start = self.expression_embedding(letters.new_zeros(len(x), self.tokens, 1))
        else:
            return x
        return torch.cat([start.to(x.dtype), x], dim=1)


class FeedForward(nn.Module):
    """Half a step of LN, dense to 4d, gate (a · silu(b)), dense back to d, added to its input; no biases."""

    step = 0.5

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(dim, eps=LN_EPS)
        self.dense1 = nn.Linear(dim, 4 * dim, bias=False)
        self.dense2 = nn.Linear(2 * dim, dim, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, R, d] to [B, R, d]."""
        a, b = self.dense1(self.ln(x)).chunk(2, dim=-1)
        return x + self.step * self.dropout(self.dense2(self.dropout(a * F.silu(b))))


class WholeFeedForward(FeedForward):
    """The whole step, as a Transformer has it after its attention."""

    step = 1.0


class SeparableConv(nn.Module):
    """LN, depthwise convolution of width 15, pointwise dense, ReLU; the tokens take part in it."""

    def __init__(self, dim: int, dropout: float, width: int = 15) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(dim, eps=LN_EPS)
        self.depthwise = nn.Conv1d(dim, dim, width, padding=width // 2, groups=dim, bias=False)
        self.pointwise = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, R, d] to [B, R, d]."""
        return self.convolve(self.ln(x))

    def convolve(self, x: Tensor) -> Tensor:
        """All but the LayerNorm."""
        return self.dropout(F.relu(self.pointwise(self.mix(x))))

    def mix(self, x: Tensor) -> Tensor:
        """The depthwise convolution of [B, R, d]."""
        return self.depthwise(x.transpose(1, 2)).transpose(1, 2)


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(Q Kᵀ / √w) V in each head, w wide: queries [B, Q, h·w], keys and values [B, R, h·w] to [B, Q, h·w]."""
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = (q @ k.transpose(2, 3) * q.shape[3] ** -0.5).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Multi-head attention whose every head is as wide as the model (key_dim = d); padding is attended to."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, heads * dim) for _ in range(3))
        self.output = nn.Linear(heads * dim, dim)

    def forward(self, x: Tensor, rows: Rows = None) -> Tensor:
        """Rows of x [B, R, d] attend to all of x: [B, K, d]."""
        return self.output(attention(self.query(select_rows(x, rows)), self.key(x), self.value(x), self.heads))


class Block(nn.Module):
    """One macaron block. Its LayerNorm replaces the residual stream, and there is none after the last block.

    Its parts may be their faster versions, with the same parameters.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        dropout: float,
        feed_forward: type[FeedForward] = FeedForward,
        convolution: type[SeparableConv] = SeparableConv,
        attention: Callable[[int, int], nn.Module] = SelfAttention,
    ) -> None:
        super().__init__()
        self.ff1 = feed_forward(dim, dropout)
        self.conv = convolution(dim, dropout)
        self.ln = nn.LayerNorm(dim, eps=LN_EPS)
        self.attn = attention(dim, heads)
        self.ff2 = feed_forward(dim, dropout)

    def forward(self, x: Tensor, rows: Rows = None) -> Tensor:
        """[B, R, d] to the wanted rows of the result, [B, K, d]; each of them still sees all R."""
        x = self.ff1(x)
        x = x + self.conv(x)
        x = self.ln(x)
        x = select_rows(x, rows) + self.attn(x, rows)
        return self.ff2(x)


class AveragePooling(nn.Module):
    """AP: mean over the sequence rows, then one dense layer; no nucleotides are predicted."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.expression_dense = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Rows [B, 2L, d] to expression [B]."""
        return self.expression_dense(x.mean(dim=1)).squeeze(1), None


class MultipleExpressionHeads(nn.Module):
    """MEH: a dense layer on each of the H expression tokens, averaged; and the nucleotide at each sequence row.

    `glu` puts a gated linear unit in front of the dense layer (our reading of the paper's "GLU activation added to
    the expression heads", Fig. 4b).
    """

    def __init__(self, dim: int, tokens: int, glu: bool) -> None:
        super().__init__()
        self.tokens = tokens
        self.glu_dense = nn.Linear(dim, 2 * dim) if glu else None
        self.expression_dense = nn.Linear(dim, 1)
        self.nucleotide_dense = nn.Linear(dim, SYMBOLS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [B, H + K, d] to expression [B] and nucleotide logits [B, K, 6]."""
        tokens = x[:, : self.tokens]
        if self.glu_dense is not None:
            tokens = F.glu(self.glu_dense(tokens), dim=-1)
        return self.expression_dense(tokens).squeeze(2).mean(dim=1), self.nucleotide_dense(x[:, self.tokens :])


def make_head(dim: int, tokens: int, glu: bool) -> nn.Module:
    """What reads the rows: multiple expression heads where there are expression tokens, else average pooling."""
    return MultipleExpressionHeads(dim, tokens, glu) if tokens else AveragePooling(dim)


class TransformerBlock(nn.Module):
    """Attention, then a feed-forward; each followed by dropout, the sum with its input, and LayerNorm."""

    def __init__(
        self,
        attention: nn.Module,
        dim: int,
        hidden: int,
        dropout: float,
        eps: float,
        dense: Callable[[int, int], nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.feed_forward = nn.Sequential(dense(dim, hidden), nn.ReLU(), dense(hidden, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim, eps=eps) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, d] to the same shape."""
        x = self.norms[0](x + self.dropout(self.attention(x)))
        return self.norms[1](x + self.dropout(self.feed_forward(x)))


class SqueezeExcitation(nn.Module):
    """Scale each channel of [B, C, L] by a gate: the means of all channels through these layers, and a sigmoid."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.gate = nn.Sequential(*layers, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, L] to the same shape."""
        return x * self.gate(x.mean(dim=2))[:, :, None]
