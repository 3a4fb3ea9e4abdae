"""The fill-mask objective (Proformer, Results, "Proformer overview")."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from proformer.datasets.batches import mask_nucleotides
from proformer.errors import InputError
from proformer.training.config import Training


@dataclass
class Loss:
    """The parts of one batch's loss (scalars) and its predictions [B]."""

    total: Tensor
    expression: Tensor
    nucleotides: Tensor
    prediction: Tensor


def fill_mask_loss(
    logits: Tensor, codes: Tensor, masked: Tensor, positions: Tensor, number: Tensor | None = None
) -> Tensor:
    """Cross-entropy on the masked nucleotides, sum / (number masked + 1), as released.

    logits [B, K, 6] at `positions` [B, K]; codes uint8 and masked bool [B, 2L]. Positions that are not masked (they
    fill the table up to the batch's maximum) do not count. number: of masked positions, where these are only some of
    the batch's rows.
    """
    counted = masked.gather(1, positions)
    truth = codes.gather(1, positions).flatten().long()
    losses = F.cross_entropy(logits.float().flatten(0, 1), truth, reduction="none")
    return (losses * counted.flatten()).sum() / ((counted.sum() if number is None else number) + 1)


def expression_loss(prediction: Tensor, target: Tensor, settings: Training) -> Tensor:
    """Mean loss between predictions and standardised targets, both [B]: squared, or Huber's with delta 1."""
    if prediction.shape != target.shape:
        raise InputError(
            f"the model gives {list(prediction.shape)} numbers for {len(target)} sequences, expected one each"
        )
    return (F.mse_loss if settings.loss == "mse" else F.huber_loss)(prediction, target)


def _table_width(masked: Tensor, settings: Training) -> int:
    """How many positions per sequence are looked at: the batch's maximum, or on a GPU a number that needs no look."""
    if masked.device.type == "cpu":
        return int(masked.sum(1).max())
    return most_masked(masked.shape[1], settings.mask_rate, settings.mask == "joint")


@cache
def most_masked(positions: int, rate: float, joint: bool = False) -> int:
    """A number of masked positions that one sequence in 10^15 exceeds; what it then has beyond it is not scored.

    Reading the true maximum would have the processor wait for the GPU at every step, and change the shapes.
    """
    strands = 2 if joint else 1
    length = positions // strands
    tail = [math.comb(length, k) * rate**k * (1 - rate) ** (length - k) for k in range(length + 1)]
    exceeding = np.cumsum(tail[::-1])[::-1]
    return strands * int(np.argmax(np.append(exceeding[1:], 0) < 1e-15))


def compute_loss(model: Any, codes: Tensor, target: Tensor, settings: Training, rows: slice = slice(None)) -> Loss:
    """Loss of one batch: codes uint8 [B, 2L], standardised target [B].

    Models that predict nucleotides see masked codes, for both parts of the loss; others see the codes as they are. A
    model may bring `objective(codes, target, settings) -> (loss, prediction [B])`, in place of the loss between its
    output and the target, and `penalty() -> scalar`, which is added.

    rows: the part of the batch to compute. Masks are drawn for the whole of it, and the losses of its parts add up to
    that of the whole; an objective is taken for a mean over rows.
    """
    nothing = target.new_zeros(())
    share = len(target[rows]) / len(target)
    if not getattr(model, "tokens", 0) or not settings.mask_rate:
        if hasattr(model, "objective"):
            expression, prediction = model.objective(codes[rows], target[rows], settings)
        else:
            prediction = model(codes[rows])[0].float()
            expression = expression_loss(prediction, target[rows], settings)
        total = expression + model.penalty() if hasattr(model, "penalty") else expression
        return Loss(total * share, expression.detach() * share, nothing, prediction.detach().float())
    seen, masked = mask_nucleotides(codes, settings.mask_rate, settings.mask == "joint")
    positions = masked.to(torch.uint8).topk(_table_width(masked, settings), dim=1).indices
    prediction, logits = model(seen[rows], positions[rows])
    expression = expression_loss(prediction.float(), target[rows], settings) * share
    nucleotides = fill_mask_loss(logits, codes[rows], masked[rows], positions[rows], masked.sum())
    total = expression + settings.beta * nucleotides
    return Loss(total, expression.detach(), nucleotides.detach(), prediction.detach().float())
