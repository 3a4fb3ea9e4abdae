"""A data set that lives on the device: a batch is an index, and the second strand and the masks are made there."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from proformer.datasets.store import Store
from proformer.sequences import N
from proformer.tasks import Task


def both_strands(codes: Tensor) -> Tensor:
    """Append the reverse complement: uint8 [B, L] to [B, 2L] (Proformer, Methods, "Reverse complemented sequences")."""
    backward = codes.flip(1)
    return torch.cat([codes, torch.where(backward < N, 3 - backward, backward)], dim=1)


def _share(store: Store, column: str) -> Tensor:
    """A column where the operating system keeps the file: one copy for all jobs of a machine. Not to be written to."""
    if hasattr(os, "posix_fadvise"):
        with open(store.path, "rb") as handle:
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)  # read ahead in file order
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(np.require(store.columns[column], requirements="A"))


@dataclass
class Batch:
    """Sequences with their targets: `codes` uint8 [B, L], the forward strand; `target` float32 [B, T, P], transformed.

    `rows`: which rows of the data set these are, where that is known.
    """

    codes: Tensor
    target: Tensor
    rows: Tensor | slice | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, part: slice) -> Batch:
        """Some of the batch's sequences; `rows` is left out."""
        return Batch(self.codes[part], self.target[part])

    @property
    def share(self) -> float:
        """Of the rows of the whole batch, of which a process may see some only."""
        return 1.0

    def uniform(self, columns: int) -> Tensor:
        """Random numbers in [0, 1) for every row, the same however many processes share the batch: [B, columns]."""
        return torch.rand(len(self), columns, device=self.codes.device)

    def total(self, number: Tensor) -> Tensor:
        """A count over the rows of the whole batch."""
        return number


class DeviceData:
    """All rows of a store on one device: `codes` uint8 [N, L] and `target` float32 [N, T, P] in the source's units.

    On a CPU nothing is copied. A batch is gathered, and its targets are transformed, when it is asked for.
    """

    def __init__(self, store: Store, device: torch.device, task: Task) -> None:
        self.task, self.device = task, device
        self.codes, self.target = (_share(store, name).to(device) for name in ("codes", "target"))

    def __len__(self) -> int:
        return len(self.codes)

    def order(self, seed: int, epoch: int) -> Tensor:
        """The rows in the order of one epoch, a function of seed and epoch alone: int64 [N]."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        return torch.randperm(len(self), generator=generator).to(self.device)

    def batch(self, rows: Tensor | slice) -> Batch:
        """The batch of these rows."""
        return Batch(self.codes[rows], self.task.transform(self.target[rows].float()), rows)

    def batches(self, size: int, order: Tensor | None = None, first: int = 0) -> Iterator[Batch]:
        """Yield batches, in `order` or that of the store, from batch `first` on; the last one may be smaller."""
        for start in range(first * size, len(self) if order is None else len(order), size):
            yield self.batch(slice(start, start + size) if order is None else order[start : start + size])
