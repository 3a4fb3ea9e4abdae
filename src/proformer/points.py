"""Which trainings a configuration asks for: the points of its grids and its single models, once per seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proformer.errors import InputError

GRID_AXES = ("dim", "heads", "blocks", "head", "seed")


@dataclass(frozen=True)
class TrainingJob:
    """One model to train with one seed.

    path: its folder below `models/`. label: the point, or the model's name. config: what `proformer train --config`
    takes ({"model": …, "training": …}, and for single models "recipe"). gpus: of one node; nodes: that share the work.
    """

    path: str
    dataset: str
    label: str
    seed: int
    config: dict[str, Any]
    gpus: int = 1
    nodes: int = 1


def grid_points(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The points of all grids and their convergence pairs: dataset, dim, heads, blocks, head ("AP", "32+GLU"), seed."""
    rows = []
    for dataset, grid in active_grids(config).items():
        pair = grid.get("convergence")
        shapes = [(w, b, h) for w in grid["widths"] for b in grid["blocks"] for h in grid["expression_heads"]]
        shapes += [(pair["width"], pair["blocks"], h) for h in pair["expression_heads"]] if pair else []
        for width, blocks, head in dict.fromkeys(shapes):
            dim, heads = map(int, width.split("/"))
            key = {"dataset": dataset, "dim": dim, "heads": heads, "blocks": blocks, "head": str(head)}
            rows += [key | {"seed": seed} for seed in config["seeds"]]
    return rows


def active_datasets(config: Mapping[str, Any]) -> dict[str, Any]:
    """The data sets; without an ATAC-seq experiment, its windows are none."""
    return {name: keys for name, keys in config["datasets"].items() if config["atac"] or keys["source"] != "atac"}


def active_grids(config: Mapping[str, Any]) -> dict[str, Any]:
    """The grids of the data sets that are there. Raises InputError for a grid of no data set."""
    for name in config["grids"]:
        _known_dataset(config, name, "grids")
    return {name: grid for name, grid in config["grids"].items() if name in active_datasets(config)}


def training_jobs(config: Mapping[str, Any]) -> list[TrainingJob]:
    """Every training of a configuration (with its defaults filled in), grids first."""
    return [_grid_job(config, point) for point in grid_points(config)] + _single_jobs(config)


def packs(jobs: list[TrainingJob], size: int) -> list[list[TrainingJob]]:
    """Trainings that share a job: up to `size` of one data set and seed; those that want several GPUs are not there."""
    groups: dict[tuple[str, int], list[TrainingJob]] = {}
    for job in jobs:
        if job.gpus == job.nodes == 1:
            groups.setdefault((job.dataset, job.seed), []).append(job)
    return [group[i : i + size] for group in groups.values() for i in range(0, len(group), size)]


def point_path(point: Mapping[str, Any]) -> str:
    """Folder of a grid point below `models/`."""
    return f"dataset~{point['dataset']}/{_label(point)}"


def _label(point: Mapping[str, Any]) -> str:
    return "_".join(f"{axis}~{point[axis]}" for axis in GRID_AXES)


def _grid_job(config: Mapping[str, Any], point: Mapping[str, Any]) -> TrainingJob:
    grid = config["grids"][point["dataset"]]
    head, _, glu = point["head"].partition("+")
    model = {axis: point[axis] for axis in ("dim", "heads", "blocks")}
    model |= {"head": "ap"} if head == "AP" else {"head": glu.lower() or "meh", "expression_heads": int(head)}
    return TrainingJob(
        path=point_path(point),
        dataset=point["dataset"],
        label=_label(point),
        seed=point["seed"],
        config={"model": {**grid["model"], **model}, "training": {**(grid["training"] or {}), "seed": point["seed"]}},
    )


def _single_jobs(config: Mapping[str, Any]) -> list[TrainingJob]:
    jobs = []
    for name, keys in config["models"].items():
        model = keys["model"] or name
        if not (Path(__file__).parent / "models" / f"{model}.py").is_file():
            raise InputError(f"models: {name}: no file {model}.py in the models folder")
        for dataset in keys["datasets"]:
            _known_dataset(config, dataset, f"models: {name}")
            if dataset not in active_datasets(config):
                continue
            for seed in keys["seeds"] or config["seeds"]:
                own, training = keys["keys"] or {}, keys["training"] or {}
                settings = {"model": {"model": model, **own}, "training": {**training, "seed": seed}}
                settings |= {"recipe": keys["recipe"]} if keys["recipe"] else {}
                path = f"dataset~{dataset}/model~{name}_seed~{seed}"
                jobs.append(TrainingJob(path, dataset, name, seed, settings, keys["gpus"], keys["nodes"]))
    return jobs


def _known_dataset(config: Mapping[str, Any], name: str, where: str) -> None:
    if name not in config["datasets"]:
        raise InputError(f"{where}: {name!r} is no data set; datasets: {', '.join(config['datasets'])}")
