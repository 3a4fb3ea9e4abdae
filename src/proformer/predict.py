"""Predictions of a trained model, for files of any size and for sequences in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from proformer.datasets.prepare import Layout
from proformer.datasets.rows import read_rows, rows_of_codes, rows_of_strings
from proformer.datasets.store import StoreWriter
from proformer.datasets.text import STDIN, Rows, is_sequence
from proformer.errors import InputError
from proformer.files import atomic
from proformer.models.base import Model
from proformer.models.folder import TrainedModel, read_folder
from proformer.planning.cost import kept_bytes
from proformer.sequences import Spans, centre_pad, strand_free_keys
from proformer.settings import read
from proformer.training.device import choose_device
from proformer.training.validation import predict_codes

STORE = ".safetensors"
BHI_MEAN = 0.0620  # of the standardised predictions that BHI's normal distribution was fitted to


def load(folder: str | Path, device: str = "auto") -> Predictor:
    """A trained model from its folder, on "cpu", "cuda" or "auto" (a GPU when there is one).

    Raises InputError when the folder is no model's, or damaged.
    """
    return Predictor(**vars(read_folder(folder, choose_device(device))))


class Predictor(TrainedModel):
    """A trained model: predicts from sequences, and says what it is.

    quantiles: predictions are those of `Predictor.to_quantiles`, between 0 and 1.
    """

    quantiles = False

    def predict(
        self,
        sequences: str | Path | Iterable[str] | np.ndarray,
        *,
        trimmed: bool = False,
        batch_size: int | None = None,
    ) -> np.ndarray:
        """Predict, in the units of the training data: float64 [N, T], or [N, T, P] where a task has P positions.

        sequences: strings, or one; a file (table, FASTA or store); or codes uint8 [N, L] without flanks (A 0,
        C 1, G 2, T 3, N 4), L at most the model's length. trimmed: strings and files come without their constant
        flanks. batch_size: sequences at once (None: by the model's size).

        Raises InputError that names the first sequence that cannot be predicted.
        """
        values = np.concatenate([self.values(codes, batch_size) for codes, _ in self.read(sequences, trimmed)])
        return values[:, :, 0] if values.shape[2] == 1 else values

    def predict_file(
        self, sequences: str | Path, out: str | Path, batch_size: int | None = None, *, trimmed: bool = False
    ) -> int:
        """Predict every sequence of a file or store into a table; returns how many. "-" is standard input or output.

        The table has the columns name (that of the file, or the row's number from 0), sequence, and prediction; of
        several tasks or positions, a column for each, TASK or TASK_POSITION. A name that ends with .safetensors becomes
        a store instead, whose targets are the predictions [N, T, P]. Reads and writes in blocks; after an error nothing
        is written.
        """
        if Path(out).suffix == STORE:
            return self._predict_store(Path(sequences), Path(out), batch_size, trimmed)
        count = 0
        with _table(Path(out)) as handle:
            for codes, rows in self.read(Path(sequences), trimmed):
                if not count:  # not before the first sequences are known to be right: `handle` may be the screen
                    handle.write("\t".join(("name", "sequence", *self._columns())) + "\n")
                values = self.values(codes, batch_size).reshape(len(codes), -1)
                names = rows.labels() or [str(count + row) for row in range(len(rows))]
                for row, (name, numbers) in enumerate(zip(names, values.tolist(), strict=True)):
                    handle.write("\t".join((name, rows.text(row), *(f"{number:.6g}" for number in numbers))) + "\n")
                count += len(rows)
        return count

    def _predict_store(self, sequences: Path, out: Path, batch_size: int | None, trimmed: bool) -> int:
        with StoreWriter(out, {"task": asdict(self.task), "layout": self.description["layout"]}) as store:
            for codes, _ in self.read(sequences, trimmed):
                lengths = np.full(len(codes), codes.shape[1])
                group = strand_free_keys(codes.ravel(), Spans(np.cumsum(lengths) - lengths, lengths))
                store.append(target=self.values(codes, batch_size).astype(np.float32), codes=codes, group=group)
        return store.rows

    def values(self, codes: np.ndarray, batch_size: int | None = None) -> np.ndarray:
        """Predictions for codes uint8 [N, L] as stores have them: float64 [N, T, P], in the units of the data."""
        size = batch_size or self.batch_size
        pieces = (torch.from_numpy(codes[i : i + size]).to(self.device) for i in range(0, len(codes), size))
        output = torch.cat([predict_codes(self.module, piece).cpu() for piece in pieces])
        return (self.to_quantiles(output) if self.quantiles else self.task.restore(output)).numpy()

    def to_quantiles(self, output: torch.Tensor) -> torch.Tensor:
        """The last step of BHI's submission to DREAM: Φ(z - 0.062) of standardised outputs z, float64 [N, T, P].

        It keeps their order, so Spearman's ρ stays and Pearson's r does not. Raises InputError for other tasks.
        """
        if self.task.scale != "standardise":
            raise InputError(f"quantiles: found targets of the scale {self.task.scale!r}, expected 'standardise'")
        return torch.special.ndtr(self.task.predicted(output.double()) - BHI_MEAN)

    def describe(self) -> dict[str, Any]:
        """What the model is, what it reads and predicts, and what it was trained on."""
        made, layout = self.description, self.layout
        return {
            "model": made["model"]["model"],
            "parameters": sum(p.numel() for p in self.module.parameters()),
            "length": layout.length,
            "flanks": layout.flanks,
            "kind": self.task.kind,
            "tasks": self.task.names,
            "units": self.task.units,
            "settings": {name: value for name, value in made["model"].items() if name != "model"},
            **{name: made[name] for name in ("training", "data", "best_epoch", "made_by") if name in made},
        }

    def __repr__(self) -> str:
        about = self.describe()
        return (
            f"<{about['model']}, {about['parameters']:,} parameters: reads {about['length']} nt"
            f"{' between ' + ' and '.join(about['flanks']) if any(about['flanks']) else ''}, "
            f"predicts {', '.join(about['tasks'])}>"
        )

    @property
    def module(self) -> Model:
        """The torch module: codes uint8 [B, L] to outputs [B, T, P]."""
        return self.model

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        return next(self.module.parameters()).device

    @property
    def layout(self) -> Layout:
        """How sequences become codes. A sequence that does not fit is an error, whatever it was in training."""
        kept = read(Layout, self.description["layout"], "model.json: layout")
        return replace(kept, too_long="error", wrong_flank="error")

    @property
    def batch_size(self) -> int:
        """A batch whose intermediates, all that training would keep, take 1 GB, or a quarter of a GPU.

        Not of what is free just now: sums of another batch differ in the last digit, and tables must not.
        """
        codes = torch.zeros(3, self.layout.length, dtype=torch.uint8, device=self.device)
        kept = [kept_bytes(self.module, partial(self.module, codes[:number])) for number in (2, 3)]
        per_sequence = max(1, kept[1] - kept[0])
        if self.device.type == "cuda":
            total = torch.cuda.get_device_properties(self.device).total_memory
            return int(np.clip(total // 4 // per_sequence, 1, 4096))
        return int(np.clip(10**9 // per_sequence, 1, 256))

    def read(
        self, sequences: str | Path | Iterable[str] | np.ndarray, trimmed: bool
    ) -> Iterator[tuple[np.ndarray, Rows]]:
        """Yield codes uint8 [n, L] block by block, and their rows."""
        if isinstance(sequences, str):
            sequences = [sequences] if is_sequence(sequences) else Path(sequences)
        if isinstance(sequences, Path):
            pieces, trimmed = read_rows(sequences), trimmed or sequences.suffix == STORE
        elif isinstance(sequences, np.ndarray) and sequences.dtype == np.uint8:
            pieces, trimmed = iter([rows_of_codes(sequences)]), True
        else:
            pieces = iter([rows_of_strings(map(str, sequences))])
        layout = replace(self.layout, flanks=("", "")) if trimmed else self.layout
        for rows in pieces:
            _, spans, _ = layout.trim(rows, predicting=True)
            yield centre_pad(rows.codes, spans, layout.length), rows

    def codes(self, sequences: str | Path | Iterable[str] | np.ndarray, trimmed: bool) -> np.ndarray:
        """All of them: codes uint8 [N, L]."""
        return np.concatenate([codes for codes, _ in self.read(sequences, trimmed)])

    def _columns(self) -> list[str]:
        """Names of the predictions, by what the model gives for one sequence."""
        _, tasks, positions = self.values(np.zeros((1, self.layout.length), np.uint8), 1).shape
        if (tasks, positions) == (1, 1):
            return ["prediction"]
        places = [""] if positions == 1 else [f"_{position}" for position in range(positions)]
        return [f"{name}{place}" for name in self.task.names for place in places]


@contextmanager
def _table(path: Path) -> Iterator[TextIO]:
    """A text file that appears whole, or standard output."""
    if path == STDIN:
        yield sys.stdout
        return
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as handle:
        yield handle
