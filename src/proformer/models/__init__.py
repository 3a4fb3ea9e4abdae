"""Models by name. A model is one file of this package with a `Config` dataclass and `build(config)`.

A model is a `Model` (see `proformer.models.base`): codes uint8 [B, L] of forward strands to outputs [B, T, P], with a
loss of its own where it needs one. Optional, and used when they are there:

- in the file, `RECIPES`: name → {"model": keys, "training": keys}, how the model was published; the first is the
  default;
- in `Config`, keys of `FACTS`, which the data fill in.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from proformer.errors import InputError
from proformer.settings import did_you_mean, hints_of, read

if TYPE_CHECKING:
    from proformer.models.base import Model

FILES = ("model.safetensors", "model.json", "metrics.tsv")  # of a trained model's folder
SEAL = "SHA256SUMS"  # their digests, written last
DEFAULT = "proformer"
FACTS = ("length", "flanks", "tasks", "bin", "target")  # that data fill in where a model has the keys


def names() -> list[str]:
    """The models that there are, in order of their names: files of this folder with a `Config`."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file.stem for file in files if re.search("^class Config", file.read_text(encoding="utf-8"), re.MULTILINE)]


def find(name: str) -> ModuleType:
    """The module of a model. Raises InputError when there is no such file."""
    if not isinstance(name, str) or not name.isidentifier() or not importlib.util.find_spec(f"{__name__}.{name}"):
        raise InputError(f"model {name!r}: no file {name}.py in the models folder{did_you_mean(name, names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    if not hasattr(module, "build") or not hasattr(module, "Config"):
        raise InputError(f"model {name!r}: {name}.py needs a dataclass Config and a function build(config)")
    return module


def find_recipe(model: str, name: str | None = None) -> dict[str, dict[str, Any]]:
    """Published settings {"model": keys, "training": keys} of a model; without a name its first recipe, or none.

    Raises InputError for a recipe that the model does not have.
    """
    recipes = getattr(find(model), "RECIPES", {})
    if name is None:
        name = next(iter(recipes), None)
    elif name not in recipes:
        raise InputError(f"model {model!r}: no recipe {name!r}{did_you_mean(name, recipes)}")
    return {"model": {}, "training": {}} | (recipes[name] if name else {})


def resolve(config: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The full config of a model, with its defaults filled in: `{"model": "proformer", "dim": 512, …}`.

    data: facts of the data, which fill the keys of those names where the model has them and they are left out or null:
    `length` and `flanks` of sequences, the number of `tasks`, and of a profile the bp of its `bin` and of its `target`.
    Raises InputError for an unknown model, an unknown key or an impossible value.
    """
    keys = dict(config)
    name = keys.pop("model", DEFAULT)
    kind = find(name).Config
    known = hints_of(kind).keys() & {*FACTS}
    facts = {key: value for key, value in (data or {}).items() if key in known}
    given = {key: value for key, value in keys.items() if value is not None or key not in facts}
    return {"model": name, **asdict(read(kind, facts | given, f"model {name}"))}


def build(config: Mapping[str, Any]) -> Model:
    """Build a model from a plain config; keys left out take their defaults. Raises as `resolve` does."""
    keys = resolve(config)
    module = find(keys.pop("model"))
    return module.build(module.Config(**keys))
