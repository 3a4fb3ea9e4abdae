"""What a publisher says of a file: its digest and size, from Zenodo, from ENA, or from a list of md5 sums."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from proformer.errors import InputError
from proformer.sources.catalogue import Source


@dataclass(frozen=True)
class Expected:
    """What a file is checked against. `digest` and `size` are None where nobody knows; `origin` says who knows."""

    url: str
    algorithm: str = "sha256"
    digest: str | None = None
    size: int | None = None
    origin: str = "none known"


def expectation(source: Source, read: Callable[[str], bytes]) -> Expected:
    """The digest and size of a source, from the catalogue or else from its publisher, and where to download it.

    `read` brings the bytes at an address. PROFORMER_ZENODO_API and PROFORMER_ENA_API, where set, stand in for the
    addresses of the two services. Raises InputError when the publisher's answer does not name the file.
    """
    if source.algorithm:
        return Expected(source.address, source.algorithm, source.digest, source.size, "catalogue")
    if not source.publisher:
        return Expected(source.address, size=source.size)
    kind, *details = source.publisher
    services: dict[str, Callable[..., Expected]] = {"zenodo": _zenodo, "ena": _ena, "md5sums": _md5sums}
    return services[kind](source, read, *details)


def _zenodo(source: Source, read: Callable[[str], bytes], record: str, name: str) -> Expected:
    """https://developers.zenodo.org: `files: [{key, size, checksum: "md5:…", links: {self}}]`."""
    url = f"{os.environ.get('PROFORMER_ZENODO_API', 'https://zenodo.org/api')}/records/{record}"
    try:
        files = {file["key"]: file for file in json.loads(read(url))["files"]}
        if name not in files:
            raise InputError(f"{url}: the record has no file {name!r}; it has {', '.join(sorted(files)) or 'none'}")
        file = files[name]
        algorithm, _, digest = file["checksum"].rpartition(":")
        return _checked(url, file["links"]["self"], algorithm or "md5", digest, int(file["size"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{url}: not the description of a record: {type(error).__name__} {error}") from None


def _ena(source: Source, read: Callable[[str], bytes], run: str, mate: str) -> Expected:
    """The file report of the European Nucleotide Archive; a paired run may list a third file of unpaired reads."""
    api = os.environ.get("PROFORMER_ENA_API", "https://www.ebi.ac.uk/ena/portal/api")
    fields = "run_accession,fastq_ftp,fastq_md5,fastq_bytes"
    url = f"{api}/filereport?accession={run}&result=read_run&fields={fields}&format=tsv"
    header, *lines = read(url).decode("utf-8", "replace").splitlines() or [""]
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=False)) for line in lines]
    row = next((row for row in rows if row.get("run_accession") == run), {})
    columns = (row.get(column, "").split(";") for column in ("fastq_ftp", "fastq_md5", "fastq_bytes"))
    for path, md5, size in zip(*columns, strict=False):
        if path.rsplit("/", 1)[-1] == f"{run}_{mate}.fastq.gz" and size.isdecimal():
            return _checked(url, source.address, "md5", md5, int(size))
    raise InputError(f"{url}: the file report does not list {run}_{mate}.fastq.gz")


def _md5sums(source: Source, read: Callable[[str], bytes], url: str) -> Expected:
    name = source.mirror_path.name
    for line in read(url).decode("utf-8", "replace").splitlines():
        digest, _, path = line.strip().partition(" ")
        if path.strip().lstrip("*").rsplit("/", 1)[-1] == name:
            return _checked(url, source.address, "md5", digest, source.size)
    raise InputError(f"{url}: the list has no line for {name}")


def _checked(origin: str, url: str, algorithm: str, digest: str, size: int | None) -> Expected:
    digits = {"md5": 32, "sha256": 64}.get(algorithm, 0)
    if len(digest) != digits or set(digest.lower()) - set("0123456789abcdef"):
        raise InputError(f"{origin}: found {algorithm}:{digest}, expected an md5 or sha256 digest")
    return Expected(url, algorithm, digest.lower(), size, origin)
