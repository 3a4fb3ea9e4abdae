"""One process at a time trains a model, even if a job of a killed Snakemake still runs when the next one starts."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from proformer.errors import InputError


@contextmanager
def exclusive(lock: Path, owner: str = "") -> Iterator[None]:
    """Hold a lock file, having waited for a process that holds it.

    The kernel (on a shared file system, its server) drops the lock when its process ends, however it ends. `owner`:
    what the lock is held for. Raises InputError when a process holds it for something else.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(lock, "a") as handle:
            _hold(handle, owner)
            if not (lock.exists() and os.path.samestat(os.fstat(handle.fileno()), lock.stat())):
                continue  # removed by its last holder while we waited
            try:
                handle.truncate(0)
                print(owner, end="", file=handle, flush=True)
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _hold(handle: TextIO, owner: str) -> None:
    """Lock a file, once no other process does."""
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX leaves it open which
        if Path(handle.name).read_text() not in ("", owner):
            raise InputError(f"{handle.name}: another configuration trains here; expected another folder") from None
        since = time.monotonic()
        _print(f"another process trains this model: waiting for {handle.name}")
        fcntl.lockf(handle, fcntl.LOCK_EX)
        _print(f"the lock is free after {time.monotonic() - since:.0f} s")
    except OSError as error:
        _print(f"{handle.name}: no locks on this file system ({error.strerror}): nothing else may train this model now")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
