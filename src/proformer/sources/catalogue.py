"""The catalogue of sources: strict, and cheap to read where a workflow is parsed: no requests, no numpy."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from proformer.errors import InputError
from proformer.files import existing
from proformer.yaml_text import read_yaml

CATALOGUE = Path(__file__).with_name("catalogue.yaml")

_TEXT = r"\S.*"
_ADDRESS = r"https?://[^/\s?#]+/[^\s?#]*[^\s?#/](\?[^\s#]*)?"
_PATH = r"[\w.+-]+(/[\w.+-]+)*"
_FILENAME = r"[\w+][\w.+-]*"
_RULES: dict[str, Any] = {
    "title": _TEXT,
    "licence": _TEXT,
    "citation": _TEXT,
    "note": _TEXT,
    "filename": _FILENAME,
    "size": r"[1-9]\d*",
    "rows": r"[1-9]\d*",
    "sha256": r"[0-9a-f]{64}",
    "md5": r"[0-9a-f]{32}",
    "git_blob": r"[0-9a-f]{40}",
    "md5sums": _ADDRESS,
    "address": _ADDRESS,
    "github": {"repository": r"[\w.-]+/[\w.-]+", "commit": r"[0-9a-f]{40}", "path": _PATH},
    "zenodo": {"record": r"[1-9]\d*", "file": _FILENAME},
    "ena": {"run": r"[EDS]RR\d{6,9}", "mate": r"[12]"},
}
_TYPES = {"size": int, "rows": int, "record": int, "mate": int}
_REQUIRED = ("title", "licence", "citation")
_LOCATIONS = ("address", "github", "zenodo", "ena")
DIGESTS = ("sha256", "md5", "git_blob")


@dataclass(frozen=True)
class Source:
    """One published file.

    `algorithm` (one of `DIGESTS`) and `digest` are what the catalogue itself knows. Where it knows none, `publisher`
    may say whom to ask when the file is fetched: `("zenodo", record, file)`, `("ena", run, mate)` or
    `("md5sums", address)`. `size` is in bytes, `rows` are those of a sequence file.
    """

    name: str
    address: str
    title: str = ""
    licence: str = ""
    citation: str = ""
    algorithm: str | None = None
    digest: str | None = None
    publisher: tuple[str, ...] = ()
    size: int | None = None
    filename: str = ""
    note: str = ""
    rows: int | None = None

    def __post_init__(self) -> None:
        if not self.filename:
            object.__setattr__(self, "filename", self.mirror_path.name)

    @property
    def mirror_path(self) -> Path:
        """The place of the file in a mirror folder: `<host>/<path>`, as `wget -x` would lay it out."""
        parts = urlsplit(self.address)
        return Path(parts.netloc, *unquote(parts.path).strip("/").split("/"))


def load_catalogue(*extra_paths: str | Path) -> dict[str, Source]:
    """Read the catalogue of this package and any further ones; a later entry replaces an earlier one of its name.

    Raises InputError, with file and line, at the first thing that is not as the head of catalogue.yaml describes.
    """
    return {name: source for path in (CATALOGUE, *extra_paths) for name, source in _read(Path(path)).items()}


def lookup(catalogue: Mapping[str, Source], name: str) -> Source:
    """The source of that name; InputError with the closest names when there is none."""
    if name in catalogue:
        return catalogue[name]
    close = difflib.get_close_matches(name, catalogue, n=3)
    hint = f"did you mean {', '.join(close)}?" if close else "`proformer fetch --list` prints the catalogue"
    raise InputError(f"{name!r} is not in the catalogue; {hint}")


def _read(path: Path) -> dict[str, Source]:
    data, root = read_yaml(existing(path).read_bytes(), path)
    if (
        not isinstance(data, dict)
        or not data.keys() <= {"common", "sources"}
        or not isinstance(data.get("sources"), dict)
    ):
        raise InputError(f"{path}: expected a mapping `sources`, and at most `common` beside it")
    nodes = next(value for key, value in root.value if key.value == "sources").value  # type: ignore[union-attr]
    where = {key.value: f"{path}:{key.start_mark.line + 1}: {key.value}" for key, _ in nodes}
    return {name: _source(name, entry, where.get(name, str(path))) for name, entry in data["sources"].items()}


def _source(name: Any, entry: Any, where: str) -> Source:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(name)):
        raise InputError(f"{where}: a name is made of lower-case letters, digits and single hyphens")
    _check(entry, _RULES, where)
    missing = [key for key in _REQUIRED if key not in entry]
    locations = [key for key in _LOCATIONS if key in entry]
    digests = [key for key in (*DIGESTS, "md5sums") if key in entry]
    if missing:
        raise InputError(f"{where}: {', '.join(missing)} missing")
    if len(locations) != 1:
        found = " and ".join(locations) or "none"
        raise InputError(f"{where}: found {found}, expected exactly one of {', '.join(_LOCATIONS)}")
    if len(digests) > 1:
        raise InputError(f"{where}: found {' and '.join(digests)}, expected at most one")
    known = next((key for key in digests if key in DIGESTS), None)
    source = Source(
        name=name,
        address=_address(locations[0], entry[locations[0]]),
        algorithm=known,
        digest=str(entry[known]) if known else None,
        publisher=() if known else _publisher(entry),
        size=entry.get("size"),
        rows=entry.get("rows"),
        **{key: entry.get(key, "") for key in ("title", "licence", "citation", "filename", "note")},
    )
    if ".." in source.mirror_path.parts:
        raise InputError(f"{where}: found `..` in {source.address}")
    return source


def _check(entry: Any, rules: Mapping[str, Any], where: str) -> None:
    """Strict: every key known, every value of the right form."""
    if not isinstance(entry, dict):
        raise InputError(f"{where}: found {entry!r}, expected a mapping")
    for key, value in entry.items():
        rule = rules.get(key)
        if rule is None:
            raise InputError(f"{where}: unknown key {key!r}, expected one of {', '.join(rules)}")
        if isinstance(rule, dict):
            _check(value, rule, f"{where}: {key}")
            if value.keys() != rule.keys():
                raise InputError(f"{where}: {key}: {', '.join(rule.keys() - value.keys())} missing")
        elif type(value) is not _TYPES.get(key, str) or not re.fullmatch(rule, str(value)):
            raise InputError(f"{where}: {key}: found {value!r}, expected the form {rule}")


def _address(kind: str, value: Any) -> str:
    if kind == "github":
        return f"https://raw.githubusercontent.com/{value['repository']}/{value['commit']}/{value['path']}"
    if kind == "zenodo":
        return f"https://zenodo.org/records/{value['record']}/files/{value['file']}"
    if kind == "ena":
        # The archive keeps long accessions one folder deeper: SRR12345678 lies in SRR123/078/SRR12345678.
        run, mate = value["run"], value["mate"]
        folder = "/".join(filter(None, (run[:6], run[9:].rjust(3, "0") if len(run) > 9 else "", run)))
        return f"https://ftp.sra.ebi.ac.uk/vol1/fastq/{folder}/{run}_{mate}.fastq.gz"
    return value


def _publisher(entry: Mapping[str, Any]) -> tuple[str, ...]:
    for kind in ("zenodo", "ena"):
        if kind in entry:
            return (kind, *map(str, (entry[kind][key] for key in _RULES[kind])))
    return ("md5sums", entry["md5sums"]) if "md5sums" in entry else ()
