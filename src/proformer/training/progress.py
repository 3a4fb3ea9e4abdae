"""The state of a training, in a small file next to its checkpoint, for `proformer status`."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proformer.errors import InputError

if TYPE_CHECKING:
    from proformer.training.loop import Run

SECONDS = 10.0  # between two writes while a training goes on


def progress_path(checkpoint: Path) -> Path:
    """Where the progress of the training with this checkpoint stands."""
    return checkpoint.with_suffix(".progress.json")


class Watcher(AbstractContextManager["Watcher"]):
    """Follows a training: it is called at its start, and after every step and epoch, and left at its end."""

    def start(self, run: Run) -> None:
        """Training begins, or goes on from a checkpoint."""

    def step(self, sequences: int) -> None:
        """A step of so many sequences is done."""

    def epoch(self, row: dict[str, float]) -> None:
        """An epoch is done, or was before the run was stopped; its row of metrics.tsv."""


class ProgressFile(Watcher):
    """Says while a training goes on where it runs and how far it is, and afterwards why it ended.

    `state` is "starting", "running", "stopped" (saved after a signal; to be run again) or "failed" with `reason`;
    `updated` and `started` are seconds since 1970. There is no file any more once the model folder is complete.
    Between two writes a step only reads the clock, and nothing from the device. Without `keep`, a training that is
    refused before its first step leaves no file.
    """

    def __init__(self, path: Path, every: float = SECONDS, keep: bool = True) -> None:
        self.path, self.every, self.keep = path, every, keep
        self.fields: dict[str, Any] = {
            "host": platform.node(),
            "process": os.getpid(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "started": time.time(),
        }
        self.run: Run | None = None
        self.seen, self.due = 0, 0.0  # sequences of this process; when to write next
        # Of several processes that train one model, the first one writes.
        self.silent = int(os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or 0) > 0

    def __enter__(self) -> Watcher:
        self.write("starting")
        return self

    def start(self, run: Run) -> None:
        """From here on, the steps are those of `run`."""
        self.run, self.began, self.due = run, time.monotonic(), 0.0
        self.fields |= {
            "run": run.digest,
            "epochs": run.settings.epochs,
            "steps": run.settings.epochs * run.steps_per_epoch,
            "sequences": (run.settings.epoch_batches or 0) * run.settings.batch_size or len(run.train),
        }

    def step(self, sequences: int) -> None:
        """Write now and then."""
        self.seen += sequences
        if time.monotonic() >= self.due:
            self.write("running")

    def epoch(self, row: dict[str, float]) -> None:
        """Have the next step written."""
        self.due = 0.0

    def write(self, state: str, **more: object) -> None:
        """Write the file now. Of a full disk it is the checkpoint that complains: a training does not end for this."""
        if self.silent:
            return
        self.due = time.monotonic() + self.every
        self.fields |= {"state": state, "updated": time.time(), **more}
        if self.run is not None:
            at, seconds = self.run.progress, time.monotonic() - self.began
            self.fields |= {"epoch": at.epoch, "step": at.step, "best_epoch": at.best_epoch}
            self.fields["best_r"] = at.best_r if math.isfinite(at.best_r) else None
            # Of this process, with validation and checkpoints: what the time left follows from.
            self.fields["sequences_per_second"] = self.seen / seconds if self.seen else None
        temporary = self.path.with_name(f".{self.path.name}.part")
        with suppress(OSError):  # and nothing waits for the disk, as `files.atomic` does
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self.fields) + "\n", encoding="utf-8")
            os.replace(temporary, self.path)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        refused = isinstance(error, InputError) and not (self.run and self.run.progress.step) and not self.keep
        if (error is None or refused) and not self.silent:
            with suppress(OSError):
                self.path.unlink()
        elif isinstance(error, SystemExit):
            self.write("stopped")
        else:
            self.write("failed", reason=" ".join(f"{type(error).__name__}: {error}".split())[:500])
