"""One training job: stores and settings in, a model folder out."""

import platform
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from proformer import __version__
from proformer.datasets.batches import DeviceData
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.files import existing, write_rows
from proformer.models import FILES, SEAL, build, find
from proformer.models.folder import read_description, seal, write_folder
from proformer.training import products
from proformer.training.config import digest, keeps_diverged, read_job, read_training
from proformer.training.device import NO_BF16, choose_device, hardware, has_bf16, set_up
from proformer.training.distributed import find_ranks
from proformer.training.loop import Run
from proformer.training.progress import ProgressFile, Watcher


def train(
    config: Mapping[str, Any],
    train_store: Path,
    validation_store: Path,
    out: Path,
    checkpoint: Path,
    device: str = "auto",
    threads: int | None = None,
    checkpoint_minutes: float = 10.0,
    tensorboard: Path | None = None,
    state: ProgressFile | None = None,
    replace_other: bool = False,
    since: Sequence[Path] = (),
) -> None:
    """Train one model and write `model.safetensors`, `model.json` and `metrics.tsv` (a row per epoch) to `out`.

    config: {"model": {…}, "training": {…}, "recipe": name}; its keys go before those of the recipe. "point", which
    point of a workflow's runs this is, goes into model.json. With "diverged": "keep", a training whose loss is no
    longer finite ends with its best epoch (of none: its first weights) and a row of metrics.tsv without numbers. The
    checkpoint is removed once the folder is complete. A folder that holds the same run already is left as it is, unless
    its model is older than one of the files `since` or than the model's own code; that of another one is refused,
    unless `replace_other` or where its seal was removed. `state` receives every step and epoch.
    """
    settings = read_training(config)
    ranks = find_ranks()
    if settings.batch_size < ranks.world:
        raise InputError(
            f"training: batch_size is {settings.batch_size}, expected a row for each of {ranks.world} processes"
        )
    where = ranks.place(choose_device(device))
    set_up(where, threads, settings.deterministic)
    stores = [open_store(store).checked() for store in (train_store, validation_store)]
    task = stores[0].task
    if not task.mean:
        raise InputError(f"{train_store}: a store that was not split; `proformer split` makes the parts")
    torch.manual_seed(settings.seed)
    layout = stores[0].meta["layout"] | {"length": stores[0].codes.shape[1]}
    model_config, _ = read_job(config, layout | stores[0].facts, train_store)
    if not len(stores[1]) and (settings.keep != "last" or settings.patience):
        raise InputError(f"{validation_store}: no rows to choose an epoch by; set keep: last, and no patience")
    model = build(model_config).to(where)
    products.use_onednn(where.type == "cpu" and products.onednn_is_faster(model))
    given = {"mean": settings.target_mean, "sd": settings.target_sd}
    moments: Any = {name: (value,) * len(task.names) for name, value in given.items() if value is not None}
    task = replace(task, loss_name=settings.loss or task.loss_name, **moments)
    if task.bin:  # the model says in which bins it predicts
        task = replace(task, bin=model_config.get("bin") or task.bin)
    validation = DeviceData(stores[1], where, task, shift=settings.shift)
    train = DeviceData(
        stores[0], where, task, shift=settings.shift, place=settings.place, reverse=settings.reverse_complement
    )
    identity = digest(model_config, settings, [store.digests for store in stores])
    parameters = sum(p.numel() for p in model.parameters())
    log(
        f"{hardware(where)} · {torch.get_num_threads()} threads · torch {torch.__version__}"
        f"{f' · {ranks.world} processes' if ranks.world > 1 else ''}\n"
        f"model {model_config} · {parameters:,} parameters\ntraining {asdict(settings)}\n"
        f"data {len(train):,} training and {len(validation):,} validation sequences · run {identity}"
    )
    with ranks.joined(where), ExitStack() as watched:
        if ranks.from_first(lambda: identity) != identity:
            raise InputError(f"rank {ranks.rank}: other settings or data than those of rank 0")
        made = ranks.from_first(lambda: trained_at(out, identity))
        files = [*since, Path(str(find(model_config["model"]).__file__))] if since else []
        if made is not None and all(made >= existing(file).stat().st_mtime for file in files):
            log(f"{out}: holds this very run, finished")
            if ranks.first:
                seal(out)
            return
        if made is None and not replace_other and ranks.from_first((out / SEAL).is_file):
            raise InputError(f"{out}: holds the finished model of another run; expected another folder, or --replace")
        watchers: list[Watcher] = []
        if ranks.first:
            watchers = [watched.enter_context(Bar(len(train), settings.epochs)), *filter(None, [state])]
            watchers += [watched.enter_context(TensorBoard(tensorboard))] if tensorboard else []
        used = settings
        if ranks.any(settings.precision == "bf16" and not has_bf16(where))[0]:
            log(NO_BF16)
            used = replace(settings, precision="float32")
        run = Run(
            model=model,  # the digest stays: a run may go on where there is such arithmetic, or none
            settings=used,
            train=train,
            validation=validation,
            digest=identity,
            checkpoint=checkpoint,
            checkpoint_minutes=checkpoint_minutes,
            keeps_diverged=keeps_diverged(config),
            ranks=ranks,
            watchers=watchers,
        )
        progress = run.execute()
    if not ranks.first:
        return
    description = {
        "point": config.get("point", {}),
        "model": model_config,
        "training": asdict(settings),
        "layout": layout | {"length": layout["length"] - settings.shift},
        "task": asdict(task),
        "data": {name: value for name, value in stores[0].meta.items() if name in ("source", "split", "windows")}
        | {"train": len(train), "validation": len(validation)},
        "best_epoch": progress.best_epoch,
        "parameters": parameters,
        "made_by": {"proformer": __version__, "python": platform.python_version(), "torch": torch.__version__}
        | {"hardware": hardware(where), "run": identity, "threads": torch.get_num_threads()}
        | {"processes": ranks.world, "precision": ", then ".join(progress.precisions)},
    }
    write_folder(out, run.best, description)
    write_rows(out / "metrics.tsv", progress.rows)
    seal(out)
    checkpoint.unlink(missing_ok=True)


def trained_at(folder: Path, digest: str) -> float | None:
    """When the complete model of the run with this digest was written to a folder; None where there is none."""
    if not all((folder / name).is_file() for name in FILES):
        return None
    same = read_description(folder).get("made_by", {}).get("run") == digest
    return (folder / FILES[0]).stat().st_mtime if same else None


def log(text: str) -> None:
    """Print a line to standard error, at once, on rank 0."""
    if find_ranks().first:
        print(text, file=sys.stderr, flush=True)


class Bar(Watcher):
    """A bar on a terminal or in a notebook, else a line a minute; a line per epoch, and one when a signal stops it."""

    MINUTE = 60.0

    def __init__(self, rows: int, epochs: int) -> None:
        from tqdm import tqdm

        self.rows, self.epochs = rows, epochs
        shown = sys.stderr.isatty() or "ipykernel" in sys.modules
        self.bar = tqdm(total=rows * epochs, unit="seq", disable=not shown, dynamic_ncols=True)

    def start(self, run: Run) -> None:
        """Begin, or go on."""
        self.run, self.seen, self.began = run, 0, time.monotonic()
        self.due = self.began + self.MINUTE

    def step(self, sequences: int) -> None:
        """Move on."""
        self.bar.update(sequences)
        self.seen += sequences
        if self.bar.disable and (now := time.monotonic()) >= self.due:
            self.due = now + self.MINUTE
            at, steps = self.run.progress, self.run.steps_per_epoch
            log(
                f"epoch {at.epoch + 1:>3}/{self.epochs}  step {at.step - at.epoch * steps:,} of {steps:,}  "
                f"{self.seen / (now - self.began):,.0f} sequences/s"
            )

    def epoch(self, row: dict[str, float]) -> None:
        """Print the epoch's line."""
        self.bar.n = int(row["epoch"]) * self.rows
        with self.bar.external_write_mode(file=sys.stderr):
            log(
                f"epoch {row['epoch']:>3}/{self.epochs}  train loss {row['train_loss']:.4f} "
                f"r {row['train_r']:.4f}  validation loss {row['validation_loss']:.4f} r {row['validation_r']:.4f}  "
                f"lr {row['learning_rate']:.2e}  {row['sequences_per_second']:,.0f} sequences/s"
            )

    def __exit__(self, *error: object) -> None:
        self.bar.close()
        if error[0] is SystemExit:
            log(f"stopped by a signal, saved at step {self.run.progress.step}: the same command goes on")


class TensorBoard(Watcher):
    """Every epoch's row as TensorBoard's scalars."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError("--tensorboard needs the package tensorboard: pip install tensorboard") from None
        self.writer = SummaryWriter(str(folder))

    def epoch(self, row: dict[str, float]) -> None:
        """Write the row."""
        for name, value in row.items():
            self.writer.add_scalar(name, value, int(row["epoch"]))

    def __exit__(self, *error: object) -> None:
        self.writer.close()
