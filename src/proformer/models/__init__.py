"""Models by name. A model is one file of this package with a `Config` dataclass and `build(config)`.

A model is a `Model` (see `proformer.models.base`): codes uint8 [B, L] of forward strands to outputs [B, T, P], with a
loss of its own where it needs one. Optional, and used when they are there:

- in the file, `RECIPES`: name → {"model": keys, "training": keys}, how the model was published; the first is the
  default;
- in `Config`, `length` (of one strand) and `flanks`, which the data fill in.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import asdict, fields
from types import ModuleType
from typing import TYPE_CHECKING, Any

from proformer.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from proformer.models.base import Model
    from proformer.models.proformer import Proformer


def find(name: str) -> ModuleType:
    """The module of a model. Raises InputError when there is no such file."""
    if not name.isidentifier() or importlib.util.find_spec(f"{__name__}.{name}") is None:
        raise InputError(f"model {name!r}: no file {name}.py in the models folder")
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
        raise InputError(f"model {model!r}: no recipe {name!r}; recipes: {', '.join(recipes) or 'none'}")
    return {"model": {}, "training": {}} | (recipes[name] if name else {})


def resolve(config: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The full config of a model, with its defaults filled in: `{"model": "proformer", "dim": 512, …}`.

    data: facts of the data (`length`, `flanks`), which fill the keys of those names where the model has them. Raises
    InputError for an unknown model, an unknown key or an impossible value.
    """
    keys = dict(config)
    name = keys.pop("model", "proformer")
    module = find(name)
    known = [field.name for field in fields(module.Config)]
    if unknown := sorted(set(keys) - set(known)):
        raise InputError(f"model {name!r}: unknown key {unknown[0]!r}; known: {', '.join(known)}")
    facts = {key: value for key, value in (data or {}).items() if key in ("length", "flanks") and key in known}
    return {"model": name, **asdict(module.Config(**{**facts, **keys}))}


def build(config: Mapping[str, Any]) -> Model:
    """Build a model from a plain config; keys left out take their defaults. Raises as `resolve` does."""
    keys = resolve(config)
    module = find(keys.pop("model"))
    return module.build(module.Config(**keys))


def load_original(model: Proformer, arrays: Mapping[str, np.ndarray]) -> Proformer:
    """Copy weights of the original TensorFlow model into `model`; see `proformer.models.original`."""
    from proformer.models.original import load

    return load(model, arrays)
