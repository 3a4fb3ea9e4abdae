"""Learning-rate schedules and gradient clipping, as the original used them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from proformer.training.config import Training


def learning_rate(settings: Training, step: int, steps_per_epoch: int, dim: int) -> float:
    """Learning rate of update number `step` (from 0).

    "transformer": d^-½ · min(step^-½, step · warmup^-1.5), so the very first update has rate 0 (Vaswani et al. 2017,
    as released). "cosine": linear rise over the warm-up, then half a cosine to 0 at the end of the last epoch.
    """
    if settings.schedule == "transformer":
        return dim**-0.5 * min(max(step, 1e-12) ** -0.5, step * settings.warmup_steps**-1.5)
    warmup = settings.warmup_epochs * steps_per_epoch
    if step < warmup:
        return settings.learning_rate * (step + 1) / max(warmup, 1)
    progress = (step - warmup) / max(settings.epochs * steps_per_epoch - warmup, 1)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def clip_each(gradients: Iterable[Tensor], value: float, norm: float) -> None:
    """Clip every variable's gradient by itself, in place: entries to ±value, then the norm to at most `norm`."""
    gradients = list(gradients)
    if value:
        torch._foreach_clamp_min_(gradients, -value)
        torch._foreach_clamp_max_(gradients, value)
    if norm:
        norms = torch._foreach_norm(gradients)
        scales = [(norm / n).clamp(max=1.0) for n in norms]
        torch._foreach_mul_(gradients, scales)
