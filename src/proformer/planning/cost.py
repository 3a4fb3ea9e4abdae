"""What a model costs before it is trained: operations, parameters and memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

TRAINING = 3  # a step's forward passes' worth: forward, and backward to inputs and to weights


@dataclass(frozen=True)
class Cost:
    """Of one model: FLOPs of one sequence's forward pass, trainable numbers, and bytes per sequence kept for backward.

    FLOPs are those of the model as published, a multiply-add counted as two; the exact rewrites do fewer.
    """

    forward_flops: int
    parameters: int
    activation_bytes: int


def proformer_flops(
    dim: int = 512,
    heads: int = 8,
    blocks: int = 4,
    length: int = 100,
    kmer: int = 10,
    head: str = "meh",
    expression_heads: int = 32,
    expression_start: str = "shared",
    **_: object,
) -> int:
    """FLOPs of a Proformer's forward pass for one sequence, both strands: matrix products and convolutions.

    The keys, and their defaults, are those of `proformer.models.proformer.Config`.
    """
    strands, tokens = 2 * length, 0 if head == "ap" else expression_heads
    rows = strands + tokens
    feed_forward = 2 * rows * (4 + 2) * dim**2
    convolution = 30 * rows * dim + 2 * rows * dim**2
    attention = 8 * rows * dim**2 * heads + 4 * rows**2 * dim * heads
    stem = 2 * strands * 6 * kmer * dim + (2 * tokens * dim if expression_start == "shared" else 0)
    ends = 2 * tokens * dim + 2 * strands * dim * 6 if tokens else 2 * dim
    ends += 4 * tokens * dim**2 if head == "glu" else 0
    return stem + blocks * (2 * feed_forward + convolution + attention) + ends


def forward_flops(config: Mapping[str, Any]) -> int:
    """FLOPs of a model's forward pass for one sequence: by formula for Proformers, without torch; else counted."""
    return proformer_flops(**config) if config.get("model", "proformer") == "proformer" else cost(config).forward_flops


def host_megabytes(model: Mapping[str, Any], processes: int, data_megabytes: float) -> int:
    """What a training asks for: per process torch itself and the data twice (file and device copy); and its layers."""
    return processes * (3000 + int(3 * data_megabytes)) + 4 * model.get("dim", 512) * model.get("blocks", 4)


def cost(config: Mapping[str, Any]) -> Cost:
    """Read a model's cost off the built model; on torch's meta device, which holds shapes alone, where it can run."""
    return _cost(json.dumps(dict(config), sort_keys=True))


@cache
def _cost(text: str) -> Cost:
    import torch

    from proformer.models import build, resolve

    config = resolve(json.loads(text))
    for device in ("meta", "cpu"):
        try:
            with torch.device(device):
                model = build(config)
                flops = (
                    proformer_flops(**config)
                    if config["model"] == "proformer"
                    else _counted(model, config["length"], device)
                )
                kept = _kept(model, config["length"], device, 2) - _kept(model, config["length"], device, 1)
        except (NotImplementedError, RuntimeError):
            if device == "cpu":
                raise
        else:
            break
    return Cost(flops, sum(p.numel() for p in model.parameters() if p.requires_grad), kept)


def _inputs(model: Any, length: int, device: str, batch: int) -> list[Any]:
    """Codes, and as many masked positions as a batch has at most or so, for models that predict nucleotides."""
    import torch

    codes = torch.zeros(batch, 2 * length, dtype=torch.uint8, device=device)
    masked = torch.zeros(batch, max(1, length // 5), dtype=torch.long, device=device)
    return [codes, masked] if getattr(model, "tokens", 0) else [codes]


def _counted(model: Any, length: int, device: str) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model.eval()  # no dropout, and one sequence is enough for a normalised batch
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*_inputs(model, length, device, 1)[:1])
    return counter.get_total_flops()


def _kept(model: Any, length: int, device: str, batch: int) -> int:
    """Bytes that autograd keeps from a forward pass, each storage once."""
    import torch

    kept = {}  # by storage; the tensors stay alive, so that no storage's address is used twice
    model.train()

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = model(*_inputs(model, length, device, batch))
    del output
    size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    kept.clear()  # they hold their graph, which holds `note`: nothing else would ever free them
    return size
