"""Blocks of composed models (Prix Fixe: Rafi et al. 2024), a file for each team or model that they come from.

A file has a class `Processor`, `First`, `Core` or `Final`, or several of them; its name is their name. A sequence
passes them in this order: the data processor turns codes into channels and owns what belongs to the data (which strands
and windows are read, masks, labels); first, core and final block are the network; the final block owns the outputs and
their loss.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from proformer.datasets.batches import Batch
from proformer.errors import InputError
from proformer.models.fill_mask import fill_mask_loss
from proformer.settings import did_you_mean
from proformer.tasks import Task

Role = Literal["processor", "first", "core", "final"]


class Shape(NamedTuple):
    """The shape of what one block gives the next: float [rows, channels, length].

    Positions are those of `strands` strands, one after the other, behind `tokens` positions that are no nucleotides.
    """

    channels: int
    length: int
    strands: int = 1
    tokens: int = 0

    def __str__(self) -> str:
        return f"{self.channels} channels of {self.length} positions"


@dataclass
class Masked:
    """Nucleotides that the network did not see: codes uint8 and where bool [N, L]; `number` of the whole batch.

    share: of the rows of the whole batch, see `Batch.share`.
    """

    codes: Tensor
    where: Tensor
    number: Tensor
    share: float

    def loss(self, logits: Tensor) -> Tensor:
        """Their cross-entropy, from logits of all positions [N, L, symbols]."""
        return fill_mask_loss(logits, self.codes, self.where, self.number) / self.share


@dataclass
class Labels:
    """What outputs are compared with: `target` [N, T, P] transformed, for the N rows that a processor makes of a batch.

    probabilities: of the bins of expression [N, 18], computed when they are asked for.
    """

    target: Tensor
    probabilities: Callable[[], Tensor] | None = None
    masked: Masked | None = None


class Processor(nn.Module):
    """Codes uint8 [B, L] of forward strands to channels float [B · views, C, L'].

    table: the channels of each code, [6, C]. masks: whether it hides nucleotides in training, which the final block has
    to predict.
    """

    table: Tensor
    views = 1  # rows of each sequence

    def __init__(self, gives: Shape, table: Tensor, masks: bool = False) -> None:
        super().__init__()
        self.gives, self.masks = gives, masks
        self.register_buffer("table", table, persistent=False)

    def encode(self, codes: Tensor) -> Tensor:
        """uint8 [N, L] to channels [N, C, L]."""
        return self.table[codes.long()].transpose(1, 2)

    def inputs(self, codes: Tensor) -> Iterable[Tensor]:
        """What is read at prediction, once or several times: the mean over all rows of a sequence counts."""
        raise NotImplementedError

    def examples(self, batch: Batch, task: Task) -> tuple[Tensor, Labels]:
        """What is read in training, and the labels of its rows."""
        raise NotImplementedError

    def by_sequence(self, rows: Tensor) -> Tensor:
        """[B · views, …] to [B, views, …]."""
        return rows.unflatten(0, (-1, self.views))


class Block(nn.Module):
    """Float [N, C, L] of the shape it is built for to that which it `gives`."""

    def __init__(self, gives: Shape) -> None:
        super().__init__()
        self.gives = gives

    def reset_parameters(self) -> None:
        """Initialise weights in the team's way; PyTorch's way needs nothing."""


class FinalBlock(Block):
    """Channels to outputs of its own, before any softmax. masks: whether it predicts nucleotides that were hidden."""

    masks = False

    def score(self, outputs: Any) -> Tensor:
        """Outputs to predictions of the targets, [N, T, P]: expression [N], the only output or the first."""
        expression = outputs[0] if isinstance(outputs, tuple) else outputs
        return expression.float()[:, None, None]

    def loss(self, outputs: Any, labels: Labels, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, a mean over rows, and its parts by name (see `Loss`)."""
        raise NotImplementedError


def find(role: Role, name: str) -> Callable[..., Any]:
    """The class of a block. Raises InputError when there is none of this name."""
    teams = {
        module.name: vars(importlib.import_module(f"{__name__}.{module.name}"))
        for module in pkgutil.iter_modules(__path__)
    }
    known = {team: found[role.capitalize()] for team, found in teams.items() if role.capitalize() in found}
    if name not in known:
        raise InputError(f"{role} is {name!r}{did_you_mean(name, known)}")
    return known[name]
