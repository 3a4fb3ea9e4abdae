"""Weights that others have saved, into model folders."""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from proformer.errors import InputError
from proformer.files import existing
from proformer.models import build, resolve
from proformer.models.folder import write_folder
from proformer.settings import did_you_mean
from proformer.tasks import Task

# Where a model's `load_original` is.
LOADERS = {"proformer": "proformer.models.original", "composed": "proformer.models.composed"}


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Named arrays of a .npz or .safetensors file, or of a state dict that PyTorch has saved (no code in it runs)."""
    existing(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix in (".pt", ".pth"):
            with warnings.catch_warnings(action="ignore"):  # of what a damaged file may have been
                state = dict(torch.load(path, map_location="cpu", weights_only=True))
            if odd := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
                raise ValueError(f"{odd[0]} is no tensor")
            return state
        return {name: torch.from_numpy(array) for name, array in np.load(path, allow_pickle=False).items()}
    except pickle.UnpicklingError:  # torch's own text says how to run what is in it
        raise InputError(f"{path}: not a .pth file that holds tensors alone, or it is damaged") from None
    except (ValueError, TypeError, AttributeError, RuntimeError, OSError, EOFError, SafetensorError,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise InputError(
            f"{path}: neither .npz, .safetensors nor .pth ({' '.join(str(error).split())[:120]})"
        ) from None


def import_weights(
    name: str,
    weights: Path,
    out: Path,
    config: Mapping[str, Any],
    mean: float,
    sd: float,
    flanks: tuple[str, str],
) -> Path:
    """Read original weights of a model and write its folder; returns `out`. Raises InputError for what does not fit."""
    if name not in LOADERS:
        raise InputError(f"--model: no original weights of {name!r} are known{did_you_mean(name, LOADERS)}")
    keys = {"model": name, **config}
    keys = resolve(keys, {"length": keys.get("length", 100), "flanks": flanks})
    model = import_module(LOADERS[name]).load_original(build(keys), read_tensors(weights))
    description = {
        "model": keys,
        "layout": {"length": keys["length"], "flanks": list(flanks), "too_long": "error", "wrong_flank": "error"},
        "task": asdict(Task(mean=(mean,), sd=(sd,))),
        "parameters": sum(p.numel() for p in model.parameters()),
        "made_by": {"imported_from": weights.name},
    }
    write_folder(out, model.state_dict(), description)
    return out
