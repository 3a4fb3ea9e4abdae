"""Motifs: matrices float64 [w, 4], the probability of A, C, G and T at each position; MEME files, and JASPAR."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from proformer.errors import InputError
from proformer.files import existing, write_text
from proformer.sequences import ALPHABET

Motifs = Mapping[str, np.ndarray]
JASPAR = re.compile(r"jaspar(20\d\d)/(\w+)")


def known_motifs(known: Path) -> dict[str, np.ndarray]:
    """The motifs of a MEME file, or of a group of JASPAR's CORE, latest versions: `jaspar2024/fungi`.

    Raises InputError as `read_meme` does, for a release or group that JASPAR lacks, and where pyjaspar is missing.
    """
    if not JASPAR.fullmatch(str(known)):
        return read_meme(known)
    release, group = check_jaspar(str(known))
    from pyjaspar import jaspardb

    found = jaspardb(release=release).fetch_motifs(collection="CORE", tax_group=[group])
    if not found:
        raise InputError(f"known: found no motifs in {known}, expected a group such as {release.lower()}/fungi")
    counts = {f"{each.matrix_id} {each.name}": np.array([each.counts[letter] for letter in "ACGT"]).T for each in found}
    return {name: matrix / matrix.sum(axis=1, keepdims=True) for name, matrix in counts.items()}


def check_jaspar(known: str) -> tuple[str, str]:
    """The release and the group of `jaspar2024/fungi`. Raises InputError for another text, and without pyjaspar."""
    try:
        from pyjaspar import jaspar_releases
    except ImportError:
        raise missing("JASPAR") from None
    named = JASPAR.fullmatch(known)
    release = f"JASPAR{named[1]}" if named else ""
    if not named or release not in jaspar_releases:
        releases = ", ".join(jaspar_releases).lower()
        raise InputError(f"known: found {known}, expected a group of one of {releases}, such as jaspar2024/fungi")
    return release, named[2]


def missing(what: str) -> InputError:
    """The error that names the installation of what the extra `explain` brings."""
    return InputError(f"{what}: not installed; `make explain`, or pip install 'proformer[explain]', installs it")


def read_meme(path: Path) -> dict[str, np.ndarray]:
    """The motifs of a file in MEME's minimal format, by their names ("ID NAME" where both are there).

    Raises InputError for a file that is none, a row that is not four probabilities, and a name that comes twice.
    """
    found: dict[str, list[list[float]]] = {}
    rows: list[list[float]] | None = None
    text = existing(path, "MEME file").read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words[:1] == ["MOTIF"]:
            name = " ".join(word for word in words[1:3] if word != "NA")
            if not name or name in found:
                raise InputError(f"{path}, line {number}: found the motif {name!r}, expected a name of its own")
            found[name], rows = [], None
        elif line.startswith("letter-probability matrix") and found:
            rows = found[next(reversed(found))]
        elif rows is not None and words and re.fullmatch(r"[0-9.eE+-]+", words[0]):
            try:
                numbers = [float(word) for word in words]
                if len(numbers) != 4 or not 0.98 < sum(numbers) < 1.02 or min(numbers) < 0:
                    raise ValueError
            except ValueError:
                raise InputError(
                    f"{path}, line {number}: found {line.strip()[:60]!r}, expected 4 probabilities"
                ) from None
            rows.append(numbers)
        elif rows:
            rows = None
    if not found or not all(found.values()):
        raise InputError(f"{path}: found no motifs, expected MEME's format (MOTIF, letter-probability matrix)")
    return {name: np.array(rows) for name, rows in found.items()}


def write_meme(path: Path, motifs: Motifs, sites: Mapping[str, int] | None = None) -> None:
    """Write motifs in MEME's minimal format. sites: how many sequences each is made of."""
    lines = ["MEME version 4", "", "ALPHABET= ACGT", "", "strands: + -", ""]
    for name, matrix in motifs.items():
        number = (sites or {}).get(name, 20)
        lines += [f"MOTIF {name}", f"letter-probability matrix: alength= 4 w= {len(matrix)} nsites= {number}"]
        lines += [" ".join(f"{value:.6f}" for value in row) for row in matrix] + [""]
    write_text(path, "\n".join(lines))


def information(matrix: np.ndarray) -> np.ndarray:
    """Information of each position, in bits: float64 [w]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 + np.where(matrix > 0, matrix * np.log2(matrix), 0).sum(axis=1)


def trimmed(matrix: np.ndarray, least: float = 0.5) -> np.ndarray:
    """A motif without its ends of less than `least` bits; empty when no position has as much."""
    strong = np.flatnonzero(information(matrix) >= least)
    return matrix[strong[0] : strong[-1] + 1] if len(strong) else matrix[:0]


def consensus(matrix: np.ndarray) -> str:
    """The most probable letters, N where none has half of the probability."""
    return "".join(ALPHABET[row.argmax()] if row.max() >= 0.5 else "N" for row in matrix)
