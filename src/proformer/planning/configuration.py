"""The workflow's configuration, as Snakemake and every command read it: files merged, checked, defaults filled in."""

import argparse
import copy
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any

import jsonschema

from proformer import settings
from proformer.errors import InputError
from proformer.files import existing
from proformer.points import joined
from proformer.settings import did_you_mean, fit, words
from proformer.yaml_text import decoded, read_yaml

SCHEMA = Path("workflow/schemas/config.schema.yaml")
BASE = "config.yaml"  # the demo, on top of which other files lie
LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "pattern": "text like",
    "minItems": "items, at least",
    "minLength": "letters, at least",
    "minProperties": "keys, at least",
}


def read_configuration(files: Sequence[str | Path], checkout: Path | None = None) -> tuple[dict[str, Any], Path]:
    """What `snakemake --configfile FILES` has in `config`: `config.yaml`, the files on top of it, then the defaults.

    checkout: where the workflow lies (default: the current folder, else the one that this code is in); returned, too.
    Raises InputError for a file that is missing or no YAML, and for a key or value that the schema does not know.
    """
    places = [checkout] if checkout else [Path.cwd(), Path(__file__).parents[3]]
    root = next((place for place in places if (place / SCHEMA).is_file()), None)
    if root is None:
        raise InputError(f"{SCHEMA}: not found in {' or '.join(map(str, places))}; start this in the checkout")
    own: dict[str, Any] = reduce(joined, map(read_file, files), dict[str, Any]())
    config = joined(read_file(root / BASE) if own.get("demo", True) else {}, own)
    complete(config, root)
    return config, root


def read_file(file: str | Path) -> dict[str, Any]:
    """The keys and values of one file, JSON or YAML.

    Snakemake reads its configuration files before it runs a line of the Snakefile, and says no line of what is wrong:
    this is called first, see `snakemake_logger_plugin_progress`. Raises InputError for a file that is none, or whose
    aliases unfold to more than fits in memory.
    """
    text = decoded(existing(file, "configuration file").read_bytes(), file)
    try:
        found = json.loads(text)  # with tabs, which YAML refuses
    except (ValueError, RecursionError):
        found, _ = read_yaml(text, file)
    if not isinstance(found, dict):
        shown = "nothing" if found is None else repr(str(found)[:80])
        raise InputError(f"{file}: found {shown}, expected keys and values")
    return found


def check_files(words: Sequence[str]) -> None:
    """Read the configuration files that a command line of Snakemake names. Raises InputError as `read_file` does."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", default=[])
    for file in parser.parse_known_args(words)[0].configfile:
        read_file(file)


def complete(config: dict[str, Any], checkout: Path) -> None:
    """Fill a configuration's defaults in, and the home folder for `~`, as a shell does.

    A null where the schema expects something else counts as not given.
    Raises InputError for the first key or value that the schema refuses.
    """
    config.update(_with_home(config))
    error = jsonschema.exceptions.best_match(_WithDefaults(read_file(checkout / SCHEMA)).iter_errors(config))
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
            if "setting" in keys and isinstance(instance.get(name), str):  # YAML 1.1 takes 1e-3 for text
                with suppress(ValueError):
                    instance[name] = fit(instance[name], _hint(keys["setting"]))
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


def _setting(validator: Any, name: str, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """The keyword `setting`: a type of `proformer.settings`, as an option of a verb has it, "or null"."""
    try:
        fit(instance, hint := _hint(name))
    except OverflowError:
        yield jsonschema.ValidationError(f"found {instance!r}, expected a smaller number")
    except ValueError:
        yield jsonschema.ValidationError(f"found {instance!r}, expected {words(hint)}")


def _hint(name: str) -> Any:
    kind, _, null = name.partition(" or ")
    return getattr(settings, kind) | None if null else getattr(settings, kind)


_WithDefaults = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"properties": _fill, "setting": _setting}
)


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
    if rule in ("type", "anyOf"):
        kinds = value if isinstance(value, str) else " or ".join(map(str, value))
        return f"found {found!r}, expected {error.schema.get('description') or kinds}"
    return str(error.message)
