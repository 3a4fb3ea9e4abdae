"""The construct around an insert, rebuilt on the device from trimmed, padded codes.

Stores hold inserts without their constant flanks, centred in N. Published peers read the whole construct, put at one
end of a window of their own length.
"""

from functools import cache
from typing import Literal

import torch
from torch import Tensor

from proformer.sequences import N, encode

Align = Literal["left", "right", "centre"]


def construct(codes: Tensor, before: str, after: str, length: int, align: Align) -> Tensor:
    """Forward strands uint8 [B, L], padded with N, to `before` + insert + `after` in windows: uint8 [B, length].

    align: the end that a construct lies at; the other is padded with N, or cut off when the construct is too long.
    "right" keeps the last `length` nt, padded 5'; "left" the first, padded 3'; "centre" pads as stores do. N inside an
    insert stays. An N at the end of an insert cannot be told from padding and is stripped with it: exact for inserts
    that neither begin nor end with N.
    """
    left, right = _letters(before, codes.device), _letters(after, codes.device)
    known = (codes != N).to(torch.uint8)
    start = known.argmax(1, keepdim=True)
    inside = known.any(1, keepdim=True) * (codes.shape[1] - known.flip(1).argmax(1, keepdim=True) - start)
    total = len(left) + inside + len(right)
    missing = length - total
    offset = {"left": missing * 0, "right": missing, "centre": missing // 2 + (missing & length & 1)}[align]
    place = torch.arange(length, device=codes.device) - offset  # in the construct: [B, length]
    # Rows of one table [B, before | codes | after | N], from which every place is read.
    parts = [left.expand(len(codes), -1), codes, right.expand(len(codes), -1), codes.new_full((len(codes), 1), N)]
    table = torch.cat(parts, dim=1)
    index = torch.where(place < len(left), place, place + start)
    index = torch.where(place < len(left) + inside, index, place - inside + codes.shape[1])
    index = index.where((place >= 0) & (place < total), table.shape[1] - 1)
    return table.gather(1, index)


@cache
def _letters(text: str, device: torch.device) -> Tensor:
    return torch.from_numpy(encode(text)).to(device)
