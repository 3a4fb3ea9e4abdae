"""Weights of the original TensorFlow model, in Keras layout, into ours and back.

Names: `pos_embedding.embeddings`, `strand_embedding.embeddings`, `{expression_embedding,kmer_dense,expression_dense,
nucleotide_dense}.{kernel,bias}` and per block `blocks.{i}.…`. A model with head "ap" has neither expression_embedding
nor nucleotide_dense; head "glu" adds `glu_dense`.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from proformer.errors import InputError
from proformer.models.proformer import Proformer

# Our names and the original ones, where `_original_name` has no rule.
_NAMES = {
    "stem.position_embedding": "pos_embedding.embeddings",
    "stem.strand_embedding": "strand_embedding.embeddings",
    "conv.depthwise.weight": "conv.depthwise_kernel",
    "conv.pointwise.weight": "conv.pointwise_kernel",
    "conv.pointwise.bias": "conv.bias",
}


def _original_name(name: str) -> str:
    for ours, original in _NAMES.items():
        name = name.replace(ours, original)
    name = re.sub(r"^(stem|head)\.", "", name).replace("core.", "blocks.", 1)
    if re.search(r"\bln\.", name):
        return name.replace("ln.weight", "ln.gamma").replace("ln.bias", "ln.beta")
    return name.replace(".weight", ".kernel")


def layout(model: Proformer) -> Iterator[tuple[str, torch.nn.Parameter, tuple[int, ...]]]:
    """Yield (original name, our parameter, original shape) of every parameter."""
    if model.stem.expression_start is not None:
        raise InputError("original weights: the original has no learned start per expression token; use 'shared'")
    d, h = model.config.dim, model.config.heads
    for ours, parameter in model.named_parameters():
        name = _original_name(ours)
        shape = tuple(parameter.shape) if name.endswith("embeddings") else tuple(parameter.shape)[::-1]
        if re.search("attn.(query|key|value)", name):
            shape = (*shape[:-1], h, d)
        elif name.endswith("attn.output.kernel"):
            shape = (h, d, d)
        elif name.endswith("pointwise_kernel"):
            shape = (1, *shape)
        elif name.endswith("depthwise_kernel"):
            shape = (shape[0], d, 1)
        yield name, parameter, shape


def _ours(name: str, array: np.ndarray, parameter: torch.nn.Parameter) -> np.ndarray:
    """An original array as our parameter has it."""
    if name.endswith("depthwise_kernel"):
        return array.transpose(1, 2, 0)
    if name.endswith("kernel"):  # inputs before outputs, each with one axis or several
        return array.reshape(parameter.shape[::-1]).T
    return array.reshape(parameter.shape)


@torch.no_grad()
def load_original(model: Proformer, arrays: Mapping[str, np.ndarray]) -> Proformer:
    """Copy `arrays` (original names, Keras layout) into `model`, in place; nothing is copied unless all fits.

    Raises InputError that names the first missing, unknown or misshapen array.
    """
    expected = list(layout(model))
    names = [name for name, *_ in expected]
    if missing := [name for name in names if name not in arrays]:
        raise InputError(f"original weights: {missing[0]!r} is missing ({len(missing)} of {len(names)} are)")
    if unknown := sorted(set(arrays) - set(names)):
        raise InputError(f"original weights: {unknown[0]!r} has no place in this model ({len(unknown)} such)")
    for name, _, shape in expected:
        if tuple(np.shape(arrays[name])) != shape:
            raise InputError(f"original weights: {name} has shape {tuple(np.shape(arrays[name]))}, expected {shape}")
    for name, parameter, _ in expected:
        array = _ours(name, np.asarray(arrays[name], dtype=np.float64), parameter)
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    return model
