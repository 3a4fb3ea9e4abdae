"""The workflow's configuration, as Snakemake and every command read it: files merged, checked, defaults filled in."""

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from proformer.errors import InputError
from proformer.settings import did_you_mean

SCHEMA = Path("workflow/schemas/config.schema.yaml")
BASE = "config.yaml"  # the demo, on top of which other files lie
LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "pattern": "text like",
    "minItems": "items, at least",
    "minProperties": "keys, at least",
}


def read_configuration(files: Sequence[str | Path], checkout: Path | None = None) -> tuple[dict[str, Any], Path]:
    """What `snakemake --configfile FILES` has in `config`: `config.yaml`, the files on top of it, then the defaults.

    checkout: where the workflow lies (default: the current folder, else the one that this code is in); returned, too.
    Raises InputError for a file that is missing or no YAML, and for a key or value that the schema does not know.
    """
    try:
        from snakemake.common.configfile import load_configfile
        from snakemake.exceptions import WorkflowError
        from snakemake.utils import update_config
    except ImportError:
        raise InputError("the workflow's configuration needs Snakemake: pip install 'proformer[workflow]'") from None
    places = [checkout] if checkout else [Path.cwd(), Path(__file__).parents[3]]
    root = next((place for place in places if (place / SCHEMA).is_file()), None)
    if root is None:
        raise InputError(f"{SCHEMA}: not found in {' or '.join(map(str, places))}; start this in the checkout")
    own: dict[str, Any] = {}
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"{file}: no such configuration file")
        try:
            update_config(own, load_configfile(str(file)))
        except WorkflowError as error:
            raise InputError(f"{file}: {' '.join(str(error).split())}") from None
    config: dict[str, Any] = load_configfile(str(root / BASE)) if own.get("demo", True) else {}
    update_config(config, own)
    complete(config, root)
    return config, root


def complete(config: dict[str, Any], checkout: Path) -> None:
    """Fill a configuration's defaults in, and the home folder for `~`, as a shell does.

    A null where the schema expects something else counts as not given.
    Raises InputError for the first key or value that the schema refuses.
    """
    config.update(_with_home(config))
    schema = yaml.safe_load((checkout / SCHEMA).read_text(encoding="utf-8"))
    error = jsonschema.exceptions.best_match(_WithDefaults(schema).iter_errors(config))
    if error:
        where = ".".join(map(str, error.absolute_path))
        raise InputError(f"{where + ': ' if where else ''}{_what(error)}")


def _with_home(value: Any) -> Any:
    """The same, with the home folder in texts that begin with `~/`."""
    if isinstance(value, dict):
        return {key: _with_home(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_home(inner) for inner in value]
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value


def _fill(validator: Any, properties: dict[str, Any], instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
    if validator.is_type(instance, "object"):
        for name, keys in properties.items():
            is_off = name in instance and validator.evolve(schema=keys).is_valid(None)
            if "default" in keys and instance.get(name) is None and not is_off:
                instance[name] = copy.deepcopy(keys["default"])
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


_WithDefaults = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"properties": _fill})


def _what(error: Any) -> str:
    """What is wrong at one place: what was found, and what was expected."""
    rule, value, found = error.validator, error.validator_value, error.instance
    if rule == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(name for name in found if name not in known)
        return f"unknown key {unknown!r}{did_you_mean(unknown, known)}"
    if rule == "required":
        return f"found no {next(name for name in value if name not in found)}, which is required"
    if rule == "enum":
        return f"found {found!r}, expected one of {', '.join(map(str, value))}"
    if rule in LIMITS:
        return f"found {found!r}, expected {LIMITS[rule]} {value}"
    expected = error.schema.get("description") or (value if isinstance(value, str) else " or ".join(map(str, value)))
    return f"found {found!r}, expected {expected}" if rule in ("type", "anyOf") else error.message
