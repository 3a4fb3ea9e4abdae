"""Optimisers, learning-rate schedules and gradient clipping, as the original used them."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from proformer.training.config import Training


class Lion(optim.Optimizer):
    """Lion (Chen et al. 2023): the sign of a moving mean of gradients, with decoupled weight decay."""

    def __init__(self, parameters: Iterable[nn.Parameter], **defaults: Any) -> None:
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every variable that has a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            gradients = [weight.grad for weight in weights]
            for weight in weights:
                self.state[weight].setdefault("mean", torch.zeros_like(weight))
            mean = [self.state[weight]["mean"] for weight in weights]
            beta1, beta2 = group["betas"]
            directions = torch._foreach_sign(torch._foreach_lerp(gradients, mean, beta1))
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(weights, directions, alpha=-group["lr"])
            torch._foreach_lerp_(mean, gradients, 1 - beta2)


def make_optimiser(settings: Training, parameters: Iterator[nn.Parameter]) -> optim.Optimizer:
    """The optimiser of the settings. Its rate is 1: `make_schedule` says how it changes."""
    decay, betas, epsilon = settings.weight_decay, settings.betas, settings.epsilon
    if settings.optimiser == "rmsprop":
        return optim.RMSprop(parameters, lr=1.0, alpha=0.9, eps=epsilon, foreach=True)
    if settings.optimiser == "lion":
        return Lion(parameters, lr=1.0, betas=betas, weight_decay=decay)
    kind = optim.Adam if settings.optimiser == "adam" else optim.AdamW
    return kind(parameters, lr=1.0, betas=betas, eps=epsilon, weight_decay=decay, fused=True)


def make_schedule(optimiser: optim.Optimizer, settings: Training, steps_per_epoch: int) -> LRScheduler:
    """What sets the learning rate before every step; "plateau": after every epoch, by its validation loss."""
    rate, start = settings.learning_rate, settings.warmup_start
    if settings.schedule == "plateau":
        for group in optimiser.param_groups:
            group["lr"] = rate
        patience = settings.plateau_epochs - 1  # torch waits for one more than Keras
        factor = settings.plateau_factor
        return ReduceLROnPlateau(optimiser, "min", factor, patience, threshold=1e-4, threshold_mode="abs")
    if settings.schedule != "onecycle":
        return LambdaLR(optimiser, lambda step: learning_rate(settings, step, steps_per_epoch))
    epochs = max(settings.epochs, settings.warmup_epochs)  # a run may end before the peak
    schedule = OneCycleLR(
        optimiser,
        rate,
        math.ceil(epochs * steps_per_epoch),
        pct_start=settings.warmup_epochs / epochs,
        div_factor=rate / start if start else math.inf,
        cycle_momentum=settings.optimiser in ("adam", "adamw"),
    )
    for group in optimiser.param_groups:
        group["min_lr"] = settings.final_rate
    return schedule


def learning_rate(settings: Training, step: int, steps_per_epoch: int) -> float:
    """Learning rate of update number `step` (from 0), but for "onecycle", which is torch's.

    "transformer": d^-½ · min(step^-½, step · warmup^-1.5), so the very first update has rate 0 (Vaswani et al. 2017,
    as released). "cosine": linear rise over the warm-up, then half a cosine to 0 at the end of the last epoch.
    "warmup": linear rise from `warmup_start`, then constant.
    """
    rate = settings.learning_rate
    if settings.schedule == "constant":
        return rate
    if settings.schedule == "transformer":
        return settings.schedule_width**-0.5 * min(max(step, 1e-12) ** -0.5, step * settings.warmup_steps**-1.5)
    warmup = settings.warmup_epochs * steps_per_epoch
    if settings.schedule == "warmup":
        return settings.warmup_start + (rate - settings.warmup_start) * min(step / max(warmup, 1), 1)
    if step < warmup:
        return rate * (step + 1) / max(warmup, 1)
    progress = (step - warmup) / max(settings.epochs * steps_per_epoch - warmup, 1)
    return rate * 0.5 * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def clip(gradients: Iterable[Tensor], settings: Training) -> None:
    """Clip gradients in place. Each variable by itself: entries to ±clip_value, then its norm to at most clip_norm.

    clip_over "all": the norm of all together first, then the entries.
    """
    gradients = list(gradients)
    value, norm, over_all = settings.clip_value, settings.clip_norm, settings.clip_over == "all"
    for bound in ("norm", "value") if over_all else ("value", "norm"):
        if bound == "value" and value:
            torch._foreach_clamp_min_(gradients, -value)
            torch._foreach_clamp_max_(gradients, value)
        if bound == "norm" and norm:
            norms = torch._foreach_norm(gradients)
            scales = torch._foreach_reciprocal([torch.stack(norms).norm()] * len(norms) if over_all else norms)
            torch._foreach_mul_(scales, norm)
            torch._foreach_clamp_max_(scales, 1.0)
            torch._foreach_mul_(gradients, scales)
