"""DeepLIFT's rescale rule (Shrikumar et al. 2017) for models that call their activations as functions.

In place of its derivative, an activation has the slope between its values for the reference and for the sequence. The
reference's are recorded in a first pass; the second is differentiated. What it is right for are models of linear layers
and activations. Products of activations, attention, LSTMs and pooling have no rule here; what they do to the result is
seen in the sum of the contributions, which then misses the difference of the predictions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from proformer.explain.letters import Letters

ACTIVATIONS = {F.relu, torch.relu, Tensor.relu, F.leaky_relu, F.elu, F.silu, F.gelu, F.softplus}
ACTIVATIONS |= {torch.sigmoid, Tensor.sigmoid, torch.tanh, Tensor.tanh, torch.exp, Tensor.exp}
CLOSE = 1e-6  # values of sequence and reference between which the derivative is the slope


class _Slope(torch.autograd.Function):
    """An activation's value, with a given slope in place of its derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return gradients[0] * slope, None, None


class _Activations(TorchFunctionMode):
    """Records what activations read and give; with such a record, differentiates by the slopes to it."""

    def __init__(self, reference: list[tuple[Tensor, Tensor]] | None = None) -> None:
        super().__init__()
        self.record: list[tuple[Tensor, Tensor]] = []
        self.reference = None if reference is None else iter(reference)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in ACTIVATIONS:
            return func(*args, **(kwargs or {}))
        x, settings = args[0], {name: value for name, value in (kwargs or {}).items() if name != "inplace"}
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            value = func(point, *args[1:], **settings)
            (derivative,) = torch.autograd.grad(value.sum(), point)
        value = value.detach()
        if self.reference is None:
            self.record.append((x.detach(), value))
            return value
        before, given = next(self.reference)
        moved = x.detach() - before
        slope = torch.where(moved.abs() > CLOSE, (value - given) / moved.where(moved != 0, 1), derivative)
        return _Slope.apply(x, value, slope)  # type: ignore[no-untyped-call]


def multipliers(letters: Letters, summary: Callable[[Tensor], Tensor]) -> Tensor:
    """What takes the place of the gradient, for the sequence against a quarter of each letter: float [B, T, L, 4]."""
    with torch.no_grad(), _Activations() as reference:
        letters(letters.uniform)
    with _Activations(reference.record):
        return letters.gradient(letters.one_hot, summary)[1]
