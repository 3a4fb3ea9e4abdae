"""A data set on a device, or in a file larger than memory: a batch is an index, and all else is made on the device."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from proformer.datasets.store import Store
from proformer.errors import InputError
from proformer.sequences import N
from proformer.tasks import Task


def both_strands(codes: Tensor) -> Tensor:
    """Append the reverse complement: uint8 [B, L] to [B, 2L] (Proformer, Methods, "Reverse complemented sequences")."""
    return torch.cat([codes, reverse_complement(codes)], dim=1)


def reverse_complement(codes: Tensor) -> Tensor:
    """The other strands of codes uint8 [B, L]."""
    backward = codes.flip(1)
    return torch.where(backward < N, 3 - backward, backward)


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
    """The rows of a store: `codes` uint8 [N, L] and `target` float [N, T, P] in the source's units.

    On a CPU, and where they do not fit on the device, they stay where the operating system keeps the file: one copy for
    all jobs of a machine, not to be written to, and no more in memory than there is room for. A batch is gathered, cut,
    turned, and its targets are transformed, when it is asked for.

    shift: batches are pieces of the windows, so much shorter; place: where they begin is drawn, or it is the middle.
    reverse: the share of sequences that are turned to their reverse complement, targets with them.
    """

    def __init__(
        self,
        store: Store,
        device: torch.device,
        task: Task,
        *,
        shift: int = 0,
        place: Literal["anywhere", "middle"] = "anywhere",
        reverse: float = 0.0,
    ) -> None:
        self.task, self.device, self.shift, self.place, self.reverse = task, device, shift, place, reverse
        # Pieces begin where a position of the store's target does; its positions are then joined to those of the task.
        profile = "profile" in task.kind
        self.step = store.task.bin or 1 if profile else 1
        bin_ = task.bin or self.step if profile else 1
        self.joined = max(1, bin_ // self.step)
        positions = store.target.shape[2] - shift // self.step
        if self.joined * self.step != bin_ or positions % self.joined:
            raise InputError(
                f"training: found bins of {task.bin} bp, expected whole bins of {self.step} bp that fill the target's "
                f"{positions * self.step} bp"
            )
        if shift % self.step or not 0 <= shift < store.codes.shape[1]:
            raise InputError(
                f"training: shift is {shift}, expected less than the window's {store.codes.shape[1]} bp and a multiple "
                f"of the target's bins of {self.step} bp"
            )
        self.store, self.file = store, MappedFile(store, ("codes", "target"))
        home = device if device.type != "cpu" and self.file.size < _free(device) / 2 else torch.device("cpu")
        self.codes, self.target = (column.to(home) for column in self.file.columns)

    def __len__(self) -> int:
        return len(self.codes)

    def where(self, column: str, value: int) -> Tensor:
        """The rows in which a further column of the store has a value; none where it has no such column: int64 [n]."""
        found = self.store.columns.get(column, np.empty(0))
        return torch.from_numpy(np.flatnonzero(np.asarray(found) == value)).to(self.codes.device)

    def order(self, seed: int, epoch: int) -> Tensor:
        """The rows in the order of one epoch, a function of seed and epoch alone: int64 [N]."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        return torch.randperm(len(self), generator=generator).to(self.codes.device)

    def batch(self, rows: Tensor | slice, draw: int | None = None) -> Batch:
        """The batch of these rows; `draw` seeds where pieces begin and which are turned (None: middle, none)."""
        codes, target = (column[rows].to(self.device, non_blocking=True) for column in (self.codes, self.target))
        generator = None if draw is None else torch.Generator().manual_seed(draw)
        if self.shift:
            places = self.shift // self.step
            start = torch.full((len(codes),), places // 2)
            if generator and self.place == "anywhere":
                start = torch.randint(0, places + 1, (len(codes),), generator=generator)
            start = start.to(self.device)
            codes = _pieces(codes, start * self.step, codes.shape[1] - self.shift)
            if "profile" in self.task.kind:
                rows_of_tasks = start.repeat_interleave(target.shape[1])
                target = _pieces(target.flatten(0, 1), rows_of_tasks, target.shape[2] - places).unflatten(
                    0, target.shape[:2]
                )
        target = self.task.transform(self._join(target.float()))
        if self.reverse and generator:
            turned = (torch.rand(len(codes), generator=generator) < self.reverse).to(self.device)
            codes = torch.where(turned[:, None], reverse_complement(codes), codes)
            target = torch.where(turned[:, None, None], self.task.reverse(target), target)
        return Batch(codes, target, rows)

    def _join(self, target: Tensor) -> Tensor:
        """Positions [B, T, P] joined to the task's: their mean, or the sum of counts."""
        if self.joined == 1:
            return target
        pieces = target.unflatten(2, (-1, self.joined))
        return pieces.sum(3) if self.task.kind == "counts and profile" else pieces.mean(3)

    def batches(
        self, size: int, order: Tensor | None = None, first: int = 0, draw: int | None = None
    ) -> Iterator[Batch]:
        """Yield batches, in `order` or that of the store, from batch `first` on; the last one may be smaller.

        draw: batch k is drawn by the seed draw + k, see `batch`.
        """
        total = len(self) if order is None else len(order)
        for number, start in enumerate(range(first * size, total, size), first):
            if order is None:
                rows: Tensor | slice = slice(start, min(start + size, total))
            else:
                rows = order[start : start + size]
                self.file.read_ahead(order[start + size : start + 2 * size])
            yield self.batch(rows, None if draw is None else draw + number)


class MappedFile:
    """Columns of a store as tensors on the file itself. Small stores are read ahead whole, others batch by batch."""

    def __init__(self, store: Store, columns: Sequence[str]) -> None:
        arrays = [store.columns[name] for name in columns]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            # floats that do not lie at a multiple of their size are copied
            self.columns = [torch.from_numpy(np.require(array, requirements="A")) for array in arrays]
        self.size, self.path = sum(array.nbytes for array in arrays), store.path
        self.places: list[tuple[int, int]] = []  # of row 0, and bytes of a row, where single rows are read ahead
        if not hasattr(os, "posix_fadvise") or not self.size:
            return
        if self.size < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 4:
            self._advise([(0, 0)])
        else:
            self.places = [(array.offset, array[0].nbytes) for array in arrays if isinstance(array, np.memmap)]

    def read_ahead(self, rows: Tensor) -> None:
        """Have the operating system read these rows while something else is done."""
        if self.places:
            numbers = rows.tolist()
            self._advise([(start + row * size, size) for start, size in self.places for row in numbers])

    def _advise(self, pieces: list[tuple[int, int]]) -> None:
        with open(self.path, "rb") as handle:
            for start, size in pieces:
                os.posix_fadvise(handle.fileno(), start, size, os.POSIX_FADV_WILLNEED)


def _pieces(values: Tensor, start: Tensor, length: int) -> Tensor:
    """Of each row [B, L], `length` values from its start on."""
    return values.gather(1, start[:, None] + torch.arange(length, device=values.device))


def _free(device: torch.device) -> float:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")
