"""Checkpoints: they appear whole, belong to one configuration and are safe to load."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from proformer.errors import InputError
from proformer.files import atomic

FORMAT = 4  # of what a checkpoint holds; up to 3, parts of some models had other names


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint; the previous one stays in place until the new one is complete.

    Raises InputError when it cannot be written, as on a full disk.
    """
    try:
        with atomic(path) as temporary, open(temporary, "wb") as handle:
            torch.save({"format": FORMAT} | state, handle)
    except (OSError, RuntimeError) as error:  # torch wraps the system's error
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        kept = "the one before is whole" if path.exists() else "there is none before it"
        raise InputError(f"{path}: checkpoint not written ({reason}); {kept}") from None


def load(path: Path, run: str) -> dict[str, Any] | None:
    """Read the checkpoint of the run with this digest; None if there is none.

    Raises InputError if it belongs to another configuration or data set, or cannot be read.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as content:  # torch.load compares no checksums
            if damaged := content.testzip():
                raise ValueError(damaged)
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["run"]
    except Exception as error:
        raise InputError(f"{path}: unreadable ({type(error).__name__}); remove it to start again") from None
    if state.get("format") != FORMAT:
        raise InputError(f"{path}: checkpoint of another version of proformer; remove it to start again")
    if found != run:
        raise InputError(
            f"{path}: checkpoint of another configuration or data set (run {found}, expected {run}); "
            "finish that run with its own settings, or remove the file to start again"
        )
    return state
