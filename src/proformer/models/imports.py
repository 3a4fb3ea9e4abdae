"""Weights that others have saved, into model folders."""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from proformer.errors import InputError
from proformer.files import existing
from proformer.models import build, resolve
from proformer.models.blocks.bhi import ADAPTERS
from proformer.models.folder import write_folder
from proformer.settings import did_you_mean
from proformer.tasks import Task


@dataclass(frozen=True)
class Original:
    """Weights that others have saved of a model: the module whose `load_original` reads them, and what they are for.

    length: of the sequences, without flanks. mean, sd: of the targets that the model was trained on.
    """

    module: str
    tasks: tuple[str, ...] = Task().names
    length: int = 100
    flanks: tuple[str, str] = ADAPTERS
    mean: float = 0.0
    sd: float = 1.0


ORIGINALS = {
    "proformer": Original("original"),
    "composed": Original("composed"),
    "deepstarr": Original("deepstarr", ("Dev_log2_enrichment", "Hk_log2_enrichment"), 249, ("", "")),
    # Rows of Vaishnav et al. are whole constructs, the last 110 nt of them.
    "deepatt": Original("deepatt", length=110, flanks=("", ""), mean=9.3587843, sd=3.7040709),
}


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Named arrays of a .npz, .safetensors or Keras HDF5 file, or of PyTorch's state dict (no code in them runs)."""
    existing(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix in (".h5", ".hdf5", ".keras"):
            return _read_keras(path)
        if path.suffix in (".pt", ".pth"):
            with warnings.catch_warnings(action="ignore"):  # of what a damaged file may have been
                state = dict(torch.load(path, map_location="cpu", weights_only=True))
            if odd := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
                raise ValueError(f"{odd[0]} is no tensor")
            return state
        if not zipfile.is_zipfile(path):
            raise ValueError("no archive of arrays")
        return {name: torch.from_numpy(array) for name, array in np.load(path, allow_pickle=False).items()}
    except pickle.UnpicklingError:  # torch's own text says how to run what is in it
        raise InputError(f"{path}: not a .pth file that holds tensors alone, or it is damaged") from None
    except Exception as error:  # a damaged file raises whatever its bytes happen to mean
        raise InputError(
            f"{path}: neither .npz, .safetensors, .h5 nor .pth ({' '.join(str(error).split())[:120]})"
        ) from None


def _read_keras(path: Path) -> dict[str, torch.Tensor]:
    """The arrays of a Keras file, layer by layer in its order: LAYER/kernel, LAYER/bias, …; nothing else is read."""
    import h5py

    with h5py.File(path, "r") as file:
        group = file.get("model_weights", file)
        found = {}
        for layer in group.attrs["layer_names"]:
            name = layer.decode() if isinstance(layer, bytes) else layer
            for weight in group[name].attrs["weight_names"]:
                words = (weight.decode() if isinstance(weight, bytes) else weight).partition(":")[0].split("/")
                place = f"{name}/{'/'.join(words[1:])}"
                found[place] = torch.from_numpy(np.asarray(group[name][weight], dtype=np.float32))
    return found


def import_weights(
    name: str,
    weights: Path,
    out: Path,
    config: Mapping[str, Any],
    mean: float | None = None,
    sd: float | None = None,
    flanks: tuple[str, str] | None = None,
) -> Path:
    """Read original weights of a model and write its folder; returns `out`. Raises InputError for what does not fit.

    mean, sd: of the targets; flanks: constant ends of the sequences (None: as `ORIGINALS` has them).
    """
    if name not in ORIGINALS:
        raise InputError(f"--model: no original weights of {name!r} are known{did_you_mean(name, ORIGINALS)}")
    original = ORIGINALS[name]
    ends = original.flanks if flanks is None else flanks
    keys = {"model": name, **config}
    keys = resolve(keys, {"length": keys.get("length", original.length), "flanks": ends})
    state = read_tensors(weights)
    if bad := [name for name, value in state.items() if not torch.isfinite(value).all()]:
        raise InputError(f"{weights}: found {bad[0]} with numbers that are not finite")
    model = import_module(f"{__package__}.{original.module}").load_original(build(keys), state)
    number = keys.get("tasks", len(original.tasks))
    names = original.tasks if number == len(original.tasks) else ()
    moments = (original.mean if mean is None else mean, original.sd if sd is None else sd)
    task = replace(Task.named(names, number), mean=moments[:1] * number, sd=moments[1:] * number)
    description = {
        "model": keys,
        "layout": {"length": keys["length"], "flanks": list(ends), "too_long": "error", "wrong_flank": "error"},
        "task": asdict(task),
        "parameters": sum(p.numel() for p in model.parameters()),
        "made_by": {"imported_from": weights.name},
    }
    write_folder(out, model.state_dict(), description)
    return out
