"""What a model costs before it is trained: operations, parameters and memory, counted on the model itself.

A step is traced on torch's meta device, which holds shapes alone. Models that ask for the values of tensors are traced
on a CPU instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

    from proformer.models.base import Model

T = TypeVar("T")
ROWS = 2  # of a traced batch: normalisation needs more than one


@dataclass(frozen=True)
class Cost:
    """Of one model: numbers that are trained, and per sequence FLOPs of prediction and of a training step, and bytes.

    A multiply-add is two FLOPs. activation_bytes: kept for the backward pass, in float32.
    """

    parameters: int
    forward_flops: int
    training_flops: int
    activation_bytes: int


def cost(config: Mapping[str, Any]) -> Cost:
    """Read a model's cost off the built model."""
    return _cost(json.dumps(dict(config), sort_keys=True))


def forward_flops(config: Mapping[str, Any]) -> int:
    """FLOPs of a prediction alone, for one sequence; sooner there than `cost`."""
    return _forward(json.dumps(dict(config), sort_keys=True))


def host_megabytes(parameters: int, processes: int, data_megabytes: float) -> int:
    """What a training asks for: per process torch itself and the data twice (file and device copy); and its weights.

    On a CPU the activations of a batch come on top, which the allowance for torch covers for small models.
    """
    return processes * (3000 + int(3 * data_megabytes)) + int(32 * parameters / 1e6)


@lru_cache
def _forward(text: str) -> int:
    return _traced(text, _forward_flops)


@lru_cache
def _cost(text: str) -> Cost:
    def count(model: Model, length: int) -> Cost:
        # What is done or kept once a step, whatever the batch, is the same for one row more.
        flops, kept = ((b - a) for a, b in zip(_step(model, length, ROWS), _step(model, length, ROWS + 1), strict=True))
        parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
        return Cost(parameters, _forward_flops(model, length), flops, kept)

    return _traced(text, count)


def _traced(text: str, count: Callable[[Model, int], T]) -> T:
    """Count on the model of this config, built without its memory where that is possible."""
    import torch

    from proformer.models import build, resolve

    config = resolve(json.loads(text))
    for device in ("meta", "cpu"):
        try:
            with torch.device(device):
                return count(build(config), config["length"])
        except (NotImplementedError, RuntimeError):
            if device == "cpu":
                raise
    raise AssertionError


def _codes(model: Model, length: int, rows: int) -> torch.Tensor:
    import torch

    return torch.zeros(rows, length, dtype=torch.uint8, device=next(model.parameters()).device)


def _forward_flops(model: Model, length: int) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(_codes(model, length, 1))
    return counter.get_total_flops()


def _step(model: Model, length: int, rows: int) -> tuple[int, int]:
    """FLOPs of a training step on so many rows, and the bytes that autograd keeps for its backward pass."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from proformer.datasets.batches import Batch
    from proformer.tasks import Task

    codes = _codes(model, length, rows)
    with torch.no_grad():
        target = torch.zeros_like(model.eval()(codes), dtype=torch.float32)
    model.train().zero_grad()
    with FlopCounterMode(display=False) as counter, _kept() as kept:
        loss = model.loss(Batch(codes, target), Task(scale="none")).total
        size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
        loss.backward()
    return counter.get_total_flops(), size


@contextmanager
def _kept() -> Iterator[dict[int, torch.Tensor]]:
    """What autograd keeps, by storage; the tensors stay alive, so that no storage's address is used twice."""
    import torch

    kept: dict[int, torch.Tensor] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield kept
    kept.clear()  # they hold their graph, which holds `note`: nothing else would ever free them
