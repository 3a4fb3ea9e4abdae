"""Predictions for sequence files of any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import torch

from proformer.datasets.prepare import Layout
from proformer.datasets.text import Rows, open_text, read_fasta, read_rows
from proformer.errors import InputError
from proformer.files import atomic
from proformer.models.folder import TrainedModel
from proformer.planning.cost import kept_bytes
from proformer.sequences import centre_pad
from proformer.training.validation import predict_codes


def predict_file(model: TrainedModel, sequences: Path, out: Path, batch_size: int | None, trimmed: bool = False) -> int:
    """Predict every sequence of a TSV (first column) or FASTA file, plain or gz; returns how many.

    Writes a table with the columns name (FASTA name, or row number from 0), sequence, prediction (in the units of the
    training data); of several tasks or positions, a column for each, TASK or TASK_POSITION. Reads and writes in blocks.
    `trimmed`: the sequences come without their flanks. Raises InputError with the line of the first sequence that
    cannot be predicted; nothing is written then.
    """
    layout = _layout(model, trimmed)
    device = next(model.model.parameters()).device
    size = batch_size or batch_for_memory(model, device)
    count = 0
    with atomic(out) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as handle:
        handle.write("\t".join(("name", "sequence", *_columns(model, device))) + "\n")
        for names, rows in _read(sequences):
            codes = centre_pad(rows.codes, layout.trim(rows)[1], layout.length)
            parts = [
                predict_codes(model.model, torch.from_numpy(codes[i : i + size]).to(device)).cpu()
                for i in range(0, len(codes), size)
            ]
            values = model.task.restore(torch.cat(parts)).flatten(1).numpy()
            _write(handle, names or [str(count + row) for row in range(len(rows))], rows, values)
            count += len(rows)
    return count


def batch_for_memory(model: TrainedModel, device: torch.device) -> int:
    """A batch whose intermediates, all that training would keep, take 1 GB, or a quarter of a GPU.

    Not of what is free just now: sums of another batch differ in the last digit, and a table must not with the hour.
    """
    codes = torch.zeros(3, model.description["layout"]["length"], dtype=torch.uint8, device=device)
    per_sequence = kept_bytes(model.model, codes) - kept_bytes(model.model, codes[:2])
    if device.type == "cuda":
        return int(np.clip(torch.cuda.get_device_properties(device).total_memory // 4 // per_sequence, 1, 4096))
    return int(np.clip(10**9 // per_sequence, 1, 256))


def _columns(model: TrainedModel, device: torch.device) -> list[str]:
    """Names of the predictions, by what the model gives for one sequence."""
    codes = torch.zeros(1, model.description["layout"]["length"], dtype=torch.uint8, device=device)
    _, tasks, positions = model.task.restore(predict_codes(model.model, codes).cpu()).shape
    if (tasks, positions) == (1, 1):
        return ["prediction"]
    places = [""] if positions == 1 else [f"_{position}" for position in range(positions)]
    return [f"{name}{place}" for name in model.task.names for place in places]


def _layout(model: TrainedModel, trimmed: bool) -> Layout:
    kept = model.description["layout"]
    return Layout(length=kept["length"], flanks=("", "") if trimmed else tuple(kept["flanks"]))


def _read(path: Path) -> Iterator[tuple[list[str], Rows]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with open_text(path) as handle:
        fasta = handle.read(1) == b">"
    if fasta:
        yield from read_fasta(path)
    else:
        for rows in read_rows(path):
            yield [], rows


def _write(handle: TextIO, names: list[str], rows: Rows, values: np.ndarray) -> None:
    for row, (name, numbers) in enumerate(zip(names, values.tolist(), strict=True)):
        handle.write("\t".join((name, rows.text(row), *(f"{number:.6g}" for number in numbers))) + "\n")
