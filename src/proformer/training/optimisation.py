"""Learning-rate schedules and gradient clipping, as the original used them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from proformer.training.config import Training
from proformer.training.optimiser import Optimiser


def learning_rate(settings: Training, step: int, steps_per_epoch: int, dim: int) -> float:
    """Learning rate of update number `step` (from 0).

    "transformer": d^-½ · min(step^-½, step · warmup^-1.5), so the very first update has rate 0 (Vaswani et al. 2017,
    as released). "cosine": linear rise over the warm-up, then half a cosine to 0 at the end of the last epoch.
    "warmup": linear rise from `warmup_start`, then constant. "onecycle": half a cosine up, half a cosine down.
    """
    rate = settings.learning_rate
    if settings.schedule == "constant":
        return rate
    if settings.schedule == "transformer":
        return dim**-0.5 * min(max(step, 1e-12) ** -0.5, step * settings.warmup_steps**-1.5)
    warmup = settings.warmup_epochs * steps_per_epoch
    if settings.schedule == "warmup":
        return settings.warmup_start + (rate - settings.warmup_start) * min(step / max(warmup, 1), 1)
    if settings.schedule == "onecycle":
        rising = cycle(settings, step, steps_per_epoch)
        low = settings.warmup_start if step <= warmup - 1 else settings.final_rate
        return low + (rate - low) * rising
    if step < warmup:
        return rate * (step + 1) / max(warmup, 1)
    progress = (step - warmup) / max(settings.epochs * steps_per_epoch - warmup, 1)
    return rate * 0.5 * (1 + math.cos(math.pi * progress))


def cycle(settings: Training, step: int, steps_per_epoch: int) -> float:
    """Where a one-cycle schedule stands: 0 at both ends, 1 at the end of the warm-up (Smith & Topin 2019)."""
    peak, last = settings.warmup_epochs * steps_per_epoch - 1, settings.epochs * steps_per_epoch - 1
    progress = step / max(peak, 1) if step <= peak else (last - step) / max(last - peak, 1)
    return 0.5 * (1 - math.cos(math.pi * progress))


def set_rate(optimiser: Optimiser, settings: Training, step: int, steps_per_epoch: int, dim: int) -> None:
    """Set what the schedule says of update number `step` (from 0): the learning rate, and under one-cycle beta 1."""
    optimiser.rate = learning_rate(settings, step, steps_per_epoch, dim)
    if settings.schedule == "onecycle" and settings.optimiser in ("adam", "adamw"):
        optimiser.betas = (0.95 - 0.1 * cycle(settings, step, steps_per_epoch), settings.betas[1])


@torch.no_grad()
def clip_each(gradients: Iterable[Tensor], value: float, norm: float) -> None:
    """Clip every variable's gradient by itself, in place: entries to ±value, then the norm to at most `norm`."""
    gradients = list(gradients)
    if value:
        torch._foreach_clamp_min_(gradients, -value)
        torch._foreach_clamp_max_(gradients, value)
    if norm:
        scales = torch._foreach_reciprocal(torch._foreach_norm(gradients))
        torch._foreach_mul_(scales, norm)
        torch._foreach_clamp_max_(scales, 1.0)
        torch._foreach_mul_(gradients, scales)
