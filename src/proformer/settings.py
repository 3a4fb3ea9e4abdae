"""Settings are dataclasses: keys, types and ranges are checked in one place, wherever they are given.

A dataclass says what a key may hold where the key stands: `epochs: Count = 20`, or
`kernel: Annotated[int, at_least(2)] = 7`; and its docstring what each key means.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import MISSING, dataclass, fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from proformer.errors import InputError

T = TypeVar("T")
MOST = 2**32 - 1  # of whole numbers


@dataclass(frozen=True)
class Limit:
    """What a value must be beyond its type, in words that follow "a number"."""

    holds: Callable[[Any], bool]
    words: str


def at_least(bound: float) -> Limit:
    """Greater or equal."""
    return Limit(lambda value: value >= bound, f"of at least {bound:,}")


def at_most(bound: float) -> Limit:
    """Less or equal."""
    return Limit(lambda value: value <= bound, f"at most {bound:,}")


def above(bound: float) -> Limit:
    """Greater."""
    return Limit(lambda value: value > bound, f"above {bound:,}")


def below(bound: float) -> Limit:
    """Less."""
    return Limit(lambda value: value < bound, f"below {bound:,}")


Count = Annotated[int, at_least(1)]
CountOrZero = Annotated[int, at_least(0)]
Positive = Annotated[float, above(0)]
NotNegative = Annotated[float, at_least(0)]
Share = Annotated[float, at_least(0), at_most(1)]
BelowOne = Annotated[float, at_least(0), below(1)]
# Of options of verbs, and of the configuration, whose schema names these types.
Threads = Annotated[int, at_least(1), at_most(1024)]
Seed = Annotated[int, at_least(0), below(MOST)]  # the last one draws test parts
MAX_LENGTH = 10_000  # nucleotides of a sequence
Length = Annotated[int, at_least(1), at_most(MAX_LENGTH)]
Mismatches = Annotated[int, at_least(0), at_most(10)]
MappingQuality = Annotated[int, at_least(0), at_most(254)]
Medium = Literal["complex", "defined"]
Libraries = Annotated[int, at_least(1), at_most(26)]
Cells = Annotated[int, at_least(1), at_most(100)]
SimulatedGenome = Annotated[int, at_least(60_000)]
SimulatedTests = Annotated[int, at_least(100)]
Benchmark = Annotated[int, at_least(50)]  # rows that are simulated
SimulatedSet = Annotated[int, at_least(3)]


def _is_expression(text: str) -> bool:
    try:
        return bool(re.compile(text))
    except (re.error, RecursionError):
        return False


Expression = Annotated[str, Limit(_is_expression, "a regular expression")]
Flank = Annotated[str, Limit(lambda text: set(text) <= set("ACGT"), "of A, C, G and T")]
Flanks = tuple[Flank, Flank]
Attribution = Literal["ism", "gradient", "smoothgrad", "integrated", "deeplift"]  # methods, see docs/explain.md
Null = Literal["dinucleotide", "mononucleotide", "profile", "none"]  # how backgrounds are made
Nulls = Null | Annotated[tuple[Null, ...], Limit(bool, "of one or more")]
Designer = Literal["greedy", "evolution", "ledidi"]
Goal = Literal["max", "min"] | float  # of designs
Pattern = Annotated[str, Limit(lambda text: {*text} <= set("ACGTN.") and text != "", "of A, C, G, T, N and dots")]
Pair = tuple[Pattern, Pattern]


def read(kind: type[T], keys: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from plain keys. Raises InputError that begins with `where` for a wrong key or value."""
    with within(where):
        if not isinstance(keys, Mapping):
            raise InputError(f"found {keys!r}, expected keys and values")
        hints = hints_of(kind)
        for name in keys:
            if name not in hints:
                raise InputError(f"unknown key {name!r}{did_you_mean(name, hints)}")
        for field in fields(kind):  # type: ignore[arg-type]
            if field.name not in keys and field.default is field.default_factory is MISSING:
                raise InputError(f"the key {field.name!r} is missing")
        return kind(**{name: check(name, value, hints[name]) for name, value in keys.items()})


def check(name: str, value: object, hint: Any) -> Any:
    """The value of a key as its annotation has it. Raises InputError when it does not fit."""
    shown = repr(list(value) if isinstance(value, tuple) else value)[:80]
    try:
        return fit(value, hint)
    except OverflowError:
        raise InputError(f"{name} is {shown}, expected a smaller number") from None
    except ValueError:
        raise InputError(f"{name} is {shown}, expected {words(hint)}") from None


def fit(value: Any, hint: Any) -> Any:
    """A value as its annotation has it: lists become tuples, integers floats. Raises ValueError or OverflowError."""
    kind, args = get_origin(hint) or hint, get_args(hint)
    if kind is Annotated:
        value = fit(value, args[0])
        if not all(limit.holds(value) for limit in args[1:]):
            raise ValueError
        return value
    if kind in (Union, UnionType):
        for choice in args:
            with suppress(ValueError):
                return fit(value, choice)
    elif kind is Literal:
        if value in args:
            return value
    elif kind is tuple:
        if isinstance(value, list | tuple):
            return tuple(map(fit, value, _elements(args, len(value))))
    elif kind is int:
        if isinstance(value, Integral) and not isinstance(value, bool):
            if abs(int(value)) > MOST:
                raise OverflowError
            return int(value)
    elif kind is float:
        # YAML 1.1 takes 1e-3 for text.
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+", value):
            value = float(value)
        if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif kind is Any or (isinstance(kind, type) and isinstance(value, kind)):
        return value
    raise ValueError


def _elements(args: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    """The annotation of each element of a tuple."""
    if args[1:] == (...,):
        return args[:1] * number
    if len(args) != number:
        raise ValueError
    return args


_NOUNS = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "values true or false"),
    NoneType: ("null", "null"),
    dict: ("keys and values", "keys and values"),
}


def words(hint: Any, many: bool = False) -> str:
    """What an annotation allows, in words."""
    kind, args = get_origin(hint) or hint, get_args(hint)
    if kind is Annotated:
        return f"{words(args[0], many)} {' and '.join(limit.words for limit in args[1:])}"
    if kind in (Union, UnionType):
        # Names of several lists are one list.
        names = [name for choice in args if get_origin(choice) is Literal for name in get_args(choice)]
        others = [words(choice, many) for choice in args if get_origin(choice) is not Literal]
        return " or ".join([f"one of {', '.join(names)}"] * bool(names) + others)
    if kind is Literal:
        return f"one of {', '.join(map(str, args))}"
    if kind is tuple:
        number = "" if args[1:] == (...,) else f"{len(args)} "
        return f"a list of {number}{words(args[0], many=True)}"
    return _NOUNS[kind][many] if kind in _NOUNS else str(getattr(kind, "__name__", kind))


def hints_of(kind: type) -> dict[str, Any]:
    """The annotation of every key of a dataclass, in order."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


def meanings(kind: type) -> dict[str, str]:
    """What each key of a dataclass means: the sentences `name: …` or `name, name: …` of its docstrings."""
    text = " ".join(" ".join((base.__doc__ or "").split()) for base in reversed(kind.__mro__) if base is not object)
    name = f"`?(?:{'|'.join(hints_of(kind))})`?"
    pieces = re.split(rf"(?:^|(?<=[.)] ))({name}(?:, {name})*): ", text)
    found = zip(pieces[1::2], pieces[2::2], strict=True)
    return {key.strip("`"): what.strip() for keys, what in found for key in keys.split(", ")}


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a message about a name that is not known."""
    known = list(known)
    close = difflib.get_close_matches(str(name), known, 1)
    if close or len(known) > 30:
        return f"; did you mean {close[0]!r}?" if close else ""
    return f"; known: {', '.join(known) or 'none'}"


@contextmanager
def within(where: str) -> Iterator[None]:
    """Put a place in front of the message of an InputError."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
