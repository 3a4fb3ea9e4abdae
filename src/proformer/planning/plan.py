"""What a configuration will take: trainings, FLOPs, hours, memory, disk and downloads, per item and in total."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from proformer.planning.cost import JobCost, host_megabytes, job_costs
from proformer.planning.data import (
    Amount,
    File,
    count_rows,
    coverage_files,
    find,
    further_files,
    named_column,
    part_rows,
    record_files,
    row_bytes,
    training_files,
)
from proformer.planning.rates import Rate
from proformer.points import AT_ONCE, TrainingJob, active, active_datasets, active_evaluations, packs, training_jobs
from proformer.sources.catalogue import Source, load_catalogue
from proformer.units import aligned, as_bytes, as_count, as_hours

STATE = 16  # bytes per parameter of a checkpoint (weights, Adam's two moments, the best weights) and on the device


@dataclass(frozen=True)
class PlannedTraining:
    """One training, summed over its devices and epochs; None where the rows are not known."""

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
class Item:
    """One data set with its trainings; the ATAC-seq experiment behind such sets; or what models are scored on."""

    name: str
    jobs: int = 0
    trainings: tuple[PlannedTraining, ...] = ()
    files: tuple[File, ...] = ()
    stores: Amount = field(default_factory=Amount)
    memory: float = 0.0  # bytes that the largest job asks for
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
        return sum((file.disk for file in self.files), self.stores + Amount(models))

    @property
    def checkpoints(self) -> float:
        """Bytes of all checkpoints, were all trainings under way at the same time."""
        return float(STATE * sum(training.parameters for training in self.trainings))

    @property
    def download(self) -> Amount:
        """What is still to be fetched."""
        return sum((file.download for file in self.files), Amount())


def _sum(values: Iterable[float | None]) -> float | None:
    known: list[Any] = list(values)
    return None if None in known else sum(known)


@dataclass(frozen=True)
class Plan:
    """The items of a configuration, and where its hours come from."""

    items: tuple[Item, ...]
    rate: Rate
    device: str
    skipped: Mapping[str, str] = field(default_factory=dict)  # points that cannot be built, by path: why
    benchmarks: Mapping[str, Sequence[str]] = field(default_factory=dict)  # data sets of each, by its title

    @cached_property
    def everything(self) -> Item:
        """All items together, with each file once."""
        files = {file.name: file for item in self.items for file in item.files}
        return Item(
            "total",
            sum(item.jobs for item in self.items),
            tuple(training for item in self.items for training in item.trainings),
            tuple(files.values()),
            sum((item.stores for item in self.items), Amount()),
            max((item.memory for item in self.items), default=0.0),
        )


def make_plan(config: Mapping[str, Any], rate: Rate, samples: Sequence[Mapping[str, str]] = ()) -> Plan:
    """Plan a configuration whose defaults are filled in; `samples` are the rows of its ATAC-seq table.

    Nothing is fetched or started; files that are there already are looked at. Raises InputError as a training would.
    """
    catalogue = load_catalogue()
    jobs = training_jobs(config)
    costs, skipped = job_costs(jobs)
    items = [_experiment(config, samples, catalogue)] if config["atac"] else []
    for name in active_datasets(config):
        own = [job for job in jobs if job.dataset == name and job.path in costs]
        items.append(_dataset(name, own, costs, config, rate, catalogue))
    sets = active_evaluations(config).values()
    scored_on = [name for keys in sets for name in (keys["file"], *keys["published"].values())]
    items.append(Item("evaluation sets", files=_files(scored_on, config, catalogue)))
    benchmarks = {keys["title"] or name: keys["datasets"] for name, keys in active(config["benchmarks"]).items()}
    return Plan(tuple(_apart(items)), rate, "CPU" if config["device"] == "cpu" else "GPU", skipped, benchmarks)


def _files(names: Iterable[str], config: Mapping[str, Any], catalogue: Mapping[str, Source]) -> tuple[File, ...]:
    whole = dict.fromkeys(column[0] if (column := named_column(name)) else name for name in names)
    return tuple(find(name, config, catalogue) for name in whole)


def _apart(items: Iterable[Item]) -> Iterator[Item]:
    """Every file at the first item that reads it; items without anything of their own are left out."""
    seen: set[str] = set()
    for item in items:
        own = {file.name: file for file in item.files if file.name not in seen}
        seen |= own.keys()
        if own or item.trainings:
            yield replace(item, files=tuple(own.values()))


def _experiment(
    config: Mapping[str, Any], samples: Sequence[Mapping[str, str]], catalogue: Mapping[str, Source]
) -> Item:
    def named(rows: Sequence[Mapping[str, Any]], *keys: str) -> tuple[File, ...]:
        return _files((row[key] for row in rows for key in keys if row[key]), config, catalogue)

    reads = named(samples, "read1", "read2", "bam")
    others = named(samples, "fragments", "peaks", "bigwig")
    others += named([config["atac"]], "genome", "blacklist", "annotation")
    # Alignments take about as much again as their reads do (and trimmed reads, for a while).
    return Item("ATAC-seq reads", files=reads + others, stores=sum((file.disk for file in reads), Amount()))


def _dataset(
    name: str,
    jobs: Sequence[TrainingJob],
    costs: Mapping[str, JobCost],
    config: Mapping[str, Any],
    rate: Rate,
    catalogue: Mapping[str, Source],
) -> Item:
    keys = config["datasets"][name]
    files = _files(
        (*training_files(keys), *coverage_files(keys), *record_files(keys, config), *further_files(keys)),
        config,
        catalogue,
    )
    if not jobs:
        return Item(name, files=files, notes=(f"{name}: nothing is trained on it",))
    rows, how = count_rows(name, config, catalogue)
    draws, row = len({job.draw for job in jobs}), row_bytes(jobs[0].data)
    note, counts, stores = f"{name}: rows {how}", None, Amount(unknown=(f"stores of {name}",))
    if rows:
        train, validation, limit = part_rows(name, config, rows, jobs[0].draw)
        counts = train, validation
        stores = Amount(row * (rows + draws * sum(counts)))
        note = f"{name}: {rows:,} rows ({how}), {counts[0]:,} to train on and {counts[1]:,} to validate{limit}"
    if tests := {job.fold.rpartition("-")[0] for job in jobs if job.fold}:
        each = len({job.fold for job in jobs}) // len(tests)
        note += f"; {len(tests)} test folds, {each} models averaged in each"
    trainings = {job.path: _training(job, costs[job.path], counts, rate, config["device"] == "cpu") for job in jobs}
    groups = [*packs(jobs, config["points_per_job"]), *([job] for job in jobs if job.gpus * job.nodes > 1)]
    on_host = [sorted((trainings[job.path].host_bytes for job in group), reverse=True) for group in groups]
    return Item(
        name,
        len(groups),
        tuple(trainings.values()),
        files,
        stores,
        max(sum(sizes[: AT_ONCE if config["device"] == "cpu" else None]) for sizes in on_host),
        (note,),
    )


def _training(
    job: TrainingJob, price: JobCost, counts: tuple[int, int] | None, rate: Rate, on_cpu: bool
) -> PlannedTraining:
    import torch  # here, as the workflow reads this module whenever it starts

    from proformer.training.device import has_bf16

    devices = job.gpus * job.nodes
    data = sum(counts) * row_bytes(job.data) if counts else 0
    flops = hours = None
    if counts:
        # Epochs of training, each with the predictions of the validation part.
        flops = float(
            price.epochs * ((price.epoch_rows or counts[0]) * price.training_flops + counts[1] * price.forward_flops)
        )
        hours = flops / price.training_flops / rate.speed(price.training_flops) / 3600
    # Weights, gradients and Adam's moments, and what is kept of one batch for backward, all in float32.
    on_device = STATE * price.parameters + price.activation_bytes * price.batch_size / devices
    return PlannedTraining(
        job.path,
        devices,
        price.precision,
        "float32" if on_cpu and not has_bf16(torch.device("cpu")) else price.precision,
        price.parameters,
        flops,
        hours,
        1e6 * host_megabytes(price, job.gpus, data / 1e6, on_cpu * price.batch_size),
        on_device + data,
    )


def as_text(plan: Plan) -> str:
    """A plain table of the items and the total, and below it what the numbers rest on."""
    rows = as_rows(plan)
    return "\n".join([aligned(rows, right=range(1, len(rows[0]))), "", *_notes(plan)])


def as_rows(plan: Plan) -> list[tuple[str, ...]]:
    """The head of the table, a row per item, and the total, as text."""
    rows = [_cells(item, plan.device) for item in (*plan.items, plan.everything)]
    return [tuple(rows[0]), *(tuple(row.values()) for row in rows)]


def _cells(item: Item, device: str) -> dict[str, str]:
    """The row of an item, by the heads of the columns: empty where nothing is trained, and ? for what is not known."""
    done = item.trainings

    def most(text: Callable[[Any], str], values: Iterable[float | None]) -> str:
        known = [value for value in values if value is not None]
        return "" if not done else text(max(known)) if known else "?"

    parameters = sorted({training.parameters for training in done})
    on_device = most(as_bytes, (training.device_bytes for training in done))
    return {
        "ITEM": item.name,
        "JOBS": str(item.jobs or ""),
        "TRAININGS": str(len(done) or ""),
        "PARAMETERS": " to ".join(as_count(count) for count in dict.fromkeys([*parameters[:1], *parameters[-1:]])),
        "FLOP": most("{:.2e}".format, [item.flops]),
        f"{device} HOURS": most(as_hours, [item.device_hours]),
        "LONGEST": most(as_hours, (training.hours for training in done)),
        "MEMORY": most(as_bytes, [item.memory]),
        **({"ON GPU": on_device} if device == "GPU" else {}),
        "DISK": str(item.disk),
        "DOWNLOAD": str(item.download),
    }


def _notes(plan: Plan) -> list[str]:
    whole = plan.everything
    notes = [note for item in plan.items for note in item.notes]
    for title, datasets in plan.benchmarks.items():
        own = [item for item in plan.items if item.name in datasets and item.trainings]
        if len(own) > 1:
            number = sum(len(item.trainings) for item in own)
            notes.append(f"{title}: {number:,} trainings, on {', '.join(item.name for item in own)}")
    notes += skipped_notes(plan.skipped)
    notes += [
        "FLOP: of the models as they are computed, forward and backward, all epochs, and validation",
        f"{plan.device} hours: at {plan.rate.source}; all epochs, none shared; LONGEST is one training's",
        "MEMORY: what a job asks for at its first attempt",
    ]
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


def skipped_reasons(skipped: Mapping[str, str]) -> list[str]:
    """Why points cannot be built, a line for each reason."""
    lines = [f"  {number} times: {reason}" for reason, number in Counter(skipped.values()).items()]
    first = f"{len(skipped)} points cannot be built and are left out (`proformer plan` lists them):"
    return [first, *lines] if skipped else []


def as_dict(plan: Plan) -> dict[str, Any]:
    """Everything, as plain data: bytes, hours and FLOPs; None for what is not known."""

    def plain(item: Item) -> dict[str, Any]:
        return {
            "item": item.name,
            "jobs": item.jobs,
            "trainings": len(item.trainings),
            "flops": item.flops,
            "device_hours": item.device_hours,
            "disk": asdict(item.disk),
            "checkpoints": item.checkpoints,
            "download": asdict(item.download),
        }

    return {
        "device": plan.device,
        "rate": plan.rate.source,
        "total": plain(plan.everything),
        "items": [plain(item) for item in plan.items],
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
