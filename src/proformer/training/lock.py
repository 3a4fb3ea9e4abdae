"""One process at a time trains a model, also where a job of a killed Snakemake still runs beside its successor."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """Hold a lock file, having waited for a process that holds it; yields whether there was one.

    The kernel (on a shared file system, its server) drops the lock when its process ends, however it ends.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    waited = False
    while True:
        with open(lock, "a") as handle:
            waited |= _hold(handle)
            if not _is(handle, lock):  # removed by its last holder while we waited
                continue
            try:
                yield waited
            finally:
                lock.unlink(missing_ok=True)
            return


def _hold(handle: TextIO) -> bool:
    """Lock a file; returns whether another process had to let go of it first."""
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX leaves it open which
        since = time.monotonic()
        _say(f"another process trains this model: waiting until it lets go of {handle.name}")
        fcntl.lockf(handle, fcntl.LOCK_EX)
        _say(f"it did, after {time.monotonic() - since:.0f} s")
        return True
    except OSError as error:
        _say(f"{handle.name}: no locks on this file system ({error.strerror}): nothing else may train this model now")
    return False


def _is(handle: TextIO, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(handle.fileno()), path.stat())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
