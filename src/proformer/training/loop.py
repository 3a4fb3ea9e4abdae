"""The training loop: one model, on one device or several, from the first step to the last.

All randomness of a step follows from (seed, step), and the order of an epoch from (seed, epoch). A run that is stopped
anywhere goes on from its last checkpoint and ends with the same numbers, bit for bit on a CPU with as many threads.
"""

import math
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from proformer.datasets.batches import Batch, DeviceData
from proformer.errors import EXIT_INTERRUPTED, InputError
from proformer.evaluation.streaming import PearsonAccumulator
from proformer.models.base import Loss, Model
from proformer.tasks import Task
from proformer.training import checkpoint
from proformer.training.config import Training
from proformer.training.distributed import ONE, Ranks
from proformer.training.optimiser import clip, make_optimiser, make_schedule
from proformer.training.progress import Watcher
from proformer.training.validation import COLUMNS, column_of, score_of, validate

# Columns of metrics.tsv, and the parts of the loss in them: 0 where a model has no such part.
LOSSES = {"train_loss": "total", "train_mse": "task", "train_nucleotides": "nucleotides"}


class Diverged(Exception):
    """The loss is no longer finite."""


@dataclass
class Progress:
    """How far a run is: everything in a checkpoint but weights, optimiser and schedule."""

    epoch: int = 0
    step: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * len(LOSSES))
    sequences: int = 0
    train_r: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    learning_rate: float = 0.0
    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_r: float = float("-inf")
    precisions: list[str] = field(default_factory=list)  # in which it was trained, one after the other


class Step(nn.Module):
    """The loss of a batch, as the module that is compiled and that ranks share."""

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Total, prediction and parts of the loss; see `Loss`."""
        loss = self.model.loss(batch, self.task)
        return loss.total, loss.prediction, loss.parts


@dataclass
class Run:
    """One training run. `digest` ties checkpoints to configuration and data.

    keeps_diverged: a loss that is no longer finite ends the run with its best epoch, or its first weights, without an
    error. ranks: the processes that share the work; each executes a `Run` of its own, and rank 0 alone writes files.
    """

    model: Model
    settings: Training
    train: DeviceData
    validation: DeviceData
    digest: str
    checkpoint: Path
    checkpoint_minutes: float = 10.0
    keeps_diverged: bool = False
    ranks: Ranks = ONE
    watchers: Sequence[Watcher] = ()

    def __post_init__(self) -> None:
        self.device = self.train.device
        self.steps_per_epoch = self.settings.epoch_batches or -(-len(self.train) // self.settings.batch_size)
        step: Any = Step(self.model, self.train.task)
        if self.settings.compile and self.device.type == "cuda":
            step = torch.compile(step, mode="reduce-overhead", dynamic=False)
        self.compute = self.ranks.parallel(step, self.device)
        self.optimiser = make_optimiser(self.settings, self.model.parameters())
        self.schedule = make_schedule(self.optimiser, self.settings, self.steps_per_epoch)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self.stopping = False
        # On a GPU, reading a number waits for the device: losses add up there and are read only now and then.
        self.check_every = 1 if self.device.type == "cpu" else 100
        self.first_bad = torch.tensor(-1, device=self.device)

    def execute(self) -> Progress:
        """Train to the end, resuming from a checkpoint when there is one; `best` then holds the best epoch's weights.

        Raises InputError when the loss is no longer finite, unless `keeps_diverged`; SystemExit(75) after a termination
        signal was answered with a checkpoint.
        """
        for watcher in self.watchers:
            watcher.start(self)
        self.model.fit(self.train)
        start = self._weights() if self.keeps_diverged else {}
        self._restore()
        try:
            with self._save_on_signal():
                while self.progress.epoch < self.settings.epochs and not self._out_of_patience():
                    self._epoch()
        except Diverged as error:
            self._end_early(str(error), start)
        finally:
            del self.compute  # it holds connections to the other ranks, which end before this run does
        return self.progress

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.model.state_dict().items()}

    def _end_early(self, reason: str, start: dict[str, Tensor]) -> None:
        """End with an epoch that has no numbers, and the best weights before it."""
        state, select = self.progress, self.settings.select
        state.epoch += 1
        names = ["epoch", *LOSSES, "train_r", *COLUMNS.values(), "validation_r_batches", column_of(select)]
        names = [*(state.rows[-1] if state.rows else names), "learning_rate", "sequences_per_second"]
        row = dict.fromkeys(names, math.nan)
        state.rows.append(row | {"epoch": state.epoch, "learning_rate": state.learning_rate})
        if not self.best:
            self.best, state.best_epoch = start, state.epoch
        for watcher in self.watchers:
            watcher.epoch(state.rows[-1])
        if self.ranks.first:
            print(f"{reason}: ended with the best epoch before it", file=sys.stderr, flush=True)

    def _out_of_patience(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self.progress.epoch - self.progress.best_epoch >= patience > 0

    def _epoch(self) -> None:
        state, size = self.progress, self.settings.batch_size
        if state.precisions[-1:] != [self.settings.precision]:
            state.precisions.append(self.settings.precision)
        first = state.step - state.epoch * self.steps_per_epoch
        train_r = PearsonAccumulator(**state.train_r)
        self.model.train()
        saved = started = time.monotonic()
        before = state.seconds
        sums = torch.tensor(state.sums, dtype=torch.float64, device=self.device)
        for batch in self.train.batches(size, self._order(state.epoch), first, self._draw(state.epoch)):
            losses, prediction = self._update(batch)
            train_r.update(prediction.flatten(), batch.target.flatten())
            sums += losses.double() * len(batch)
            state.sequences += len(batch)
            state.step += 1
            for watcher in self.watchers:
                watcher.step(len(batch))
            if state.step % self.check_every == 0:
                self._check_finite()
            due = self.ranks.first and time.monotonic() - saved > 60 * self.checkpoint_minutes
            stop, due = self.ranks.any(self.stopping, due)
            if stop or due:
                state.train_r, state.sums = train_r.state(), sums.tolist()
                state.seconds, saved = before + time.monotonic() - started, time.monotonic()
                self._save(stop)
        self._check_finite()
        state.sums, state.seconds = sums.tolist(), before + time.monotonic() - started
        self._finish_epoch(train_r)

    def _order(self, epoch: int) -> Tensor | None:
        """The rows of an epoch, in order. Epochs of a set length cut one stream of shuffled passes into pieces."""
        seed, shuffle, rows = self.settings.seed, self.settings.shuffle, len(self.train)
        order = {"epoch": lambda e: self.train.order(seed, e), "once": lambda e: self.train.order(seed, 0)}.get(shuffle)
        if self.settings.epoch_batches is None:
            return order and order(epoch)
        length = self.steps_per_epoch * self.settings.batch_size
        first, last = epoch * length, (epoch + 1) * length
        passes = range(first // rows, -(-last // rows))
        everything = torch.arange(rows, device=self.train.codes.device)
        stream = torch.cat([order(number) if order else everything for number in passes])
        return stream[first - passes[0] * rows :][:length]

    def _draw(self, epoch: int) -> int:
        """The seed of the pieces and strands in the first batch of an epoch; batch k adds k."""
        return self.settings.seed * 3_000_017 + epoch * self.steps_per_epoch

    def _update(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One step: loss, gradients, clipping, update. Each rank computes its rows; all see the batch's sums.

        Returns the parts of the loss, as in LOSSES, and the predictions [B, T, P].
        """
        settings, step = self.settings, self.progress.step
        part, weight = self.ranks.part(batch, settings.seed * 2_000_003 + step)
        self.optimiser.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            loss = Loss(*self.compute(part))
        if loss.total.requires_grad:  # a model in closed form has nothing to learn
            (loss.total * weight).backward()
            gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
            clip(gradients, settings)
        self.optimiser.step()
        self.model.after_step()
        self.progress.learning_rate = float(self.schedule.get_last_lr()[0])
        if self.settings.schedule != "plateau":
            self.schedule.step()
        parts = loss.parts | {"total": loss.total.detach()}
        losses = torch.stack([parts.get(name, loss.total.new_zeros(())).detach() for name in LOSSES.values()])
        losses = self.ranks.mean(losses, weight)
        fine = torch.isfinite(losses[0]) | (self.first_bad >= 0)
        self.first_bad = torch.where(fine, self.first_bad, step)
        return losses, self.ranks.gather(loss.prediction, len(batch))

    def _check_finite(self) -> None:
        """Stop if a loss was not finite; the batch that caused it follows from its step."""
        if (step := int(self.first_bad)) < 0:
            return
        if self.keeps_diverged:
            raise Diverged(f"the loss is not finite at step {step}")
        from safetensors.torch import save_file

        epoch, batch = divmod(step, self.steps_per_epoch)
        found = next(self.train.batches(self.settings.batch_size, self._order(epoch), batch, self._draw(epoch)))
        path = self.checkpoint.with_suffix(".not_finite.safetensors")
        if self.ranks.first:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file({"codes": found.codes.cpu().contiguous(), "target": found.target.cpu().contiguous()}, path)
        raise self.ranks.error_of_all(InputError(f"the loss is not finite at step {step}; the batch is in {path}"))

    def _finish_epoch(self, train_r: PearsonAccumulator) -> None:
        state = self.progress
        n = state.sequences
        row: dict[str, float] = {
            "epoch": state.epoch + 1,
            **dict(zip(LOSSES, (value / n for value in state.sums), strict=True)),
            "train_r": train_r.value,
            **validate(self.model, self.validation, self.settings, self.ranks),
            "learning_rate": state.learning_rate,
            "sequences_per_second": n / state.seconds if state.seconds else float("nan"),
        }
        # Processors of different kinds round differently: the row of rank 0 decides whether training goes on.
        row = self.ranks.from_first(lambda: row)
        state.rows.append(row)
        if self.settings.schedule == "plateau":
            self.schedule.step(row["validation_loss"])  # type: ignore[arg-type]
        score = score_of(row, self.settings.select)
        if self._keeps(score):
            state.best_epoch, state.best_r = state.epoch + 1, score if score == score else float("-inf")
            self.best = self._weights()
        state.epoch += 1
        state.sums, state.sequences, state.train_r, state.seconds = Progress().sums, 0, {}, 0.0
        for watcher in self.watchers:
            watcher.epoch(row)
        self._save(*self.ranks.any(self.stopping))

    def _keeps(self, score: float) -> bool:
        """Whether the weights after this epoch become the model, unless a later epoch's do."""
        keep, last = self.settings.keep, self.progress.epoch + 1 == self.settings.epochs
        if keep == "last":
            return last or not self.best
        return not self.best or (score > self.progress.best_r and not (last and keep == "before-last"))

    def _save(self, stop: bool) -> None:
        """Write a checkpoint, on rank 0; then all ranks exit if one was told to stop."""
        self._check_finite()
        state = {
            "run": self.digest,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "progress": vars(self.progress),
            "best": self.best,
        }
        if self.ranks.first:
            checkpoint.save(self.checkpoint, state)
        if stop:
            self.ranks.any(stop)  # the others wait until rank 0 has written
            raise SystemExit(EXIT_INTERRUPTED)

    def _restore(self) -> None:
        state = self.ranks.from_first(lambda: checkpoint.load(self.checkpoint, self.digest))
        if state is not None:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.schedule.load_state_dict(state["schedule"])
            self.progress = Progress(**state["progress"])
            self.best = state["best"]
            for watcher in self.watchers:
                for row in self.progress.rows:
                    watcher.epoch(row)

    @contextmanager
    def _save_on_signal(self) -> Iterator[None]:
        def stop(number: int, frame: object) -> None:
            self.stopping = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            # Of several ranks, the first to leave has the launcher send it to the others, on their way out.
            for number, handler in before.items():
                signal.signal(number, handler if self.ranks.world == 1 else signal.SIG_IGN)
