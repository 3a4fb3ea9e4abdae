"""A data set that lives on the device: a batch is an index, and the second strand and the masks are made there."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from proformer.datasets.store import Store
from proformer.sequences import MASK, N


def both_strands(codes: Tensor) -> Tensor:
    """Append the reverse complement: uint8 [B, L] to [B, 2L] (Proformer, Methods, "Reverse complemented sequences")."""
    backward = codes.flip(1)
    return torch.cat([codes, torch.where(backward < N, 3 - backward, backward)], dim=1)


def mask_nucleotides(codes: Tensor, rate: float, joint: bool = False) -> tuple[Tensor, Tensor]:
    """Replace a share `rate` of the known nucleotides by M: (masked codes, where: bool), both [B, 2L].

    As released, the strands are masked independently, so a masked base can be read off the other strand; `joint`
    masks a base on both strands at once.
    """
    length = codes.shape[1] // 2 if joint else codes.shape[1]
    chosen = torch.rand(codes.shape[0], length, device=codes.device) < rate
    if joint:
        chosen = torch.cat([chosen, chosen.flip(1)], dim=1)
    chosen &= codes < N
    return codes.masked_fill(chosen, MASK), chosen


def _share(store: Store) -> Tensor:
    """The codes where the operating system keeps the file: one copy for all jobs of a machine. Not to be written to."""
    if hasattr(os, "posix_fadvise"):
        with open(store.path, "rb") as handle:
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)  # read ahead in file order
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(store.codes))


class DeviceData:
    """All rows of a store on one device: `codes` uint8 [N, L] and standardised `target` float32 [N].

    On a CPU the codes are not copied.
    """

    def __init__(self, store: Store, device: torch.device, standard: Mapping[str, float] | None = None) -> None:
        standard = standard or store.meta["standard"]
        self.codes = _share(store) if device.type == "cpu" else torch.tensor(store.codes, device=device)
        self.target = (torch.tensor(store.target, device=device) - standard["mean"]) / standard["sd"]

    def __len__(self) -> int:
        return len(self.codes)

    def order(self, seed: int, epoch: int) -> Tensor:
        """The rows in the order of one epoch, a function of seed and epoch alone: int64 [N]."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        return torch.randperm(len(self), generator=generator).to(self.codes.device)

    def batches(self, size: int, order: Tensor | None = None, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (codes uint8 [B, 2L], target [B]) from batch `first` on; the last batch may be smaller."""
        for start in range(first * size, len(self) if order is None else len(order), size):
            rows = slice(start, start + size) if order is None else order[start : start + size]
            yield both_strands(self.codes[rows]), self.target[rows]
