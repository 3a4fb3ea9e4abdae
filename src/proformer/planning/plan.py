"""What a configuration will take: trainings, FLOPs, hours, memory, disk and downloads, per part and in total."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from proformer.planning.cost import Cost, host_megabytes, job_costs, settings_of
from proformer.planning.data import NOTHING, Amount, File, count_rows, find, further_files, total, training_files
from proformer.planning.rates import Rate
from proformer.points import TrainingJob, active_datasets, active_evaluations, packs, training_jobs
from proformer.sources import Source, load_catalogue
from proformer.training.config import Training
from proformer.units import aligned, as_bytes, as_count, as_hours

STORE_ROW = 12  # bytes of a store's row beside its codes: target and key
CHECKPOINT = 16  # bytes per parameter of a checkpoint: weights, Adam's two moments, the best weights


@dataclass(frozen=True)
class PlannedTraining:
    """One training, summed over its devices and epochs; None where the rows or the rate are not known."""

    path: str
    devices: int
    precision: str  # asked for
    computed_in: str
    parameters: int
    flops: float | None
    device_hours: float | None
    host_bytes: float
    device_bytes: float

    @property
    def hours(self) -> float | None:
        """From start to end, were it alone on its devices."""
        return None if self.device_hours is None else self.device_hours / self.devices


@dataclass(frozen=True)
class Part:
    """One data set with its trainings; the ATAC-seq experiment behind such sets; or what models are scored on."""

    name: str
    jobs: int = 0
    trainings: tuple[PlannedTraining, ...] = ()
    files: tuple[File, ...] = ()
    stores: Amount = NOTHING
    notes: tuple[str, ...] = ()

    @property
    def flops(self) -> float | None:
        """Of all trainings."""
        return _sum(training.flops for training in self.trainings)

    @property
    def device_hours(self) -> float | None:
        """Of all trainings."""
        return _sum(training.device_hours for training in self.trainings)

    @property
    def disk(self) -> Amount:
        """What stays: files, stores and models."""
        models = 4.0 * sum(training.parameters for training in self.trainings)
        return total(file.disk for file in self.files) + self.stores + Amount(models)

    @property
    def checkpoints(self) -> float:
        """Bytes of all checkpoints, were all trainings under way at the same time."""
        return float(CHECKPOINT * sum(training.parameters for training in self.trainings))

    @property
    def download(self) -> Amount:
        """What is still to be fetched."""
        return total(file.download for file in self.files)


def _sum(values: Any) -> float | None:
    found = list(values)
    return None if None in found else sum(found)


@dataclass(frozen=True)
class Plan:
    """The parts of a configuration, and where its hours come from."""

    parts: tuple[Part, ...]
    rate: Rate | None
    device: str
    skipped: Mapping[str, str] = field(default_factory=dict)  # points that cannot be built, by path: why

    @cached_property
    def everything(self) -> Part:
        """All parts together, with each file once."""
        files = {file.name: file for part in self.parts for file in part.files}
        return Part(
            "total",
            sum(part.jobs for part in self.parts),
            tuple(training for part in self.parts for training in part.trainings),
            tuple(files.values()),
            total(part.stores for part in self.parts),
        )


def make_plan(config: Mapping[str, Any], rate: Rate | None, samples: Sequence[Mapping[str, str]] = ()) -> Plan:
    """Plan a configuration whose defaults are filled in; `samples` are the rows of its ATAC-seq table.

    Nothing is fetched or started; files that are there already are looked at. Raises InputError as a training would.
    """
    catalogue = load_catalogue()
    jobs = training_jobs(config)
    costs, skipped = job_costs(jobs)
    parts = [_experiment(config, samples, catalogue)] if config["atac"] else []
    for name, keys in active_datasets(config).items():
        own = [job for job in jobs if job.dataset == name and job.path in costs]
        parts.append(_dataset(name, keys, own, costs, config, rate, catalogue))
    parts.append(_evaluations(config, catalogue))
    return Plan(tuple(_apart(parts)), rate, "CPU" if config["device"] == "cpu" else "GPU", skipped)


def _apart(parts: Iterable[Part]) -> Iterator[Part]:
    """Every file at the first part that reads it; parts without anything of their own are left out."""
    seen: set[str] = set()
    for part in parts:
        own = {file.name: file for file in part.files if file.name not in seen}
        seen |= own.keys()
        if own or part.trainings:
            yield replace(part, files=tuple(own.values()))


def _experiment(
    config: Mapping[str, Any], samples: Sequence[Mapping[str, str]], catalogue: Mapping[str, Source]
) -> Part:
    keys = config["atac"]
    aligned = [row[name] for row in samples for name in ("read1", "read2", "bam") if row[name]]
    others = [row[name] for row in samples for name in ("fragments", "peaks", "bigwig") if row[name]]
    others += [keys[name] for name in ("genome", "blacklist", "annotation") if keys[name]]
    reads = [find(name, config, catalogue) for name in aligned]
    # Alignments take about as much again as their reads do (and trimmed reads, for a while).
    alignments = total(file.disk for file in reads)
    return Part(
        "ATAC-seq reads", files=(*reads, *(find(name, config, catalogue) for name in others)), stores=alignments
    )


def _evaluations(config: Mapping[str, Any], catalogue: Mapping[str, Source]) -> Part:
    sets = active_evaluations(config).values()
    names = [name for keys in sets for name in (keys["file"], *keys["published"].values())]
    return Part("evaluation sets", files=tuple(find(name, config, catalogue) for name in names))


def _dataset(
    name: str,
    keys: Mapping[str, Any],
    jobs: Sequence[TrainingJob],
    costs: Mapping[str, Cost],
    config: Mapping[str, Any],
    rate: Rate | None,
    catalogue: Mapping[str, Source],
) -> Part:
    rows, how = count_rows(name, config, catalogue)
    from_atac = keys["source"] == "atac"
    length = config["atac"]["windows"]["length"] if from_atac else keys["length"]
    share = keys["fractions"]
    counts = (int(rows * share["train"]), int(rows * share["validation"])) if rows else None
    files = tuple(find(file, config, catalogue) for file in (*training_files(keys), *further_files(keys)))
    on_cpu, seeds = config["device"] == "cpu", len({job.seed for job in jobs})
    stores = (1 + seeds * (share["train"] + share["validation"])) * (length + STORE_ROW)
    note = f"{name}: {f'{rows:,} rows ({how})' if rows else f'rows {how}'}"
    note += f", {counts[0]:,} to train on and {counts[1]:,} to validate" if counts else ""
    if not jobs:
        return Part(name, files=files, notes=(f"{name}: nothing is trained on it",))
    bf16 = config["device"] != "cpu" or _cpu_has_bf16()
    return Part(
        name,
        len(packs(list(jobs), config["points_per_job"])) + sum(job.gpus * job.nodes > 1 for job in jobs),
        tuple(_training(job, costs[job.path], counts, rate, bf16, on_cpu) for job in jobs),
        files,
        Amount(stores * rows) if rows else Amount(unknown=(f"stores of {name}",)),
        (note,),
    )


def _training(
    job: TrainingJob,
    price: Cost,
    counts: tuple[int, int] | None,
    rate: Rate | None,
    bf16: bool,
    on_cpu: bool,
) -> PlannedTraining:
    settings, devices = settings_of(job)[1], job.gpus * job.nodes
    data = sum(counts) * (job.data["length"] + STORE_ROW) if counts else 0
    flops = hours = None
    if counts:
        train = (settings.epoch_batches or 0) * settings.batch_size or counts[0]
        # Epochs of training, each with the predictions of the validation part.
        flops = float(settings.epochs * (train * price.training_flops + counts[1] * price.forward_flops))
        hours = flops / price.training_flops / rate.speed(price.training_flops) / 3600 if rate else None
    return PlannedTraining(
        job.path,
        devices,
        settings.precision,
        settings.precision if bf16 else "float32",
        price.parameters,
        flops,
        hours,
        1e6 * host_megabytes(price, job.gpus, data / 1e6, on_cpu * settings.batch_size),
        _device_bytes(price, settings, devices) + data,
    )


def _cpu_has_bf16() -> bool:
    import torch

    from proformer.training.device import has_bf16

    return has_bf16(torch.device("cpu"))


def _device_bytes(price: Cost, settings: Training, devices: int) -> float:
    """Weights, gradients and Adam's moments, and what is kept of one batch for backward, all in float32."""
    return 16.0 * price.parameters + price.activation_bytes * settings.batch_size / devices


HEAD = (
    "PART",
    "JOBS",
    "TRAININGS",
    "PARAMETERS",
    "FLOP",
    "{} HOURS",
    "LONGEST",
    "MEMORY",
    "ON GPU",
    "DISK",
    "DOWNLOAD",
)


def as_text(plan: Plan) -> str:
    """A plain table of the parts and the total, and below it what the numbers rest on."""
    rows = as_rows(plan)
    return "\n".join([aligned(rows, right=range(1, len(rows[0]))), "", *_notes(plan)])


def as_rows(plan: Plan) -> list[tuple[str, ...]]:
    """The head of the table, a row per part, and the total, as text."""
    rows = [tuple(cell.format(plan.device) for cell in HEAD), *map(_row, (*plan.parts, plan.everything))]
    kept = [column for column, name in enumerate(HEAD) if plan.device == "GPU" or name != "ON GPU"]
    return [tuple(row[column] for column in kept) for row in rows]


def _row(part: Part) -> tuple[str, ...]:
    done = part.trainings
    parameters = sorted({training.parameters for training in done})
    longest = [training.hours for training in done if training.hours is not None]
    return (
        part.name,
        str(part.jobs or ""),
        str(len(done) or ""),
        " to ".join(as_count(count) for count in dict.fromkeys([*parameters[:1], *parameters[-1:]])),
        "" if not done else "?" if part.flops is None else f"{part.flops:.2e}",
        "" if not done else "?" if part.device_hours is None else as_hours(part.device_hours),
        "" if not done else "?" if not longest else as_hours(max(longest)),
        as_bytes(max(training.host_bytes for training in done)) if done else "",
        as_bytes(max(training.device_bytes for training in done)) if done else "",
        str(part.disk),
        str(part.download),
    )


def _notes(plan: Plan) -> list[str]:
    whole = plan.everything
    notes = [note for part in plan.parts for note in part.notes]
    notes += skipped_notes(plan.skipped)
    notes.append("FLOP: of the models as they are computed, forward and backward, all epochs, and validation")
    if plan.rate is None:
        notes.append(f"{plan.device} hours: not known; --rates, --rate or --tflops says how fast a training is here")
    else:
        notes.append(f"{plan.device} hours: at {plan.rate.source}; all epochs, none shared; LONGEST is one training's")
    notes.append("MEMORY: what a job asks for at its first attempt")
    if plan.device == "GPU":
        notes.append("ON GPU: weights, optimiser and one batch in float32, and the data; bf16 takes less")
    if asked := sum(training.precision != training.computed_in for training in whole.trainings):
        notes.append(f"bf16: asked for by {asked} trainings; this processor has none, they compute in float32")
    most = as_bytes(whole.checkpoints)
    notes.append(f"DISK: files, stores and models; besides, up to {most} of checkpoints while models train")
    if guessed := [file for file in whole.files if file.estimated and file.kind == "catalogue"]:
        sizes = ", ".join(f"{file.name} {as_bytes(file.size or 0)}" for file in guessed)
        notes.append(f"sizes that no catalogue has, by the number of rows: {sizes}")
    if unknown := (whole.disk + whole.download).unknown:
        notes.append(f"sizes that are not known before they are fetched (?): {', '.join(unknown)}")
    return notes


def skipped_notes(skipped: Mapping[str, str]) -> list[str]:
    """Points that cannot be built, a line each below their number."""
    lines = [f"  {path.partition('run~')[2].replace('_', ' ')}: {reason}" for path, reason in skipped.items()]
    return [f"{len(skipped)} points cannot be built and are left out:", *lines] if skipped else []


def as_dict(plan: Plan) -> dict[str, Any]:
    """Everything, as plain data: bytes, hours and FLOPs; None for what is not known."""

    def plain(part: Part) -> dict[str, Any]:
        return {
            "part": part.name,
            "jobs": part.jobs,
            "trainings": len(part.trainings),
            "flops": part.flops,
            "device_hours": part.device_hours,
            "disk": asdict(part.disk),
            "checkpoints": part.checkpoints,
            "download": asdict(part.download),
        }

    return {
        "device": plan.device,
        "rate": plan.rate.source if plan.rate else None,
        "total": plain(plan.everything),
        "parts": [plain(part) for part in plan.parts],
        "trainings": [asdict(training) for training in plan.everything.trainings],
        "skipped": dict(plan.skipped),
        "notes": _notes(plan),
    }


def read_samples_of(config: Mapping[str, Any], root: Path) -> list[dict[str, str]]:
    """The samples table of a configuration, from where this runs or from the checkout; empty without an experiment."""
    if not config["atac"]:
        return []
    from proformer.atac.samples import read_samples

    path = Path(config["atac"]["samples"])
    return read_samples(path if path.is_file() else root / path).to_dict("records")
