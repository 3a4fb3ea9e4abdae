"""Checks that the configs of models share."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from proformer.errors import InputError


def whole(config: Any, *names: str, least: int = 1) -> None:
    """Raise InputError unless these keys hold whole numbers (or several of them) of at least `least`."""
    for name in names:
        value = getattr(config, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise InputError(f"model: {name} is {value!r}, expected whole numbers of at least {least}")


def number(config: Any, *names: str, least: float = 0.0, below: float = inf) -> None:
    """Raise InputError unless these keys hold numbers of at least `least`, and less than `below`."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < below:
            top = "" if below == inf else f" and less than {below:g}"
            raise InputError(f"model: {name} is {value!r}, expected a number of at least {least:g}{top}")


def one_of(config: Any, name: str, allowed: Iterable[str]) -> None:
    """Raise InputError unless the key holds one of the allowed values."""
    if getattr(config, name) not in (allowed := tuple(allowed)):
        raise InputError(f"model: {name} is {getattr(config, name)!r}, expected one of {', '.join(allowed)}")


def tuples(config: Any, *names: str) -> None:
    """Turn lists, as configuration files have them, into tuples."""
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, list | tuple):
            raise InputError(f"model: {name} is {value!r}, expected a list")
        object.__setattr__(config, name, tuple(value))


def flanks(config: Any) -> None:
    """Raise InputError unless `flanks` are two strings of A, C, G and T; a list becomes a tuple."""
    tuples(config, "flanks")
    if len(config.flanks) != 2 or not all(isinstance(f, str) and set(f) <= set("ACGT") for f in config.flanks):
        raise InputError(f"model: flanks is {list(config.flanks)!r}, expected two strings of A, C, G and T")
