"""Fetch one catalogued file: from the mirror or the network, checked, and in its place only when it is whole."""

import shutil
from dataclasses import replace
from pathlib import Path

from proformer.errors import InputError
from proformer.files import atomic, file_digest
from proformer.sources.catalogue import Source
from proformer.sources.download import Patience, Progress, Unreachable, download, open_partial, read
from proformer.sources.publishers import Expected, expectation


def fetch(
    source: Source,
    out: str | Path,
    *,
    mirror: str | Path | None = None,
    attempts: int = 6,
    timeout: float = 60.0,
    backoff: float = 1.0,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Bring `source` to the path `out` and return its row of the provenance table.

    A file that is already at `out` and verifies is left alone. Else `mirror/<host>/<path>` is copied where it exists,
    and the network is asked where it does not. A download that breaks off leaves `.<name>.part` beside `out`; the next
    call goes on from there. `attempts` failures in a row without a new byte end it; `timeout` is the seconds without
    a byte that count as a failure, `backoff` the first pause in seconds. `progress(bytes, bytes in all or None)` is
    called as bytes come in from the network.

    Keys of the row: name, filename, address, obtained_from (already there, mirror, network), size, algorithm,
    expected (empty when nobody publishes a digest), found, digest_from, licence, citation.

    Raises InputError: no such file, digest or size wrong, server out of reach, disk full.
    """
    out, patience = Path(out), Patience(attempts, timeout, backoff)
    if mirror is not None and not Path(mirror).is_dir():
        raise InputError(f"{mirror}: the mirror is not a folder")
    local = Path(mirror) / source.mirror_path if mirror is not None else None
    at_hand = out.exists() or (local is not None and local.is_file())
    try:  # with a copy at hand it is not worth waiting long for the publisher's word on it
        asking = replace(patience, attempts=min(attempts, 2)) if at_hand else patience
        want = expectation(source, lambda url: read(url, asking))
    except Unreachable as error:
        if not at_hand:
            raise
        want = Expected(source.address, size=source.size, origin=f"not checked: {error}")
    try:
        if out.is_file() and not _fault(out, want):
            obtained_from = "already there"
        elif local is not None and local.is_file():
            obtained_from = "mirror"
            with atomic(out) as temporary:
                shutil.copyfile(local, temporary)
                if fault := _fault(temporary, want):
                    raise InputError(f"{source.name}: {local}: {fault}; the mirror's file is left as it is")
        else:
            obtained_from = "network"
            _download(source, out, want, patience, progress)
    except OSError as error:
        file = error.filename2 or error.filename or out
        raise InputError(f"{source.name}: {file}: {error.strerror or error}") from None
    return {
        "name": source.name,
        "filename": out.name,
        "address": source.address,
        "obtained_from": obtained_from,
        "size": out.stat().st_size,
        "algorithm": want.algorithm,
        "expected": want.digest or "",
        "found": want.digest or file_digest(out, want.algorithm),
        "digest_from": want.origin,
        "licence": source.licence,
        "citation": source.citation,
    }


def _fault(path: Path, want: Expected) -> str | None:
    """What is wrong with a file, in words; None when it is as expected."""
    size = path.stat().st_size
    if want.size is not None and size != want.size:
        return f"{size} bytes, expected {want.size} ({want.origin})"
    if want.digest is None:
        return None
    found = file_digest(path, want.algorithm)
    return None if found == want.digest else f"{want.algorithm} is {found}, expected {want.digest} ({want.origin})"


def _download(source: Source, out: Path, want: Expected, patience: Patience, progress: Progress | None) -> None:
    with open_partial(out) as part:
        download(want, part, patience, progress)
        fault = _fault(part.path, want)
        if fault and part.resumed:  # what an earlier try left may be of another version: once more, from nothing
            part.clear()
            download(want, part, patience, progress)
            fault = _fault(part.path, want)
        if fault:
            part.clear()
            raise InputError(f"{source.name}: {want.url}: {fault}; what was received is removed")
        part.finish(out)
