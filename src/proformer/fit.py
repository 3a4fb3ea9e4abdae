"""Training from Python: arrays or a file in, a model that predicts out."""

import hashlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from proformer.datasets.parts import split
from proformer.datasets.prepare import Layout, append, longest, prepare
from proformer.datasets.rows import rows_of_codes, rows_of_strings
from proformer.datasets.store import StoreWriter
from proformer.errors import InputError
from proformer.predict import Predictor, load
from proformer.sequences import MAX_LENGTH
from proformer.settings import Share, check, read
from proformer.tasks import Task

Arrays = tuple[Iterable[str] | np.ndarray, Any]


def train(
    data: str | Path | Arrays,
    model: str | Mapping[str, Any] = "proformer",
    *,
    recipe: str | None = None,
    training: Mapping[str, Any] | None = None,
    validation: float | Arrays = 0.1,
    tasks: Sequence[str] = (),
    task: Task | None = None,
    flanks: Sequence[str] = ("", ""),
    near: int = 3,
    seed: int = 1,
    out: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Predictor:
    """Train a model and return it, ready to predict. A bar shows the progress.

    data: (sequences, targets), or a file as `proformer prepare` takes it. Sequences are strings, of any lengths, or
    codes uint8 [N, L] without flanks; shorter ones are padded with N to the longest. Targets are [N], [N, T] or
    [N, T, P].
    model: its name, or its settings, {"model": name, "dim": 64, …}; `proformer models` lists them.
    recipe: published settings of the model (None: its first). training: settings of `proformer.training.config`.
    validation: share of the sequences that choose the best epoch, drawn so that copies and reverse complements stay
    together; or (sequences, targets). near: so do sequences that differ in at most so many positions.
    tasks: names of the T tasks. task: all about them, where they are more than numbers to be standardised.
    flanks: constant ends of the strings, cut off.
    seed: of the draw of the validation part; that of the training is training: seed.
    out: folder for the model; the same call again goes on where it was stopped. None: it lives in memory.
    device, threads: "cpu", "cuda" or "auto"; CPU threads (None: all).

    Raises InputError for an impossible setting, and for the first sequence or target that is wrong.
    """
    from proformer.training.run import train as run

    named = model if isinstance(model, str) else dict(model)
    config = {"model": named, "training": dict(training or {}), "recipe": recipe}
    with tempfile.TemporaryDirectory(prefix="proformer-") as name:
        folder = Path(name)
        target = folder / "model" if out is None else Path(out)
        stores = [folder / f"{part}.safetensors" for part in ("all", "train", "validation")]
        layout = read(Layout, {"flanks": list(flanks)}, "layout")
        held_out = validation if isinstance(validation, tuple) else None
        share = 0.0 if held_out else check("validation", validation, Share)
        if isinstance(data, tuple):
            sizes = _write(stores[0], [data, held_out] if held_out else [data], layout, tasks, task)
        elif held_out:
            raise InputError("validation: found arrays beside a file, expected a share of its rows")
        else:
            layout = replace(layout, length=longest([Path(data)], layout, targets=tasks))
            prepare(data, stores[0], layout, targets=tasks)
        if held_out:
            np.savetxt(folder / "parts.txt", np.repeat([0, 1], sizes), fmt="%d")
            split(stores[0], stores[1:], file=folder / "parts.txt")
        else:
            split(stores[0], stores[1:], (1 - share, share), seed, near=near)
        run(config, stores[1], stores[2], target, target / "checkpoint.pt", device=device, threads=threads)
        return load(target, device)


def _write(out: Path, parts: Sequence[Arrays], layout: Layout, tasks: Sequence[str], task: Task | None) -> list[int]:
    """Encode arrays into one store, part after part; returns how many rows each has."""
    pieces = []
    for sequences, targets in parts:
        own = replace(layout, length=MAX_LENGTH)
        if isinstance(sequences, np.ndarray) and sequences.dtype == np.uint8:
            rows, own = rows_of_codes(sequences), replace(own, flanks=("", ""))
        else:
            rows = rows_of_strings(map(str, sequences))
        pieces.append((rows, _checked(targets, len(rows)), own.trim(rows)))
    layout = replace(layout, length=max(int(spans.lengths.max()) for _, _, (_, spans, _) in pieces))
    _, number, positions = pieces[0][1].shape
    if task is None:
        task = Task.named(tasks, number)
        if positions > 1:
            task = Task("profile", task.names, bin=max(1, layout.length // positions))
    if any(target.shape[1:] != (len(task.names), positions) for _, target, _ in pieces):
        shapes = " and ".join(str(list(target.shape)) for _, target, _ in pieces)
        raise InputError(f"targets: found the shape {shapes}, expected the tasks {', '.join(task.names)}")
    digest = hashlib.sha256()
    with StoreWriter(out, {"task": asdict(task), "layout": asdict(layout)}) as writer:
        for rows, target, trimmed in pieces:
            digest.update(rows.letters.tobytes() + target.tobytes())
            append(writer, layout, rows, target, trimmed)
        writer.meta["source"] = {"sha256": digest.hexdigest()}
    return [len(rows) for rows, _, _ in pieces]


def _checked(targets: Any, number: int) -> np.ndarray:
    """Targets [N], [N, T] or [N, T, P], finite in float32, as float64 [N, T, P]."""
    target = np.asarray(targets, dtype=np.float64)
    if not 1 <= target.ndim <= 3 or len(target) != number:
        raise InputError(f"targets: found the shape {list(target.shape)}, expected [{number}] or [{number}, T]")
    target = target.reshape(number, *target.shape[1:], *[1] * (3 - target.ndim))
    good = (np.abs(target) <= np.finfo(np.float32).max).all(axis=(1, 2))
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(f"targets, row {row}: found {target[row].ravel()[:8]}, expected finite numbers")
    return target
