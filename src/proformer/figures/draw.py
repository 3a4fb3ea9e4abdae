"""Figures from their recipes: tables in, pictures, the numbers that are drawn and the caption out."""

import importlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from proformer.errors import InputError
from proformer.figures import style
from proformer.files import read_table, write_text

KEYS = ("draw", "tables", "where", "options", "caption")


def draw_figure(name: str, recipe: Mapping[str, Any], tables: Path, out: Path) -> None:
    """Write OUT/NAME.pdf, .svg, .png, .tsv (the numbers that are drawn) and .rst (the caption).

    recipe: `draw`, MODULE or MODULE.FUNCTION of this package, called with the `tables` (TSV, or JSON), whose paths are
    below `tables`, and with `options`. `where`: column → value or values of the rows of the first table to draw.
    Raises InputError, with figure and tables, for what cannot be drawn.
    """
    if unknown := sorted(recipe.keys() - {*KEYS}):
        raise InputError(f"{name}: unknown key {unknown[0]!r}; known: {', '.join(KEYS)}")
    paths = [tables / table for table in recipe.get("tables", ())]
    function, options = _function(name, recipe.get("draw", "")), recipe.get("options", {})
    try:
        read = [_read(path) for path in paths]
        read[:1] = [_rows(table, recipe.get("where", {})) for table in read[:1]]
        try:
            inspect.signature(function).bind(*read, **options)
        except TypeError as error:
            given = f"found {len(read)} table(s) and the options {', '.join(options) or 'none'}"
            raise InputError(f"{given}, expected what {function.__name__} takes: {error}") from None
        figure, drawn = function(*read, **options)
    except InputError as error:
        raise InputError(f"{name}, from {', '.join(map(str, paths)) or 'no table'}: {error}") from None
    style.save(figure, str(out / name), drawn)
    write_text(out / f"{name}.rst", recipe.get("caption", name) + "\n")


def _function(name: str, text: str) -> Any:
    module, _, function = text.partition(".")
    try:
        return getattr(importlib.import_module(f"{__package__}.{module}"), function or "draw")
    except (ModuleNotFoundError, AttributeError):
        raise InputError(f"{name}: draw: found {text!r}, expected MODULE or MODULE.FUNCTION") from None


def _read(path: Path) -> Any:
    if path.suffix != ".json":
        return read_table(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path}{where}: found {error}, expected JSON") from None


def _rows(table: Any, conditions: Mapping[str, Any]) -> Any:
    """Keep the rows that fulfil every condition."""
    if not isinstance(table, pd.DataFrame):
        return table
    for column, values in conditions.items():
        if column not in table:
            raise InputError(f"found no column {column!r}, expected one of {', '.join(table)}")
        wanted = [str(value) for value in (values if isinstance(values, list) else [values])]
        table = table[table[column].astype(str).isin(wanted)]
    if table.empty:
        raise InputError(f"found no rows{f' with {dict(conditions)}' if conditions else ''}, expected some")
    return table
