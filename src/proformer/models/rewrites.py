"""Faster versions of Proformer's layers: same parameters, same function up to rounding, less work.

Three of them compute their gradients themselves, a part of the batch at a time, so that what lies between two products
is still in the cache when it is read. They do so in float32 and float64 on CPUs; elsewhere PyTorch's own
differentiation is used. Second derivatives need the layers as published.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from proformer.models.layers import FeedForward, Rows, SelfAttention, SeparableConv, select_rows

_ROWS = 1024  # of a feed-forward at a time: at width 64, 1 MB between its products
_SCORES = 1 << 18  # of an attention at a time, or one sequence's
_SUMS = 1 << 17  # of a convolution's weight gradient at a time: half a MB


def _in_parts(x: Tensor) -> bool:
    """Whether to go part by part: not on GPUs, where one large kernel is best, nor where autocast changes types.

    Nor where the model is compiled: the compiler joins what lies between the products itself.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return not torch.is_autocast_enabled("cpu") and x.numel() > 0


class FusedFeedForward(FeedForward):
    """The half step of the feed-forward, from layer norm to sum, a thousand rows at a time."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, R, d] to [B, R, d]."""
        if not _in_parts(x) or (self.training and self.dropout.p):
            return super().forward(x)
        parameters = (self.ln.weight, self.ln.bias, self.dense1.weight, self.dense2.weight)
        return _HalfStep.apply(x.flatten(0, 1), *parameters, self.ln.eps).view_as(x)  # type: ignore[no-untyped-call]


class _HalfStep(Function):
    """x + ½ W2 (a · silu(b)), where (a, b) = W1 LN(x); x [N, d]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, w1: Tensor, w2: Tensor, eps: float) -> Tensor:
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        half, kept = 0.5 * w2.t(), []
        for rows, target in zip(x.split(_ROWS), out.split(_ROWS), strict=True):
            normal, mean, rstd = torch.native_layer_norm(rows, scale.shape, scale, shift, eps)
            hidden = normal @ w1.t()
            a, b = hidden.chunk(2, dim=1)
            torch.add(rows, F.silu(b).mul_(a) @ half, out=target)
            kept += [normal, mean, rstd, hidden] if any(ctx.needs_input_grad) else []
        ctx.save_for_backward(x, scale, shift, w1, w2, *kept)
        return out

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, shift, w1, w2, *kept = ctx.saved_tensors
        half = 0.5 * w2
        d_x = torch.empty_like(gradient, memory_format=torch.contiguous_format)
        sums = [torch.zeros_like(p) for p in (scale, shift, w1, w2)]
        parts = (tensor.split(_ROWS) for tensor in (x, gradient, d_x))
        for place, (rows, g, target) in enumerate(zip(*parts, strict=True)):
            normal, mean, rstd, hidden = kept[4 * place : 4 * place + 4]
            a, b = hidden.chunk(2, dim=1)
            silu, d_gated = F.silu(b), g @ half
            sums[3] += g.t() @ (a * silu)
            d_hidden = torch.empty_like(hidden)
            d_a, d_b = d_hidden.chunk(2, dim=1)
            torch.mul(d_gated, silu, out=d_a)
            torch.ops.aten.silu_backward.grad_input(d_gated.mul_(a), b, grad_input=d_b)
            sums[2] += d_hidden.t() @ normal
            d_rows, d_scale, d_shift = torch.ops.aten.native_layer_norm_backward(
                d_hidden @ w1, rows, scale.shape, mean, rstd, scale, shift, [True] * 3
            )
            torch.add(g, d_rows, out=target)
            sums[0] += d_scale
            sums[1] += d_shift
        return d_x, *sums[:3], sums[3].mul_(0.5), None


def _has_rows_kernel(x: Tensor, dim: int) -> bool:
    """Whether channels last is the faster layout: on CPUs, but oneDNN has no bf16 kernel for few channels."""
    if x.device.type != "cpu":
        return False
    return dim >= 32 or (x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu"))


class RowsConv(SeparableConv):
    """Convolves the rows as they lie in memory, channels last, in place of a transposed copy."""

    def mix(self, x: Tensor) -> Tensor:
        """The depthwise convolution of [B, R, d]."""
        weight = self.depthwise.weight
        if not _has_rows_kernel(x, len(weight)):
            return super().mix(x)
        return _Rows.apply(x, weight) if _in_parts(x) else _convolve(x, weight)  # type: ignore[no-untyped-call]


def _convolve(x: Tensor, weight: Tensor) -> Tensor:
    """Rows [B, R, d] with weight [d, 1, width], an odd width."""
    channels, _, width = weight.shape
    image = x.transpose(1, 2)[:, :, None]
    return F.conv2d(image, weight[:, :, None], padding=(0, width // 2), groups=channels).squeeze(2).transpose(1, 2)


class _Rows(Function):
    """The convolution; oneDNN's gradient of so few weights takes ten times the time of the rest."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _convolve(x, weight)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        channels, _, width = weight.shape
        # weight k's gradient is the sum over rows of x shifted by k times the gradient; zeros part the sequences
        x_rows = F.pad(x, (0, 0, width // 2, width // 2)).flatten(0, 1)
        g_rows = F.pad(gradient, (0, 0, 0, width - 1)).flatten(0, 1)[: len(x_rows) - width + 1]
        size = min(max(1, _SUMS // weight.numel()), len(g_rows))
        sums = x.new_zeros(width, size, channels)
        for start in range(0, len(g_rows), size):
            g = g_rows[start : start + size]
            shifted = x_rows[start:].as_strided((width, *g.shape), (channels, channels, 1))
            sums[:, : len(g)].addcmul_(shifted, g)
        return _convolve(gradient, weight.flip(2)), sums.sum(1).t()[:, None]


class MergedAttention(SelfAttention):
    """Multiplies W_q W_kᵀ and W_v W_o, d × d per head, before the rows: one score and one output matrix per head.

    All heads then share x as key and value. That is less work where there are more rows than features.
    """

    def forward(self, x: Tensor, rows: Rows = None) -> Tensor:
        """Rows of x [B, R, d] attend to all of x: [B, K, d]."""
        dim, h = x.shape[2], self.heads
        with torch.autocast("cuda" if x.is_cuda else "cpu", enabled=False):  # torch's meta device knows no autocast
            w_q, w_k, w_v = (dense.weight.view(h, dim, dim) for dense in (self.query, self.key, self.value))
            w_o = self.output.weight.view(dim, h, dim).permute(1, 2, 0)  # [h, d (value), d (out)]
            scale = dim**-0.5
            # score(i, j) = (W_q x_i + b_q)·(W_k x_j + b_k); what b_k adds is constant in j and cancels in the softmax
            w_kq = (w_k.transpose(1, 2) @ w_q) * scale  # [h, d (key), d (query)]
            c_qk = (self.query.bias.view(h, 1, dim) @ w_k) * scale
            w_vo = w_v.transpose(1, 2) @ w_o  # [h, d (in), d (out)]
            c_vo = self.output.weight @ self.value.bias + self.output.bias
        queries = F.linear(select_rows(x, rows), w_kq.view(h * dim, dim), c_qk.flatten())
        mixed = attend(queries.view(len(x), -1, dim), x).view(len(x), -1, h * dim)
        return F.linear(mixed, w_vo.view(h * dim, dim).t(), c_vo)


def attend(queries: Tensor, x: Tensor) -> Tensor:
    """Attention of queries [B, Q, d] to rows x [B, R, d], which are keys and values: [B, Q, d]."""
    if _in_parts(x):
        return _Attend.apply(queries, x)  # type: ignore[no-untyped-call, no-any-return]
    weights = (queries @ x.transpose(1, 2)).softmax(dim=-1)
    return weights.to(queries.dtype) @ x.to(queries.dtype)


class _Attend(Function):
    """softmax(Q Xᵀ) X, some sequences at a time."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, x: Tensor) -> Tensor:
        size = max(1, _SCORES // (queries.shape[1] * x.shape[1]))
        out, kept = torch.empty_like(queries, memory_format=torch.contiguous_format), []
        for q, rows, target in zip(queries.split(size), x.split(size), out.split(size), strict=True):
            weights = torch.softmax(q @ rows.transpose(1, 2), dim=-1)
            target.copy_(weights @ rows)
            kept += [weights] if any(ctx.needs_input_grad) else []
        ctx.size = size
        ctx.save_for_backward(queries, x, *kept)
        return out

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        queries, x, *kept = ctx.saved_tensors
        d_queries, d_x = (torch.empty_like(t, memory_format=torch.contiguous_format) for t in (queries, x))
        parts = (tensor.split(ctx.size) for tensor in (queries, x, gradient, d_queries, d_x))
        for weights, q, rows, g, d_q, d_rows in zip(kept, *parts, strict=True):
            d_weights = g @ rows.transpose(1, 2)
            d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
            d_q.copy_(d_scores @ rows)
            torch.add(d_scores.transpose(1, 2) @ q, weights.transpose(1, 2) @ g, out=d_rows)
        return d_queries, d_x
