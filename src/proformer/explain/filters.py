"""What the first layer of a model reads: a motif for each of its filters (GOPHER: Toneyan et al. 2022, Methods).

A filter's motif is the mean of the stretches of sequence, as long as the filter, at which it is active: above half of
its largest activation over all sequences, after the layer's own activation function. In the released code of GOPHER a
stretch always has 24 nt, 12 of them before the place of the activation; a place too near to the end of a sequence makes
it leave the rest of that sequence out; and it stops after 10,001 stretches, those of the first sequences. None of this
is repeated here: what a filter reads is read off the layer itself, and all sequences count. Filters that read a window
cut across the junction of both strands, or padding, read columns without a letter there, which count for none.

A first layer is a convolution, several of them side by side, or a dense layer of k letters (Proformer's stem).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from proformer.errors import InputError
from proformer.explain.letters import LETTERS, lookup_of
from proformer.explain.meme import Motifs, consensus, information, trimmed
from proformer.explain.tomtom import COLUMNS, match
from proformer.models import build
from proformer.models.base import Model
from proformer.predict import Predictor

SHARE = 0.5  # of the largest activation
SHORTEST, LEAST = 4, 4.0  # columns and bits of a motif that is compared
ACTIVATIONS = {F.relu, torch.relu, Tensor.relu, F.silu, F.gelu, F.elu, F.softplus, torch.exp, Tensor.exp}


class _FirstLayer(TorchFunctionMode):
    """Keeps what a model's first layer reads, float [N, W, k, C] per convolution, and gives, float [N, F, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = 0  # of the lookup that the layer follows
        self.input: Tensor | None = None
        self.windows: list[Tensor] = []
        self.activations: list[Tensor] = []
        self.finished = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.finished:
            return result
        if not self.channels:
            self.channels = result.shape[-1] if lookup_of(func, args) else 0
        elif func in (torch.conv1d, F.linear) if self.input is None else func is torch.conv1d and args[0] is self.input:
            self._keep(*args, **(kwargs or {}), result=result)
        elif self.windows and func in ACTIVATIONS:
            together = torch.cat(self.activations, dim=1)
            if args[0].shape == together.shape:
                self.activations = list(result.detach().split([each.shape[1] for each in self.activations], dim=1))
            self.finished = True
        return result

    def _keep(
        self, x: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0, *more: Any, result: Tensor
    ) -> None:
        self.input = x
        if x.dim() == 3 and weight.dim() == 2:
            windows, result = x.unflatten(2, (-1, self.channels)), result.transpose(1, 2)
        else:
            kernel = weight.shape[2]
            before, after = ((kernel - 1) // 2, kernel // 2) if padding == "same" else (_number(padding),) * 2
            windows = F.pad(x, (before, after)).unfold(2, kernel, _number(stride)).permute(0, 2, 3, 1)
        self.windows.append(windows.detach())
        self.activations.append(result.detach())


def _number(value: Any) -> int:
    return 0 if value == "valid" else int(value[0] if isinstance(value, tuple | list) else value)


@torch.no_grad()
def first_layer(model: Model, codes: Tensor) -> list[tuple[Tensor, Tensor]]:
    """What each convolution of the first layer reads, float [N, W, k, C], and gives, float [N, F, W]."""
    with _FirstLayer() as layer:
        model(codes)
    if not layer.windows:
        name = type(model).__module__.rpartition(".")[2]
        raise InputError(f"filters: the model {name} has no convolution or dense layer of letters")
    return list(zip(layer.windows, layer.activations, strict=True))


def _channels(model: Model, codes: Tensor) -> Tensor:
    """What the first layer is given for A, C, G and T on the forward strand: float [4, C]."""
    each = torch.stack([first_layer(model, torch.full_like(codes[:1], letter))[0][0][0] for letter in range(LETTERS)])
    told = torch.stack([(each[a] != each[b]).any(dim=-1) for a, b in combinations(range(LETTERS), 2)]).all(dim=0)
    window, place = told.nonzero()[0].tolist()
    return each[:, window, place]


def _letters(windows: Tensor, rows: Tensor) -> Tensor:
    """Channels [N, W, k, C] to letters [N, W, k, 4]: which of the four `rows` is there; zeros where none is.

    Channels that are the same for all letters, such as that of the strand, do not count.
    """
    tell = (rows != rows[:1]).any(dim=0)
    return (windows[..., None, tell] == rows[:, tell]).all(dim=-1).to(windows.dtype)


def filter_motifs(model: Model, batches: Sequence[Tensor]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The motif of each filter of the first layer, float64 [k, 4], and of how many stretches it is made.

    batches: codes uint8 [B, L]. Filters that are active nowhere are left out.
    """
    rows = _channels(model, batches[0])
    highest = [[activations.amax(dim=(0, 2)) for _, activations in first_layer(model, codes)] for codes in batches]
    limits = [torch.stack(each).amax(dim=0) for each in zip(*highest, strict=True)]
    counts, sites = [torch.zeros(())] * len(limits), [torch.zeros_like(limit) for limit in limits]
    for codes in batches:
        for place, (windows, activations) in enumerate(first_layer(model, codes)):
            limit = limits[place][:, None]
            active = ((activations > SHARE * limit) & (limit > 0)).to(windows.dtype)
            counts[place] = counts[place] + torch.einsum("nfw,nwkc->fkc", active, _letters(windows, rows))
            sites[place] += active.sum(dim=(0, 2))
    count = [each for filters in counts for each in filters.double().cpu().numpy()]
    number = torch.cat(sites).int().tolist()
    motifs = {}
    for place, matrix in enumerate(count):
        total = matrix.sum(axis=1, keepdims=True)
        if total.any():
            motifs[f"filter_{place}"] = np.where(total > 0, matrix / np.maximum(total, 1), 1 / LETTERS)
    return motifs, {name: number[int(name.removeprefix("filter_"))] for name in motifs}


def motifs_of(predictor: Predictor, codes: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """What `filter_motifs` finds in codes uint8 [N, L]."""
    size, device = predictor.batch_size, predictor.device
    pieces = [codes[i : i + size].copy() for i in range(0, len(codes), size)]
    return filter_motifs(predictor.module, [torch.from_numpy(piece).to(device) for piece in pieces])


def untrained(predictor: Predictor, seed: int) -> Predictor:
    """The same model before training: with the random weights that it begins with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(predictor.description["model"]).to(predictor.device).eval()
    return Predictor(model, predictor.description, predictor.task)


def shuffled_columns(known: Motifs, seed: int = 0) -> dict[str, np.ndarray]:
    """Motifs that are none: each with its own columns in random order."""
    random = np.random.default_rng(seed)
    return {name: random.permutation(matrix) for name, matrix in known.items()}


def motif_table(motifs: Motifs, sites: Mapping[str, int], known: Motifs) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """A row per motif, nearest to a known one first; and those motifs without weak ends that are compared.

    Ends of less than half a bit are cut off. What is left is compared if it has 4 columns and 4 bits, as much as two
    certain letters: less is like something in any database. Columns: filter (its name), sites, bits and motif
    (consensus) of what is left, and of the nearest known motif target, strand, offset, overlap, p, E and q.
    """
    cut = {name: trimmed(matrix) for name, matrix in motifs.items()}
    bits = {name: float(information(matrix).sum()) for name, matrix in cut.items()}
    cut = {name: matrix for name, matrix in cut.items() if len(matrix) >= SHORTEST and bits[name] >= LEAST}
    table = pd.DataFrame({"filter": [*motifs], "sites": [sites[name] for name in motifs]})
    table["bits"] = [*bits.values()]
    table["motif"] = [consensus(cut[name]) if name in cut else "" for name in motifs]
    best = match(cut, known, best=1) if known else pd.DataFrame(columns=COLUMNS)
    table = table.join(best.set_index("query")[["target", "strand", "offset", "overlap", "p", "E", "q"]], on="filter")
    return table.sort_values("q", kind="stable", ignore_index=True), cut
