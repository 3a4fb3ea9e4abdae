"""Options of commands, and what their jobs ask for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from proformer.planning.cost import Cost, host_megabytes, job_cost
from proformer.points import TrainingJob
from proformer.workflow.results import PUBLIC, Results


def as_yaml(keys: Any) -> str:
    """Settings as one line."""
    return yaml.safe_dump(keys, default_flow_style=True, width=10**6).strip()


def option(flag: str, value: Any) -> str:
    """A command-line option, or nothing."""
    values = [value] if isinstance(value, str | int | float) else list(value or [])
    return " ".join([flag, *(shlex.quote(str(item)) for item in values)]) if values not in ([], [""]) else ""


def split_options(keys: Mapping[str, Any]) -> str:
    """How a data set is split, beyond its fractions."""
    return f"--by {keys['split']}" + (f" --block {keys['block']}" if keys["block"] else "")


def score_options(results: Results, dataset: str) -> str:
    """Options of `proformer score` for the data at hand."""
    keys = results.datasets[dataset]
    public = keys["test"] == PUBLIC
    options = [f"--part {PUBLIC} --partial" if public else f"--part {keys['part']}"]
    options += [] if public else [option("--truth", results.raw(keys["test"]))]
    options += [option(f"--{key}", results.raws(dataset, key)) for key in ("subsets", "leaderboard")]
    return " ".join(options)


def measured_options(keys: Mapping[str, Any]) -> str:
    """Options of `proformer measured` for an evaluation set."""
    options = [f"--flanks {shlex.join(keys['flanks'])}", option("--rows", keys["rows"])]
    return " ".join([*options, option("--medium", keys["medium"])])


def peer_options(results: Results, evaluation: str) -> str:
    """Options of `proformer peers` for an evaluation set."""
    keys = results.evaluations[evaluation]
    published = [f"{model}={results.raw(file)}" for model, file in keys["published"].items()]
    predictions = [f"{name}={path}" for name, path in results.evaluation_models(evaluation).items()]
    words = ["--title", keys["title"] or evaluation, "--flanks", *keys["flanks"]]
    words += ["--printed", keys["printed"]] if keys["printed"] else []
    words += ["--published", *published, "--predictions", *predictions]
    return f"{shlex.join(words)} {option('--medium', keys['medium'])}"


def launcher(job: TrainingJob, config: Mapping[str, Any]) -> str:
    """What starts the processes of a training: python alone, torchrun on a node, or srun on several nodes."""
    if job.nodes > 1:
        gpus = f" --gpus-per-node={job.gpus}" if config["device"] == "cuda" else ""
        return (
            f"srun --kill-on-bad-exit=1 --nodes={job.nodes} --ntasks-per-node={job.gpus}{gpus}"
            f" --cpus-per-task={config['threads']} python"
        )
    if job.gpus > 1:
        # After SIGTERM, the processes have so many seconds to write a checkpoint.
        return f"python -m torch.distributed.run --standalone --nproc-per-node={job.gpus} --shutdown-timeout=120"
    return "python"


def minutes_for(size_mb: float, per_gb: float, attempt: int) -> int:
    """Minutes for a job that reads `size_mb`, at `per_gb` minutes per gigabyte."""
    return attempt * (15 + int(per_gb * size_mb / 1000))


def cost_of(job: TrainingJob, results: Results) -> Cost:
    """What a training's model costs, counted once per folder of results."""
    return job_cost(job.config, 100, Path(results.folder) / "costs.json")


def training_memory(jobs: Sequence[TrainingJob], at_once: int, store_mb: float, results: Results) -> int:
    """Megabytes of a node: of the largest models that a job trains at the same time, per process."""
    sizes = []
    for job in jobs:
        rows = 0 if results.config["device"] == "cuda" else job.config["training"].get("batch_size", 512)
        sizes.append(host_megabytes(cost_of(job, results), job.gpus, store_mb, rows))
    return sum(sorted(sizes, reverse=True)[: max(1, at_once)])


def training_minutes(jobs: Sequence[TrainingJob], at_once: int, store_mb: float, results: Results) -> int:
    """Minutes: half an hour, and the operations of all epochs at a modest rate.

    Rates: 10 TFLOP/s of a GPU, 5 GFLOP/s of a CPU thread. At most a day for the first attempt, since a queue may never
    start what asks for more than it allows; training that takes longer goes on with the next one.
    """
    config = results.config
    rate = 1e13 if config["device"] == "cuda" else 5e9 * config["threads"] * at_once
    work = 0.0
    for job in jobs:
        each = cost_of(job, results).training_flops / 100  # a byte of the store is a nucleotide
        work += each * store_mb * 1e6 * job.config["training"].get("epochs", 20) / (job.gpus * job.nodes)
    return min(30 + int(work / rate / 60), 24 * 60)


def checkpoint_minutes(asked: float, runtime: Any) -> float:
    """An interrupted training loses at most this much, and a short one at most a twentieth of its time."""
    return min(asked, runtime / 20) if isinstance(runtime, int) else asked
