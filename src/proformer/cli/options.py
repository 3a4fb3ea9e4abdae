"""The options of a verb, read off the signature of its function.

A parameter `threads: Annotated[Threads | None, "CPU threads"] = None` is the option --threads: checked as a key of the
configuration with this annotation would be, required without a default, and with the help that the annotation holds.
"""

import argparse
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from inspect import Parameter, cleandoc, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from proformer import settings
from proformer.errors import InputError, printable
from proformer.files import existing
from proformer.settings import Threads, did_you_mean, fit, words

if TYPE_CHECKING:
    from proformer.predict import Predictor

Device = Annotated[Literal["auto", "cpu", "cuda"], "where to compute; auto: on a GPU when there is one"]
CpuThreads = Annotated[Threads | None, "CPU threads (default: as many as the process may use)"]
Medium = Annotated[settings.Medium | None, "refuse a table of another"]
Known = Annotated[Path | None, "known motifs: a MEME file, or JASPAR's, such as jaspar2024/fungi (make explain)"]
DREAM_FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")


@dataclass(frozen=True)
class WithoutValue:
    """What an option means that is given without a value."""

    value: Any


class Parser(argparse.ArgumentParser):
    """Errors are one line, and name the option that was meant."""

    def __init__(self, prog: str, description: str = "", epilog: str = "", **more: Any) -> None:
        more = {"formatter_class": argparse.RawDescriptionHelpFormatter} | more
        super().__init__(prog, description=description, epilog=epilog, **more)

    def error(self, message: str) -> NoReturn:
        """Print it and leave."""
        if unknown := re.match(r"unrecognized arguments: (-\S+)", message):
            message = f"no option {unknown[1]}{did_you_mean(unknown[1], self._option_string_actions)}"
        self.exit(2, f"{self.prog}: error: {printable(InputError(message))}\n")


def read_words(
    verb: str, function: Callable[..., object], words: list[str]
) -> tuple[dict[str, Any], Callable[[], object]]:
    """The arguments of a verb's function, from the words of the command line, and what calls it with them.

    `--help` prints the function's docstring. Parameters that are not keyword-only are words without an option.
    """
    parser = Parser(f"proformer {verb}", **_texts(function))
    functions = {"": function}
    if steps := getattr(import_module(function.__module__), "STEPS", ()):  # a verb of several steps
        functions = {step: getattr(import_module(f"proformer.{verb}.steps"), step) for step in steps}
        parsers = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    for step, each in functions.items():
        texts: dict[str, Any] = _texts(each)
        to = parsers.add_parser(step, help=texts["description"], **texts) if step else parser
        hints = get_type_hints(each, include_extras=True)
        for name, parameter in signature(each).parameters.items():
            _add(to, name, parameter, hints[name])
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    if twice := [option for option in options if options.count(option) > 1]:
        parser.error(f"argument {twice[0]}: found it twice, expected it once")
    given = vars(parser.parse_args(words))
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if name != "step"}
    return given, partial(functions[given.get("step", "")], **values)


def _texts(function: Callable[..., object]) -> dict[str, str]:
    summary, _, text = cleandoc(function.__doc__ or "").partition("\n\n")
    return {"description": summary, "epilog": text}


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
        element, more["nargs"] = _several(kind, required and parameter.kind is Parameter.KEYWORD_ONLY)
        more |= {"type": _reader(element), "metavar": _metavar(element)}
        more |= {} if required else {"default": default}
        if without := next((note for note in notes if isinstance(note, WithoutValue)), None):
            more |= {"nargs": "?", "const": without.value}
    if parameter.kind is not Parameter.KEYWORD_ONLY:
        parser.add_argument(name, **more)
    else:
        option = name.rstrip("_").replace("_", "-")
        parser.add_argument(f"--{option}", dest=name, required=required, **more)


def _several(kind: Any, required: bool) -> tuple[Any, int | str | None]:
    """The annotation of one value, and how many an option takes, as argparse has it."""
    for choice in (kind, *get_args(kind)):
        if get_origin(choice) is tuple:
            first, *_, last = elements = get_args(choice)
            return first, len(elements) if last is not ... else "+" if required or kind is not choice else "*"
    return kind, None


def _reader(hint: Any) -> Callable[[str], Any]:
    """A function from the text of an option to a value of this annotation."""
    if hint == str | Path:  # YAML text begins with a brace
        return lambda text: text if text.lstrip().startswith("{") else Path(text)
    if _is_path(plain := _plain_type(hint)):
        return plain  # a `Path`, or one that is written

    def read(text: str) -> Any:
        for kind in (int, float, str) if text.isascii() and "_" not in text else (str,):
            with suppress(ValueError, OverflowError):
                return fit(kind(text), hint)
        raise argparse.ArgumentTypeError(f"found {text!r}, expected {words(hint).removesuffix(' or null')}")

    return read


def _plain_type(hint: Any) -> Any:
    """The type of a value whatever its limits, and whether or not it may be left out."""
    while get_args(hint) and get_origin(hint) is not Literal:
        hint = get_args(hint)[0]
    return hint


def _is_path(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Path)


def _metavar(hint: Any) -> str:
    """What help calls the value of an option."""
    kind = _plain_type(hint)
    if get_origin(kind) is Literal:
        return "{" + ",".join(get_args(kind)) + "}"
    return "PATH" if _is_path(kind) else {int: "N", float: "X"}.get(kind, "TEXT")


def load_model(folder: Path, device: str, threads: int | None) -> "Predictor":
    """A trained model, ready to predict on a device and so many CPU threads."""
    from proformer.predict import load
    from proformer.training.device import choose_device, set_up

    set_up(choose_device(device), threads, None)
    return load(folder, device)


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


def read_yaml(settings: str | Path, option: str) -> dict[str, Any]:
    """Settings from YAML text, or from a YAML file. Raises InputError for anything but keys and values."""
    from proformer import yaml_text  # here, as most verbs read no YAML

    text: str | bytes = existing(settings).read_bytes() if isinstance(settings, Path) else settings
    where = str(settings) if isinstance(settings, Path) else option
    found, _ = yaml_text.read_yaml(text, where)
    if not isinstance(found, dict):
        raise InputError(f"{where}: found {str(found)[:80]!r}, expected keys and values")
    return found
