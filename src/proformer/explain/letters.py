"""Outputs of any model as a function of float letters, so that they can be differentiated.

A model reads codes, which it moves (flanks, windows, the reverse strand) before it looks them up: by `F.one_hot`, an
embedding, or rows of a table. `Letters` watches these lookups. It learns which letter of the sequence each of them
reads by predicting sequences that differ in known ways, and then computes the lookups' results from float letters
[B, L, 4] in place of the codes. Models need no code for it. What is assumed: where a letter goes may depend on where
the sequence holds N, but not on what its other letters are. `Letters.check` finds out when that does not hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from proformer.errors import InputError
from proformer.models.base import Model
from proformer.sequences import N

LETTERS = 4  # A, C, G, T
TOLERANCE = 1e-3  # between the outputs of codes and of the same letters, as a share of the largest output, or of 1


@dataclass(frozen=True)
class Lookup:
    """One lookup of a model, for one batch: which letters it reads.

    source: int64 [N, W], letter l of row b as b · L + l; -1 where no letter of the sequence is read. values: the index
    that is looked up for each of the four letters, int64 [N, W, 4].
    """

    source: Tensor
    values: Tensor


class _Watch(TorchFunctionMode):
    """Calls `seen(index, table, result)` at every lookup of two-dimensional codes; what it returns is the result."""

    def __init__(self, seen: Callable[[Tensor, Tensor | None, Tensor], Tensor]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        found = lookup_of(func, args)
        return self.seen(*found, result) if found else result


def lookup_of(func: Any, args: Any) -> tuple[Tensor, Tensor | None] | None:
    """Index, integers [N, W], and table, float [rows, C] or None for one-hot, of a call that is a lookup of letters."""
    if func is F.one_hot:
        index, table = args[0], None
    elif func is F.embedding:
        index, table = args[:2]
    elif func is Tensor.__getitem__:
        table, index = args
    else:
        return None
    if not isinstance(index, Tensor) or index.dim() != 2 or index.is_floating_point() or index.dtype == torch.bool:
        return None
    if table is not None and (table.dim() != 2 or not table.is_floating_point()):
        return None
    return index, table


class Letters:
    """A model's outputs for one batch of codes uint8 [B, L], as a function of its letters float [B, L, 4].

    Raises InputError for a model that looks no letters up.
    """

    def __init__(self, model: Model, codes: Tensor) -> None:
        self.model, self.codes = model, codes
        self.known = codes < N
        self.lookups = self._find()
        if not any((lookup.source >= 0).any() for lookup in self.lookups):
            raise InputError(
                f"gradients: the model {type(model).__module__.rpartition('.')[2]} looks no letters up (by one_hot, an "
                "embedding or a table), expected one that does; the method ism needs none"
            )

    @property
    def one_hot(self) -> Tensor:
        """The letters of the codes: float [B, L, 4], zeros where they hold N."""
        return F.one_hot(self.codes.long().clamp(max=N), N + 1)[..., :LETTERS].float()

    @property
    def uniform(self) -> Tensor:
        """A quarter of each letter at every known position: float [B, L, 4]."""
        return self.known[..., None].expand(-1, -1, LETTERS).float() / LETTERS

    def __call__(self, letters: Tensor) -> Tensor:
        """Outputs [B, T, P]."""
        lookups = iter(self.lookups)
        padded = torch.cat([letters.flatten(0, 1), letters.new_zeros(1, LETTERS)])  # the last row is nobody's

        def computed(index: Tensor, table: Tensor | None, result: Tensor) -> Tensor:
            lookup = next(lookups)
            rows = torch.eye(result.shape[-1], device=result.device) if table is None else table
            read, values = lookup.source >= 0, rows.to(letters.dtype)[lookup.values]
            mixed = (padded[lookup.source][..., None, :] @ values).squeeze(-2)
            return torch.where(read[..., None], mixed, result.to(mixed.dtype))

        with _Watch(computed):
            return self.model(self.codes)

    def gradient(self, letters: Tensor, summary: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """`summary` of the outputs, [B, T], and its gradient by the letters, float [B, T, L, 4]."""
        letters = letters.detach().requires_grad_()
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # whose LSTM wants to be trained
            values = summary(self(letters))
            columns = [
                torch.autograd.grad(column.sum(), letters, retain_graph=True)[0] for column in values.unbind(dim=1)
            ]
        return values.detach(), torch.stack(columns, dim=1)

    def check(self, expected: Tensor) -> None:
        """Raise InputError unless the outputs of the letters are those of the codes, [B, T, P]."""
        with torch.no_grad():
            found = self(self.one_hot)
        error = float((found - expected).abs().max())
        if not error <= TOLERANCE * float(expected.abs().max() + 1):
            raise InputError(
                f"gradients: the outputs of letters and of codes differ by {error:.2g}, expected the same: this model "
                "reads letters otherwise than by lookups; the method ism needs none"
            )

    def _find(self) -> list[Lookup]:
        values = [torch.stack(each, dim=-1) for each in zip(*map(self._indices, range(LETTERS)), strict=True)]
        numbers = torch.arange(self.codes.numel(), device=self.codes.device).view_as(self.codes)
        sources = [torch.zeros_like(each[..., 0]) for each in values]
        place = 1
        while place < self.codes.numel():  # the number of each letter, a base-4 digit at a time
            seen = self._indices(numbers // place % LETTERS)
            for source, index, each in zip(sources, seen, values, strict=True):
                source += (index[..., None] == each).int().argmax(dim=-1) * place
            place *= LETTERS
        moved = [(each != each[..., :1]).any(dim=-1) for each in values]
        return [
            Lookup(source.where(reads, -1), each) for source, reads, each in zip(sources, moved, values, strict=True)
        ]

    def _indices(self, letters: Tensor | int) -> list[Tensor]:
        """What every lookup reads when the known positions of the sequences hold these letters."""
        found: list[Tensor] = []

        def seen(index: Tensor, table: Tensor | None, result: Tensor) -> Tensor:
            found.append(index.long().clone())
            return result

        letters = torch.as_tensor(letters, device=self.codes.device).to(torch.uint8)
        with torch.no_grad(), _Watch(seen):
            self.model(torch.where(self.known, letters, self.codes))
        return found
