"""A model folder: `model.safetensors` and `model.json`, which rebuild the model alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from proformer.errors import InputError
from proformer.files import atomic, existing, file_digest, write_text
from proformer.models import FILES, SEAL, build
from proformer.models.base import Model
from proformer.tasks import Task

_CONTENTS = "a model folder has model.json and model.safetensors"


@dataclass(frozen=True)
class TrainedModel:
    """A model with what its predictions need: the layout of its sequences and its task."""

    model: Model
    description: dict[str, Any]
    task: Task


def write_folder(folder: Path, weights: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write weights and description; `description["model"]` is the config that `build` takes."""
    with atomic(folder / "model.safetensors") as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary)
    write_text(folder / "model.json", json.dumps(description, indent=2, sort_keys=True) + "\n")


def seal(folder: Path) -> None:
    """Write `SHA256SUMS`, which says that a folder is complete: the digests of its files, as `sha256sum -c` reads them.

    It is the file by which the workflow knows a training. Snakemake removes it before a training is run again, and so
    keeps the model until the new one takes its place.
    """
    write_text(folder / SEAL, "".join(f"{file_digest(folder / name, 'sha256')}  {name}\n" for name in FILES))


def read_description(folder: Path) -> dict[str, Any]:
    """The contents of `model.json`."""
    description = json.loads(existing(folder / "model.json", hint=_CONTENTS).read_text(encoding="utf-8"))
    if not isinstance(description, dict):
        raise InputError(f"{folder}/model.json: found no keys, expected the description of a model")
    return description


def read_folder(folder: str | Path, device: torch.device | str = "cpu") -> TrainedModel:
    """Rebuild a model from its folder. Raises InputError when a file is missing, damaged, or of another model."""
    folder = Path(folder)
    try:
        weights = load_file(existing(folder / "model.safetensors", hint=_CONTENTS), device="cpu")
        description = read_description(folder)
        model, task = build(description["model"]), Task.read(folder, description["task"])
        for name, expected in model.state_dict().items():
            if name in weights and weights[name].dtype != expected.dtype:
                found = f"weights {name} of the type {weights[name].dtype}, expected {expected.dtype}"
                raise InputError(f"{folder}/model.safetensors: found {found}")
            if name in weights and not torch.isfinite(weights[name]).all():
                raise InputError(f"{folder}/model.safetensors: found weights {name} that are not finite numbers")
        model.load_state_dict(weights)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise InputError(f"{folder}: not a model folder, or damaged ({type(error).__name__}: {error})") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: model.safetensors does not belong to model.json ({reason})") from None
    return TrainedModel(model.to(device).eval(), description, task)
