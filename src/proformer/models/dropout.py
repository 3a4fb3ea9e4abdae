"""Dropout whose masks are cheap on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def dropout(x: Tensor, p: float, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero a share p of x [...], on a CPU to the nearest 1/65,536, and divide the rest by the share that is kept.

    There PyTorch draws a double for each element, which takes a sixth of a training step of Basenji; 16 random bits
    each take an eighth of that.
    """
    share = round(p * 65536)
    if not training or x.device.type != "cpu" or not 0 < share < 65536:
        return F.dropout(x, p, training, inplace)
    bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    placed = bits.as_strided(x.shape, torch.empty_like(x, device="meta").stride())
    mask = (placed >= share - 32768).to(x.dtype).mul_(65536 / (65536 - share))
    return x.mul_(mask) if inplace else x * mask


class Dropout(nn.Dropout):
    """nn.Dropout by `dropout`."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop."""
        return dropout(x, self.p, self.training, self.inplace)
