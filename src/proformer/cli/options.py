"""The options of a verb, read off the signature of its function.

A parameter `threads: Annotated[Threads | None, "CPU threads"] = None` is the option --threads: checked as a key of the
configuration with this annotation would be, required without a default, and with the help that the annotation holds.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, cleandoc, signature
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from proformer.errors import InputError
from proformer.files import existing
from proformer.settings import Threads, did_you_mean, fit, words

Device = Annotated[Literal["auto", "cpu", "cuda"], "where to compute; auto: on a GPU when there is one"]
CpuThreads = Annotated[Threads | None, "CPU threads (default: as many as the process may use)"]
Medium = Annotated[str | None, "complex or defined: refuse a table of another"]
DREAM_FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")


@dataclass(frozen=True)
class WithoutValue:
    """What an option means that is given without a value."""

    value: Any


class NothingToRun(Exception):
    """There is nothing to run; `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Parser(argparse.ArgumentParser):
    """Errors are one line, and name the option that was meant."""

    def __init__(self, prog: str, description: str = "", epilog: str = "", **more: Any) -> None:
        more = {"formatter_class": argparse.RawDescriptionHelpFormatter} | more
        super().__init__(prog, description=description, epilog=epilog, **more)

    def error(self, message: str) -> NoReturn:
        """Print it and leave."""
        if unknown := re.match(r"unrecognized arguments: (-\S+)", message):
            message = f"no option {unknown[1]}{did_you_mean(unknown[1], self._option_string_actions)}"
        self.exit(2, f"{self.prog}: error: {message}\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Stop reading: with help, or with an error."""
        print(message or "", end="", file=sys.stderr)
        raise NothingToRun(status)


class _Tuple(argparse.Action):
    """Several values as a tuple."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: object = None) -> None:
        setattr(namespace, self.dest, tuple(values))


def read_words(
    verb: str, function: Callable[..., object], words: list[str]
) -> tuple[dict[str, Any], Callable[[], object]]:
    """The arguments of a verb's function, from the words of the command line, and what calls it with them.

    `--help` prints the function's docstring. Positional-only parameters are words without an option.
    """
    summary, _, text = cleandoc(function.__doc__ or "").partition("\n\n")
    module = import_module(function.__module__)
    if hasattr(module, "add_arguments"):  # a verb of several steps
        parser = Parser(f"proformer {verb}", summary, module.EXAMPLES)
        module.add_arguments(parser)
        args = parser.parse_args(words)
        return vars(args), lambda: function(args)
    parser = Parser(f"proformer {verb}", summary, text)
    hints, parameters = get_type_hints(function, include_extras=True), signature(function).parameters
    for name, parameter in parameters.items():
        _add(parser, name, parameter, hints[name])
    given = vars(parser.parse_args(words))
    first = [name for name, parameter in parameters.items() if parameter.kind is Parameter.POSITIONAL_ONLY]
    rest = {name: value for name, value in given.items() if name not in first}
    return given, lambda: function(*(given[name] for name in first), **rest)


def _add(parser: Parser, name: str, parameter: Parameter, hint: Any) -> None:
    kind, *notes = get_args(hint)
    default = parameter.default
    required = default is Parameter.empty
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    text = next(note for note in notes if isinstance(note, str))
    text += f" (default: {shown})" if not required and shown not in (None, False, "", " ") else ""
    more: dict[str, Any] = {"help": text.replace("%", "%%")}
    if limits := [note for note in notes if not isinstance(note, str | WithoutValue)]:
        kind = Annotated[kind, *limits]  # type: ignore[valid-type]
    if kind is bool:
        more["action"] = "store_true"
    else:
        element, more["nargs"] = _several(kind, required and parameter.kind is not Parameter.POSITIONAL_ONLY)
        if get_origin(kind) is tuple:
            more["action"] = _Tuple
        more |= {"type": _reader(element), "metavar": _metavar(element)}
        more |= {} if required else {"default": default}
        if without := next((note for note in notes if isinstance(note, WithoutValue)), None):
            more |= {"nargs": "?", "const": without.value}
    if parameter.kind is Parameter.POSITIONAL_ONLY:
        parser.add_argument(name, **more)
    else:
        option = name.rstrip("_").replace("_", "-")
        parser.add_argument(f"--{option}", dest=name, required=required, **more)


def _several(kind: Any, required: bool) -> tuple[Any, int | str | None]:
    """The annotation of one value, and how many an option takes, as argparse has it."""
    for choice in (kind, *get_args(kind)):
        if (several := get_origin(choice)) in (list, tuple):
            elements = get_args(choice)
            fixed = several is tuple and elements[-1] is not ...
            return elements[0], len(elements) if fixed else "+" if required or kind is not choice else "*"
    return kind, None


def _reader(hint: Any) -> Callable[[str], Any]:
    """A function from the text of an option to a value of this annotation."""
    if (path := _path_type(hint)) is not None:
        return path

    def read(text: str) -> Any:
        plain = text.isascii() and "_" not in text
        for kind in (int, float, Path, str) if plain else (Path, str):
            with suppress(ValueError, OverflowError):
                return fit(kind(text), hint)
        raise argparse.ArgumentTypeError(f"found {text!r}, expected {words(hint).removesuffix(' or null')}")

    return read


def _path_type(hint: Any) -> Any:
    """The kind of path that an annotation asks for: `Path`, or one that is written."""
    kinds = (kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and issubclass(kind, Path))
    return next(kinds, None)


def _metavar(hint: Any) -> str:
    """What help calls the value of an option."""
    if get_origin(hint) is Literal:
        return "{" + ",".join(get_args(hint)) + "}"
    if get_args(hint):
        return _metavar(get_args(hint)[0])
    return "PATH" if _path_type(hint) else {int: "N", float: "X"}.get(hint, "TEXT")


def one_of(required: bool = False, **options: object) -> None:
    """Refuse more than one of some options, or none where one is required."""
    given = [f"--{name}" for name, value in options.items() if value not in (None, False)]
    if len(given) > 1 or (required and not given):
        found = " and ".join(given) or "none"
        raise InputError(f"found {found}, expected one of {', '.join(f'--{name}' for name in options)}")


def named(texts: Iterable[str]) -> list[tuple[str, str]]:
    """NAME=VALUE as pairs. Names have no "=", the values, which are files, may."""
    pairs = [(text, *text.partition("=")) for text in texts]
    for text, name, equals, value in pairs:
        if not (name and equals and value):
            raise InputError(f"found {text!r}, expected NAME=VALUE")
    return [(name, value) for _, name, _, value in pairs]


def read_yaml(text: str, option: str) -> dict[str, Any]:
    """Settings from YAML text that begins with a brace, or from a YAML file. Raises InputError for anything else."""
    from proformer import yaml_text  # here, as most verbs read no YAML

    content: str | bytes = text
    if not text.lstrip().startswith("{"):
        option, content = text, existing(Path(text)).read_bytes()
    found, _ = yaml_text.read_yaml(content, option)
    if not isinstance(found, dict):
        raise InputError(f"{option}: found {str(found)[:80]!r}, expected keys and values")
    return found


def in_columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text, the first a heading, in aligned columns; numbers to the right."""
    columns = []
    for column in zip(*rows, strict=True):
        width, numbers = max(map(len, column)), all(cell[:1].isdigit() or cell == "?" for cell in column[1:])
        columns.append([cell.rjust(width) if numbers else cell.ljust(width) for cell in column])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))
