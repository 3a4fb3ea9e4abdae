"""Weights saved by the original Prix Fixe framework (`PrixFixeNet`'s state dict), into composed models.

de-Boer-Lab/random-promoter-dream-challenge-2022, f7b2e19.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from proformer.errors import InputError

if TYPE_CHECKING:
    from proformer.models.composed import Composed

# Patterns of original names, and ours.
_NAMES = (
    (r"^first\.block\.", "first.convolution."),
    (r"^(first|core)\.conv_list\.(\d+)\.conv\.", r"\1.convolutions.branches.\2."),
    (r"^core\.seqextractor\.inv_res_blc(\d+)\.", r"core.stages.\1.block."),
    (r"^core\.seqextractor\.resize_blc(\d+)\.", r"core.stages.\1.resize."),
    (r"\.6\.fc\.", ".6.gate."),
    (r"\.(ff[12])\.layernorm\.", r".\1.ln."),
    (r"\.(ff[12])\.linear", r".\1.dense"),
    (r"\.layernorm1\.", ".conv.ln."),
    (r"\.layernorm2\.", ".ln."),
    (r"^(core\.blocks\.\d+)\.conv\.0\.", r"\1.conv.depthwise."),
    (r"^(core\.blocks\.\d+)\.conv\.1\.", r"\1.conv.pointwise."),
    (r"^final\.mapper\.0\.", "final.mapper."),
    (r"^final\.main\.", "final.dense."),
)


@torch.no_grad()
def load_original(model: Composed, state: Mapping[str, Tensor]) -> Composed:
    """Copy an original state dict into a composed model of the same blocks, in place; nothing unless all fits.

    Raises InputError, which lists every name and shape that does not fit.
    """
    ours, found, wrong = model.state_dict(), {}, []
    for original, value in state.items():
        name = original
        for pattern, replacement in _NAMES:
            name = re.sub(pattern, replacement, name)
        if original == "final.bins":  # 0 to 17
            continue
        if name not in ours:
            wrong.append(f"{original} has no place")
            continue
        if name.endswith("conv.pointwise.weight") and value.dim() == 3:
            value = value.squeeze(2)
        if name == "final.dense.0.weight" and value.shape == ours[name].shape:
            # The original flattens channels before positions.
            value = value.unflatten(1, (-1, model.core.gives.length)).transpose(1, 2).flatten(1)
        if value.shape != ours[name].shape:
            wrong.append(f"{original} has shape {tuple(value.shape)}, expected {tuple(ours[name].shape)}")
        found[name] = value
    wrong += [f"{name} is missing" for name in ours if name not in found]
    if wrong:
        raise InputError(f"original weights: {'; '.join(wrong)}")
    model.load_state_dict(found)
    return model
