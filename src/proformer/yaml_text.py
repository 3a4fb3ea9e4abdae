"""YAML that people write: no key twice in one mapping, and no aliases that unfold to more than fits in memory."""

from pathlib import Path
from typing import Any

import yaml

from proformer.errors import InputError

MOST_VALUES = 1_000_000  # aliases unfolded
DEEPEST = 100


def read_yaml(text: str | bytes, where: str | Path) -> tuple[Any, yaml.Node | None]:
    """The data of one YAML document, and the node that they were made of, which knows their lines.

    Raises InputError naming `where`, with the line: not YAML, not UTF-8, a key twice, too many values, too deep.
    """
    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = decoded(text, where) if isinstance(text, bytes) else text
    try:
        depth = 0
        for event in yaml.parse(text, kind):  # before they are nested: libyaml's own recursion ends in a crash
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise RecursionError
        loader = kind(text)
        root = loader.get_single_node()
        if root is None:
            return None, None
        if _count(root, {}, where) > MOST_VALUES:
            raise InputError(f"{where}: found more than {MOST_VALUES:,} values, aliases unfolded; expected fewer")
        return loader.construct_document(root), root
    except RecursionError:
        raise InputError(f"{where}: nested too deeply, or within itself") from None
    except (ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{where}{line}: not valid YAML: {' '.join(what.split())}") from None


def decoded(data: bytes, where: str | Path) -> str:
    """Text from UTF-8. Raises InputError naming `where` and the line of the first byte that is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where}:{line}: found the byte {data[error.start]:#04x}, expected UTF-8 text") from None


def _count(node: yaml.Node, known: dict[int, int], where: str | Path) -> int:
    """Values of a node, those of an alias wherever it stands; refuses keys that stand twice (YAML keeps the last)."""
    if id(node) in known or not isinstance(node, yaml.CollectionNode):
        return known.get(id(node), 1)
    children = node.value
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in keys and key.value != "<<":
                raise InputError(f"{where}:{key.start_mark.line + 1}: {key.value!r} stands here a second time")
            keys.add(str(key.value))
        children = [value for _, value in node.value]
    known[id(node)] = 1 + sum(_count(child, known, where) for child in children)
    return known[id(node)]
