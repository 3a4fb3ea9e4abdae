"""The encoded store: one safetensors file per split, written in chunks and opened without reading it.

Columns share their first axis: `codes` uint8 [N, L]; `target` float32 (or float16) [N, T, P], T tasks at P positions;
`group` int64 [N], equal for rows that must not be parted (a sequence, its copies, its reverse complement). The header
carries one JSON text, `proformer`: the task, where the data came from and how it was made; and `sha256`, the digests of
that text, checked when a store is opened, and of each column, which `Store.checked` compares.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from proformer.errors import InputError
from proformer.files import atomic, existing
from proformer.tasks import Task

_TYPES = {"U8": np.dtype("u1"), "F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}


class StoreWriter:
    """Append chunks of equal-length columns, then rename the finished file into place.

    The first column streams straight into the file behind a header of fixed size (safetensors allows trailing
    blanks); the others, a few bytes per row, wait in unnamed temporary files beside it. Memory stays flat.
    """

    _HEADER = 1 << 16

    def __init__(self, path: str | Path, meta: dict[str, Any] | None = None) -> None:
        self.path, self.meta, self.rows = Path(path), dict(meta or {}), 0
        self._columns: dict[str, tuple[np.dtype, tuple[int, ...], BinaryIO]] = {}
        self._digests: dict[str, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> StoreWriter:
        self._temporary = self._stack.enter_context(atomic(self.path))
        self._file = self._stack.enter_context(open(self._temporary, "wb"))
        self._file.write(b" " * (8 + self._HEADER))
        return self

    def append(self, **columns: np.ndarray) -> None:
        """Append rows; every call names the same columns, in the same order, with the same types."""
        for name, values in columns.items():
            if name not in self._columns:
                if values.dtype not in _NAMES:
                    raise TypeError(f"column {name}: {values.dtype} cannot be stored")
                spool = self._spool() if self._columns else self._file
                self._columns[name] = (values.dtype, values.shape[1:], spool)
                self._digests[name] = hashlib.sha256()
            dtype, shape, spool = self._columns[name]
            if (values.dtype, values.shape[1:]) != (dtype, shape):
                raise ValueError(f"column {name}: {values.dtype}{values.shape[1:]} after {dtype}{shape}")
            data = np.ascontiguousarray(values).data
            spool.write(data)
            self._digests[name].update(data)
        self.rows += len(next(iter(columns.values())))

    def _spool(self) -> BinaryIO:
        return self._stack.enter_context(tempfile.TemporaryFile(dir=self._temporary.parent))

    def _finish(self) -> None:
        meta = json.dumps(self.meta, sort_keys=True)
        digests = {name: digest.hexdigest() for name, digest in self._digests.items()} | {"": _digest(meta.encode())}
        header: dict[str, Any] = {"__metadata__": {"proformer": meta, "sha256": json.dumps(digests)}}
        offset = 0
        for name, (dtype, shape, spool) in self._columns.items():
            size = self.rows * int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            header[name] = {
                "dtype": _NAMES[dtype],
                "shape": [self.rows, *shape],
                "data_offsets": [offset, offset + size],
            }
            offset += size
            if spool is not self._file:
                spool.seek(0)
                shutil.copyfileobj(spool, self._file, 1 << 22)
        text = json.dumps(header).encode()
        if len(text) > self._HEADER:
            raise ValueError(f"{self.path}: the header needs {len(text)} bytes, {self._HEADER} are there")
        self._file.seek(0)
        self._file.write(self._HEADER.to_bytes(8, "little") + text)

    def __exit__(self, *raised: Any) -> None:
        if raised[0] is not None:
            self._stack.__exit__(*raised)
            return
        with self._stack:
            self._finish()


@dataclass(frozen=True)
class Store:
    """An opened store: `columns` are read-only memory maps, `meta` the JSON text of the header."""

    path: Path
    columns: dict[str, np.ndarray]
    meta: dict[str, Any]
    digests: dict[str, str]

    @property
    def codes(self) -> np.ndarray:
        """Forward strands, padded with N: uint8 [N, L]."""
        return self.columns["codes"]

    @property
    def target(self) -> np.ndarray:
        """Measured values in the units of the source: float [N, T, P]."""
        return self.columns["target"]

    @property
    def task(self) -> Task:
        """What the targets are; with the moments of the training part once the store is split."""
        return Task.read(self.path, self.meta["task"])

    @property
    def facts(self) -> dict[str, Any]:
        """What a model may want to know of the targets: see `proformer.models.resolve`."""
        _, tasks, positions = self.target.shape
        size = self.task.bin
        return {"tasks": tasks} | ({"bin": size, "target": positions * size} if size else {})

    def checked(self) -> Store:
        """This store, once all its columns are read and have their digests: a second per GB, once per process.

        Raises InputError when a byte is another one than was written.
        """
        state = self.path.stat()
        _check_columns(self.path, state.st_mtime_ns, state.st_size)
        return self

    def __len__(self) -> int:
        return len(self.codes)


def open_store(path: str | Path) -> Store:
    """Open a store without reading its rows. Raises InputError if it is not one, cut short, or its header damaged."""
    path = existing(path, "store", "`proformer prepare` makes one")
    try:
        with open(path, "rb") as handle:
            size = int.from_bytes(handle.read(8), "little")
            header = json.loads(handle.read(size) if size < 1 << 24 else b"")
        kept = header.pop("__metadata__")
        meta, digests = json.loads(kept["proformer"]), json.loads(kept.get("sha256", "{}"))
        base = 8 + size
        if os.path.getsize(path) != base + max(entry["data_offsets"][1] for entry in header.values()):
            raise ValueError("size")
        columns = {name: _map(path, base, **entry) for name, entry in header.items()}
        complete = "task" in meta and columns["codes"].ndim == 2 and columns["target"].ndim == 3
        if not complete or "group" not in columns or set(digests) != {"", *columns}:
            raise InputError(f"{path}: a store of another version; `proformer prepare` makes it anew")
        if digests[""] != _digest(kept["proformer"].encode()) or len({len(column) for column in columns.values()}) > 1:
            raise ValueError("header")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path}: not a store, cut short or damaged; `proformer prepare` makes one") from None
    return Store(path, columns, meta, digests)


@cache
def _check_columns(path: Path, modified: int, size: int) -> None:
    store = open_store(path)
    with open(path, "rb") as handle:  # not the map, which would count as this process's memory
        handle.seek(size - sum(column.nbytes for column in store.columns.values()))
        for name, column in store.columns.items():
            digest, left = hashlib.sha256(), column.nbytes
            while left:
                block = handle.read(min(left, 1 << 22)) or b"\0" * left  # cut short meanwhile
                digest.update(block)
                left -= len(block)
            if digest.hexdigest() != store.digests[name]:
                raise InputError(f"{path}: damaged: the column {name} has another digest than when it was written")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _map(path: Path, base: int, dtype: str, shape: list[int], data_offsets: list[int]) -> np.ndarray:
    kind: Any = _TYPES[dtype]
    if min(shape) < 0 or int(np.prod(shape, dtype=object)) * kind.itemsize != data_offsets[1] - data_offsets[0]:
        raise ValueError("shape")
    return np.memmap(path, kind, "r", base + data_offsets[0], tuple(shape)) if shape[0] else np.empty(shape, kind)
