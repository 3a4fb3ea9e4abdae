"""Weights of the original TensorFlow model, in Keras layout, into ours and back.

Names: `pos_embedding.embeddings`, `strand_embedding.embeddings`, `{expression_embedding,kmer_dense,expression_dense,
nucleotide_dense}.{kernel,bias}` and per block `blocks.{i}.…`. A model with head "ap" has neither expression_embedding
nor nucleotide_dense; head "glu" adds `glu_dense`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from proformer.errors import InputError
from proformer.tasks import Task

if TYPE_CHECKING:
    from proformer.models.proformer import Proformer

Map = Callable[[np.ndarray], np.ndarray]


def _same(array: np.ndarray) -> np.ndarray:
    return array


def layout(model: Any) -> Iterator[tuple[str, torch.nn.Parameter, tuple[int, ...], Map]]:
    """Yield (original name, our parameter, original shape, map from the original array to ours)."""
    d, h = model.config.dim, model.config.heads

    def dense(name: str, module: Any) -> Iterator[tuple[str, torch.nn.Parameter, tuple[int, ...], Map]]:
        yield f"{name}.kernel", module.weight, (module.in_features, module.out_features), np.transpose
        if module.bias is not None:
            yield f"{name}.bias", module.bias, (module.out_features,), _same

    def norm(name: str, module: torch.nn.LayerNorm) -> Iterator[tuple[str, torch.nn.Parameter, tuple[int, ...], Map]]:
        yield f"{name}.gamma", module.weight, (d,), _same
        yield f"{name}.beta", module.bias, (d,), _same

    stem = model.stem
    if stem.expression_start is not None:
        raise InputError("original weights: the original has no learned start per expression token; use 'shared'")
    yield "pos_embedding.embeddings", stem.position_embedding, tuple(stem.position_embedding.shape), _same
    yield "strand_embedding.embeddings", stem.strand_embedding, (2, d), _same
    yield from dense("kmer_dense", stem.kmer_dense)
    if stem.expression_embedding is not None:
        yield from dense("expression_embedding", stem.expression_embedding)
    for name in ("glu_dense", "expression_dense", "nucleotide_dense"):
        if (module := getattr(model.head, name, None)) is not None:
            yield from dense(name, module)
    for index, block in enumerate(model.core):
        at = f"blocks.{index}"
        for name in ("ff1", "ff2"):
            ff = getattr(block, name)
            yield from norm(f"{at}.{name}.ln", ff.ln)
            yield from dense(f"{at}.{name}.dense1", ff.dense1)
            yield from dense(f"{at}.{name}.dense2", ff.dense2)
        yield from norm(f"{at}.conv.ln", block.conv.ln)
        width = block.conv.depthwise.kernel_size[0]
        yield (
            f"{at}.conv.depthwise_kernel",
            block.conv.depthwise.weight,
            (width, d, 1),
            lambda a: a.transpose(1, 2, 0),
        )
        yield f"{at}.conv.pointwise_kernel", block.conv.pointwise.weight, (1, d, d), lambda a: a[0].T
        yield f"{at}.conv.bias", block.conv.pointwise.bias, (d,), _same
        yield from norm(f"{at}.ln", block.ln)
        for name in ("query", "key", "value"):
            module = getattr(block.attn, name)
            yield f"{at}.attn.{name}.kernel", module.weight, (d, h, d), lambda a: a.reshape(d, h * d).T
            yield f"{at}.attn.{name}.bias", module.bias, (h, d), lambda a: a.reshape(h * d)
        yield f"{at}.attn.output.kernel", block.attn.output.weight, (h, d, d), lambda a: a.reshape(h * d, d).T
        yield f"{at}.attn.output.bias", block.attn.output.bias, (d,), _same


@torch.no_grad()
def load(model: Proformer, arrays: Mapping[str, np.ndarray]) -> Proformer:
    """Copy `arrays` (original names, Keras layout) into `model`, in place; nothing is copied unless all fits.

    Raises InputError that names the first missing, unknown or misshapen array.
    """
    expected = list(layout(model))
    names = [name for name, *_ in expected]
    if missing := [name for name in names if name not in arrays]:
        raise InputError(f"original weights: {missing[0]!r} is missing ({len(missing)} of {len(names)} are)")
    if unknown := sorted(set(arrays) - set(names)):
        raise InputError(f"original weights: {unknown[0]!r} has no place in this model ({len(unknown)} such)")
    for name, _, shape, _ in expected:
        if tuple(np.shape(arrays[name])) != shape:
            raise InputError(f"original weights: {name} has shape {tuple(np.shape(arrays[name]))}, expected {shape}")
    for name, parameter, _, to_ours in expected:
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(to_ours(np.asarray(arrays[name], dtype=np.float64)))))
    return model


def import_weights(
    weights: Path, out: Path, config: Mapping[str, Any], mean: float, sd: float, flanks: tuple[str, str]
) -> Path:
    """Read an .npz or .safetensors file of original weights and write a model folder; returns `out`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from proformer.models import build, resolve
    from proformer.models.folder import write_folder

    if not weights.is_file():
        raise InputError(f"{weights}: no such file")
    try:
        arrays = load_file(weights) if weights.suffix == ".safetensors" else dict(np.load(weights, allow_pickle=False))
    except (ValueError, OSError, EOFError, SafetensorError, zipfile.BadZipFile) as error:
        raise InputError(f"{weights}: neither .npz nor .safetensors ({' '.join(str(error).split())[:120]})") from None
    model = load(build(config), arrays)  # type: ignore[arg-type]
    description = {
        "model": resolve(config),
        "layout": {"length": model.config.length, "flanks": list(flanks), "too_long": "error", "wrong_flank": "error"},
        "task": asdict(Task(mean=(mean,), sd=(sd,))),
        "parameters": sum(p.numel() for p in model.parameters()),
        "made_by": {"imported_from": weights.name},
    }
    write_folder(out, model.state_dict(), description)
    return out
