"""How far a run is, from the files it leaves: its list of trainings, progress files, model folders and logs."""

import csv
import json
import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from proformer.errors import InputError
from proformer.files import last_line, write_text
from proformer.models import SEAL
from proformer.planning.cost import JobCost, job_costs, known_costs
from proformer.points import TrainingJob
from proformer.settings import CountOrZero, NotNegative, check
from proformer.units import aligned, as_hours

STATES = ("running", "done", "waiting", "stopped", "silent", "failed")
DAMAGED = (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError, csv.Error, InputError)
HEAD = ("POINT", "STATE", "EPOCH", "BEST r", "SEQUENCES/s", "LEFT", "WHERE", "MESSAGE")


@dataclass
class Point:
    """One training. Rates are sequences/s; times are hours; a None is not known (yet).

    state: "done"; "running"; "silent": running, but its file of progress is old; "stopped": saved after a signal,
    to be run again; "failed"; "waiting". message: the reason of a failure, or the last line of its log.
    """

    path: str
    dataset: str
    label: str
    seed: int
    state: str = "waiting"
    epoch: int = 0
    epochs: int = 0
    best_r: float | None = None
    best_epoch: int | None = None
    sequences_per_second: float | None = None
    hours_left: float | None = None
    host: str | None = None
    slurm_job: str | None = None
    minutes_silent: float | None = None
    message: str = ""
    log: str = ""


def write_jobs(path: Path, jobs: Iterable[TrainingJob]) -> None:
    """Write the list of a run's trainings, which `read_jobs` reads; finished ones of earlier runs stay in it."""
    listed = {job.path: job for job in jobs}
    with suppress(InputError):
        done = [job for job in read_jobs(path) if (path.parent / "models" / job.path / SEAL).is_file()]
        listed |= {job.path: job for job in done if job.path not in listed}
    write_text(path, json.dumps([asdict(job) for job in listed.values()], indent=1) + "\n")


def read_jobs(path: Path) -> list[TrainingJob]:
    """The trainings of a run. Raises InputError where the workflow has not started yet, or the file is no such list."""
    try:
        jobs = [TrainingJob(**job) for job in json.loads(path.read_text(encoding="utf-8"))]
        if not all(isinstance(job.path, str) and dict(job.config["model"], **job.config["training"]) for job in jobs):
            raise TypeError
        return jobs
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; a run writes it when it starts; or name its --configfile") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path}: found {type(error).__name__}, expected a list of trainings") from None


def read_points(
    results: Path, jobs: Sequence[TrainingJob], silent_minutes: float, now: float | None = None
) -> list[Point]:
    """The state of every training of a run, in the order of `jobs`; nothing but files is asked, nothing is written."""
    now = time.time() if now is None else now
    points, costs = [], known_costs(jobs, results / "costs.json")
    for job in jobs:
        log = results / "logs/train" / f"{job.path}.log"
        points.append(Point(job.path, job.dataset, job.label, job.seed, epochs=_epochs(job, costs), log=str(log)))
    work = [_read(point, results, silent_minutes, now) for point in points]
    _estimate(points, jobs, work, results / "costs.json")
    return points


def _epochs(job: TrainingJob, costs: Mapping[str, JobCost]) -> int:
    """How many epochs a training has; 0 where its settings are not those of a model that there is."""
    if job.path in costs:
        return costs[job.path].epochs
    from proformer.training.config import read_training  # here, as models need torch

    with suppress(InputError):
        return read_training(job.config).epochs
    return 0


def _read(point: Point, results: Path, silent_minutes: float, now: float) -> dict[str, Any]:
    """Fill in what the files say; returns the sequences of an epoch and the share that is done, where known."""
    progress = results / "checkpoints" / f"{point.path}.progress.json"
    text = None
    with suppress(FileNotFoundError):  # there while a training goes on, and when it has failed
        text = progress.read_text(encoding="utf-8", errors="replace")
    # Members of a pack wait beside the checkpoints until the last one is done.
    folders = (results / "models" / point.path, results / "checkpoints" / f"{point.path}.finished")
    source = progress if text is not None else next((path for path in folders if (path / SEAL).is_file()), None)
    try:
        if text is not None:
            return _read_progress(point, json.loads(text), results, silent_minutes, now)
        if source:
            return _read_done(point, source)
    except DAMAGED as error:
        point.state, point.message = "failed", f"{source}: damaged ({type(error).__name__})"
        return {}
    log = Path(point.log)
    last, age = last_line(log), now - log.stat().st_mtime if log.is_file() else None
    if re.search(r"error|killed|not found|no such", last, re.IGNORECASE):
        point.state, point.message = "failed", last
    elif age is not None and age < 60 * silent_minutes:
        point.state = "running"  # the job has begun its log and is about to say more
    return {}


# What `proformer.training.progress` writes that is read here.
PROGRESS = {
    "state": Literal["starting", "running", "stopped", "failed"], "updated": float, "reason": str, "host": str,
    "slurm_job": str, "epoch": CountOrZero, "epochs": CountOrZero, "best_epoch": CountOrZero, "best_r": float,
    "sequences": CountOrZero, "sequences_per_second": NotNegative, "step": CountOrZero, "steps": CountOrZero,
}  # fmt: skip


def _read_progress(
    point: Point, written: Mapping[str, Any], results: Path, silent_minutes: float, now: float
) -> dict[str, Any]:
    found = {name: check(name, written[name], hint) for name, hint in PROGRESS.items() if written.get(name) is not None}
    for name in ("epoch", "epochs", "best_r", "best_epoch", "sequences_per_second", "host", "slurm_job"):
        if name in found:
            setattr(point, name, found[name])
    point.state = "running" if found["state"] == "starting" else found["state"]
    minutes = (now - found["updated"]) / 60
    if point.state == "running" and minutes > silent_minutes:
        point.state, point.minutes_silent = "silent", minutes
    if point.state in ("silent", "failed"):
        point.message = found.get("reason") or _slurm_message(results, point.slurm_job) or last_line(Path(point.log))
    return {"sequences": found.get("sequences"), "share": found.get("step", 0) / (found.get("steps") or 1)}


def _read_done(point: Point, folder: Path) -> dict[str, Any]:
    description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    with open(folder / "metrics.tsv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    rates = [float(row["sequences_per_second"] or "nan") for row in rows]
    seconds = sum(1 / rate for rate in rates if rate > 0)  # of one sequence per epoch
    point.state, point.epoch, point.best_epoch = "done", len(rows), description["best_epoch"]
    r = rows[point.best_epoch - 1]["validation_r"]
    point.best_r = float(r) if r else None  # undefined where all predictions are equal
    point.sequences_per_second = sum(rate > 0 for rate in rates) / seconds if seconds else None
    point.hours_left = 0.0
    settings = description["training"]
    sequences = int((settings.get("epoch_batches") or 0) * settings["batch_size"] or description["data"]["train"])
    return {"sequences": sequences, "share": 1.0}


def _slurm_message(results: Path, slurm_job: str | None) -> str:
    """What Slurm wrote when it ended a job (time limit, memory, cancelled), where slurm/config.yaml keeps its logs."""
    logs = {path for base in (results, Path("results")) for path in base.glob(f"logs/slurm/**/{slurm_job or '-'}.log")}
    text = "".join(path.read_text(errors="replace") for path in sorted(logs))
    return next((line.strip() for line in reversed(text.splitlines()) if line.startswith("slurmstepd: ")), "")


def _estimate(
    points: Sequence[Point], jobs: Sequence[TrainingJob], work: Sequence[Mapping[str, Any]], kept: Path
) -> None:
    """Hours left of every point, from its own rate, else from that of the nearest model in FLOPs.

    kept: where the workflow keeps the models' costs.
    """
    known = [(point.dataset, found.get("sequences")) for point, found in zip(points, work, strict=True)]
    sequences = {dataset: number for dataset, number in known if number}
    left = [i for i, point in enumerate(points) if point.state != "done" and point.dataset in sequences]
    rates = {i: point.sequences_per_second for i, point in enumerate(points) if point.sequences_per_second}
    unseen = [i for i in left if i not in rates]
    if (seen := list(rates)) and unseen:
        costs, _ = job_costs([jobs[i] for i in (*seen, *unseen)], kept)
        flops = {i: costs[jobs[i].path].training_flops for i in (*seen, *unseen)}
        for i in unseen:
            nearest = min(seen, key=lambda j: abs(math.log(flops[j] / flops[i])))
            rates[i] = rates[nearest] * flops[nearest] / flops[i]
    for i in left:
        if i in rates:
            todo = sequences[points[i].dataset] * points[i].epochs * (1 - work[i].get("share", 0.0))
            points[i].hours_left = todo / rates[i] / 3600


@dataclass(frozen=True)
class Summary:
    """Counts by state; hours of training left, those of so many `unknown` points not among them; and hours until the
    end with as many at once as now (None when nothing runs)."""

    counts: dict[str, int]
    training_hours: float
    unknown: int
    at_once: int
    hours: float | None


def summarise(points: Sequence[Point]) -> Summary:
    """Add up what is left."""
    counts = Counter(point.state for point in points)
    open_points = [point for point in points if point.state != "done"]
    known = [point.hours_left for point in open_points if point.hours_left is not None]
    running = [point.hours_left or 0.0 for point in points if point.state == "running"]
    total, unknown = sum(known), len(open_points) - len(known)
    hours = max(total / len(running), *running) if running and known else None
    return Summary({state: counts[state] for state in STATES}, total, unknown, len(running), hours)


def as_text(points: Sequence[Point], rows: int | None = None) -> str:
    """A plain table; with `rows`, the points that matter most now, and a count of the others."""
    order = ("failed", "silent", "running", "stopped", "done", "waiting")
    listed = sorted(points, key=lambda point: order.index(point.state))
    table = aligned([HEAD, *map(_row, listed[:rows])], right=range(2, 6))
    return table + (f"\n... and {len(listed) - rows} more" if rows is not None and rows < len(listed) else "")


def as_tsv(points: Sequence[Point]) -> str:
    """One line per point with all that is known; what is not known stays empty."""
    import pandas as pd

    table = pd.DataFrame(map(asdict, points), columns=list(Point.__dataclass_fields__), dtype=object)
    return table.to_csv(sep="\t", index=False).rstrip("\n")


def as_json(points: Sequence[Point], total: Summary) -> str:
    """The points and the totals."""
    return json.dumps({"total": asdict(total), "points": [asdict(point) for point in points]}, indent=1)


def _row(point: Point) -> tuple[str, ...]:
    where = point.host or ""
    where += f" (Slurm {point.slurm_job})" if point.slurm_job else ""
    message = point.message
    if point.minutes_silent is not None:
        message = f"no sign of life for {point.minutes_silent:.0f} min; {message}"
    if point.state == "stopped":
        message = "saved; goes on when run again"
    return (
        f"{point.dataset} {point.label} seed {point.seed}",
        point.state,
        f"{point.epoch}/{point.epochs}",
        "" if point.best_r is None else f"{point.best_r:.4f} at {point.best_epoch:>2}",
        "" if point.sequences_per_second is None else f"{point.sequences_per_second:,.0f}",
        "" if point.hours_left is None or point.state == "done" else as_hours(point.hours_left),
        where,
        message,
    )


def failed_jobs(results: Path) -> list[str]:
    """The last lines of the logs of other jobs that ended with wrong input, with their logs."""
    logs = [log for log in sorted((results / "logs").rglob("*.log")) if log.parts[len(results.parts) + 1] != "train"]
    lines = {log: last_line(log) for log in logs}
    return [f"{line} ({log})" for log, line in lines.items() if re.match(r"proformer [\w -]+: error: ", line)]


def total_line(points: Sequence[Point]) -> str:
    """The totals in one line."""
    total = summarise(points)
    parts = [f"{count} {state}" for state, count in total.counts.items() if count]
    line = f"{len(points)} point{'s' * (len(points) != 1)}: {', '.join(parts)}"
    if total.unknown == len(points) - total.counts["done"]:
        return line + ("" if total.counts["done"] == len(points) else "; time left not known yet")
    line += f"; {as_hours(total.training_hours)} of training left"
    line += f", and {total.unknown} points of which nothing is known yet" if total.unknown else ""
    return line + (f"; about {as_hours(total.hours)} with {total.at_once} at once" if total.hours is not None else "")
