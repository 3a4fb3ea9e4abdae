"""The fill-mask objective (Proformer, Results, "Proformer overview"): masked nucleotides are predicted as well."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from proformer.sequences import MASK, N


def mask_nucleotides(codes: Tensor, noise: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """Replace a share `rate` of the known nucleotides by M: (masked codes, where: bool), both [B, 2L].

    codes uint8 [B, 2L]; noise uniform in [0, 1). With noise [B, 2L] the strands are masked independently, as released,
    so that a masked base can be read off the other strand; with noise [B, L] a base is masked on both at once.
    """
    chosen = noise < rate
    if chosen.shape[1] < codes.shape[1]:
        chosen = torch.cat([chosen, chosen.flip(1)], dim=1)
    chosen = chosen & (codes < N)
    return codes.masked_fill(chosen, MASK), chosen


def fill_mask_loss(
    logits: Tensor, codes: Tensor, masked: Tensor, number: Tensor, positions: Tensor | None = None
) -> Tensor:
    """Cross-entropy on the masked nucleotides, sum / (number masked + 1), as released.

    logits [B, K, 6] at `positions` [B, K] (None: at all); codes uint8 and masked bool [B, 2L]. Positions that are not
    masked (they fill the table up to the batch's maximum) do not count.
    """
    if positions is not None:
        codes, masked = codes.gather(1, positions), masked.gather(1, positions)
    losses = F.cross_entropy(logits.float().flatten(0, 1), codes.flatten().long(), reduction="none")
    return (losses * masked.flatten()).sum() / (number + 1)


def most_masked(positions: int, rate: float, joint: bool = False) -> int:
    """A number of masked positions that one sequence in 10^15 exceeds; what it then has beyond it is not scored.

    Reading the true maximum would have the processor wait for the GPU at every step, and change the shapes.
    """
    strands = 2 if joint else 1
    length = positions // strands
    tail = [math.comb(length, k) * rate**k * (1 - rate) ** (length - k) for k in range(length + 1)]
    exceeding = np.cumsum(tail[::-1])[::-1]
    return strands * int(np.argmax(np.append(exceeding[1:], 0) < 1e-15))
