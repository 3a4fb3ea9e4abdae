"""Basenji's TFRecords (ZLIB; Kelley et al. 2018), read without TensorFlow and written as a genome with tracks.

A record is a `tf.train.Example`: `sequence`, a code per base; `target`, float16 [positions, tracks], of bins of
`pool_width` bp between two margins of `crop_bp`, as statistics.json says. All records of a part ("train", "valid",
"test", as the files are called) become one contig, one after the other; the margins are listed as gaps.
"""

import json
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.files import atomic, existing, read_table, write_text
from proformer.sequences import ALPHABET, N

Statistics = Mapping[str, int]


def read_records(path: Path) -> Iterator[dict[str, bytes]]:
    """Yield the features of each record, by name. Raises InputError for a file that is none of TFRecords."""
    try:
        data = zlib.decompress(existing(path).read_bytes())
        at = 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            if at + 16 + length > len(data):
                raise ValueError("cut short")
            yield _features(data[at + 12 : at + 12 + length])
            at += 16 + length  # length, its checksum, the record, its checksum: ZLIB has one of its own
    except (zlib.error, struct.error, ValueError, IndexError) as error:
        raise InputError(f"{path}: found no ZLIB TFRecords of examples ({error}), expected those of Basenji") from None


def _features(data: bytes) -> dict[str, bytes]:
    """Example { Features { entries { name, Feature { BytesList { bytes } } } } }."""
    found = {}
    for _, features in _fields(data):
        for _, entry in _fields(features):
            parts = dict(_fields(entry))
            ((_, listed),) = _fields(parts[2])
            ((_, value),) = _fields(listed)
            found[parts[1].decode()] = value
    return found


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of the fields of a protocol buffer, all of which have a length."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 != 2:
            raise ValueError("a field of another kind")
        size, at = _varint(data, at)
        if at + size > len(data):
            raise ValueError("a field over the end")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def write_genome(files: Sequence[Path], statistics: Path, targets: Path, kind: str, out: Path) -> pd.DataFrame:
    """Write genome.fa, gaps.bed, and a bigWig of each track whose description begins with `kind`: track0.bw, ….

    Returns the tracks (file, identifier, description), which are written as tracks.tsv, too. Values are as stored.
    Raises InputError for records that are not as the statistics say.
    """
    import pyBigWig

    about = _statistics(statistics)
    table = read_table(targets, ["identifier", "description"])
    rows = np.flatnonzero(table["description"].astype(str).str.startswith(kind))
    if not len(rows):
        raise InputError(f"{targets}: found no description that begins with {kind!r}")
    if len(table) != about["num_targets"]:
        raise InputError(f"{targets}: found {len(table)} tracks, expected {about['num_targets']} as in {statistics}")
    parts: dict[str, list[Path]] = {}
    for path in files:
        parts.setdefault(re.sub(r"-\d+$", "", path.stem), []).append(path)
    sequences, values = {}, {}
    for part, paths in parts.items():
        read = [_read(path, record, about) for path in sorted(paths, key=_number) for record in read_records(path)]
        sequences[part] = np.concatenate([codes for codes, _ in read])
        values[part] = np.stack([target[:, rows] for _, target in read])  # [records, positions, tracks]
    letters = np.frombuffer(ALPHABET.encode(), np.uint8)
    write_text(
        out / "genome.fa", "".join(f">{p}\n{letters[codes].tobytes().decode()}\n" for p, codes in sequences.items())
    )
    length, margin, size = about["seq_length"], about["crop_bp"], about["pool_width"]
    gaps = [
        f"{part}\t{start}\t{start + margin}\n"
        for part, own in values.items()
        for first in range(0, len(own) * length, length)
        for start in (first, first + length - margin)
    ]
    write_text(out / "gaps.bed", "".join(gaps))
    for number in range(len(rows)):
        with atomic(out / f"track{number}.bw") as temporary:
            bigwig = pyBigWig.open(str(temporary), "w")
            bigwig.addHeader([(part, len(sequences[part])) for part in sorted(sequences)], maxZooms=5)
            for part in sorted(sequences):
                own = values[part][:, :, number].astype(np.float64)
                places = np.arange(len(own))[:, None] * length + margin + np.arange(own.shape[1]) * size
                starts = places.ravel()
                bigwig.addEntries(
                    np.full(len(starts), part), starts, ends=starts + size, values=own.ravel(), validate=False
                )
            bigwig.close()
    found = table.iloc[rows][["identifier", "description"]].reset_index(drop=True)
    found.insert(0, "file", [f"track{number}.bw" for number in range(len(rows))])
    write_text(out / "tracks.tsv", found.to_csv(sep="\t", index=False))
    return found


def _statistics(path: Path) -> Statistics:
    try:
        about = json.loads(existing(path).read_text(encoding="utf-8"))
        sizes = {
            name: int(about[name]) for name in ("num_targets", "seq_length", "target_length", "pool_width", "crop_bp")
        }
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: found no statistics of TFRecords ({error})") from None
    if sizes["target_length"] * sizes["pool_width"] + 2 * sizes["crop_bp"] != sizes["seq_length"]:
        raise InputError(f"{path}: found bins and margins that do not fill the sequence")
    return sizes


def _read(path: Path, record: Mapping[str, bytes], about: Statistics) -> tuple[np.ndarray, np.ndarray]:
    """Codes uint8 [L] and targets float16 [positions, tracks] of a record."""
    codes = np.frombuffer(record.get("sequence", b""), np.uint8)
    target = np.frombuffer(record.get("target", b""), "<f2")
    if len(codes) != about["seq_length"] or target.size != about["target_length"] * about["num_targets"]:
        raise InputError(f"{path}: found {len(codes)} bases and {target.size} numbers in a record, expected others")
    return np.minimum(codes, N), target.reshape(about["target_length"], about["num_targets"])


def _number(path: Path) -> int:
    return int(re.sub(r".*-", "", path.stem) or 0)
