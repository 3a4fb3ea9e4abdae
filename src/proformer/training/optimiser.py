"""The optimisers, each a few operations on all variables at once.

Not those of `torch.optim`: their first step imports PyTorch's compiler, which takes longer than to train a small model
for an epoch, and their bookkeeping per step is most of what such a model's update costs. The arithmetic is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from proformer.training.config import Training

_STATE = {"adam": ("mean", "square"), "adamw": ("mean", "square"), "rmsprop": ("square",), "lion": ("mean",)}


class Optimiser:
    """Adam, AdamW, RMSprop (decay 0.9) or Lion (Chen et al. 2023), as the settings say; AdamW and Lion decay weights.

    `rate` and `betas` may change before every step. A variable without a gradient is left as it is.
    """

    def __init__(self, settings: Training, parameters: Iterable[nn.Parameter]) -> None:
        self.settings, self.parameters = settings, list(parameters)
        self.rate, self.betas = 0.0, settings.betas
        self.state: dict[int, dict[str, Tensor]] = {}  # by the parameter's place

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every variable that has a gradient."""
        present = [place for place, parameter in enumerate(self.parameters) if parameter.grad is not None]
        if not present:
            return
        weights = [self.parameters[place] for place in present]
        gradients = [weight.grad for weight in weights]
        for place in present:
            if place not in self.state:
                self.state[place] = self._start(self.parameters[place])
        state = {name: [self.state[place][name] for place in present] for name in self.state[present[0]]}
        getattr(self, f"_{self.settings.optimiser}")(weights, gradients, **state)

    def _start(self, weight: Tensor) -> dict[str, Tensor]:
        state = {name: torch.zeros_like(weight) for name in _STATE[self.settings.optimiser]}
        if self.settings.optimiser in ("adam", "adamw"):
            state["steps"] = torch.zeros((), dtype=torch.float32, device=weight.device)
        return state

    def _adam(self, weights: Any, gradients: Any, mean: Any, square: Any, steps: Any) -> None:
        fused = torch._fused_adamw_ if self.settings.optimiser == "adamw" else torch._fused_adam_
        torch._foreach_add_(steps, 1)
        fused(
            weights, gradients, mean, square, [], steps, amsgrad=False, lr=self.rate, beta1=self.betas[0],
            beta2=self.betas[1], weight_decay=self.settings.weight_decay, eps=self.settings.epsilon, maximize=False,
        )  # fmt: skip

    _adamw = _adam

    def _rmsprop(self, weights: Any, gradients: Any, square: Any) -> None:
        torch._foreach_mul_(square, 0.9)
        torch._foreach_addcmul_(square, gradients, gradients, value=0.1)
        scale = torch._foreach_sqrt(square)
        torch._foreach_add_(scale, self.settings.epsilon)
        torch._foreach_addcdiv_(weights, gradients, scale, value=-self.rate)

    def _lion(self, weights: Any, gradients: Any, mean: Any) -> None:
        beta1, beta2 = self.betas
        directions = torch._foreach_sign(torch._foreach_lerp(gradients, mean, beta1))
        torch._foreach_mul_(weights, 1 - self.rate * self.settings.weight_decay)
        torch._foreach_add_(weights, directions, alpha=-self.rate)
        torch._foreach_lerp_(mean, gradients, 1 - beta2)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds; betas follow from the step."""
        return {"rate": self.rate, "state": self.state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned, on the parameters' devices."""
        self.rate = saved["rate"]
        self.state = {
            place: {name: value.to(self.parameters[place].device).clone() for name, value in values.items()}
            for place, values in saved["state"].items()
        }
