"""Which trainings a configuration asks for: the points of its runs, each on some data sets, once per seed.

A run is a model with its settings. `vary` gives it axes; a point is one level of each axis. An axis is a list of values
of a model's key (`blocks: [1, 2]`), a list in a shorthand of the model (`SHORTHANDS`), or a mapping of named levels to
the settings that each of them changes (`rate: {slow: {training: {learning_rate: 0.001}}, fast: {}}`).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from proformer.errors import InputError

Keys = dict[str, Any]
COLUMNS = ("dataset", "run", "model", "fold", "seed", "evaluation", "n", "metric", "value", "low", "high", "r", "epoch")
AT_ONCE = 8  # trainings of a pack on CPUs: not more than most nodes have room for
SETTINGS = ("model", "recipe", "keys", "training")  # of a run, which a level of an axis may change


@dataclass(frozen=True)
class TrainingJob:
    """One model to train on one data set with one seed.

    path: its folder below `models/`. config: what `proformer train --config` takes. axes: the point's levels. data:
    see `facts`. gpus: of one node; nodes: that share the work. predicts: whether the model predicts the test and
    evaluation sets of its data set. fold: of a cross-validated data set. needs: the folder of
    the model of the bias that is part of this one.
    """

    path: str
    run: str
    dataset: str
    seed: int
    config: dict[str, Any]
    axes: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    gpus: int = 1
    nodes: int = 1
    predicts: bool = True
    fold: str = ""
    needs: str = ""

    @property
    def draw(self) -> str:
        """The draw of its training and validation part, as its folder is called."""
        return f"fold~{self.fold}" if self.fold else f"seed~{self.seed}"

    @property
    def label(self) -> str:
        """The run and the levels of its axes: "grid 64/2 4 AP"."""
        return " ".join([self.run, *map(str, self.axes.values())])


@dataclass(frozen=True)
class Fold:
    """One draw of a cross-validated data set: its test fold, and which validation fold of the rest.

    test, validation: names of the chromosomes or folds that are held out; nested: of a validation part that is drawn,
    how many folds the rest has, and which one it is.
    """

    name: str
    test_name: str
    test: tuple[str, ...]
    validation: tuple[str, ...] = ()
    nested: tuple[int, int] | None = None


def folds_of(dataset: Mapping[str, Any]) -> list[Fold]:
    """The draws of a data set's cross-validation that are trained; none without it.

    Raises InputError for folds that are not there.
    """
    keys = dataset.get("cross_validation")
    if not keys:
        return []
    given = keys["test"]
    test = (
        {str(name): tuple(map(str, names)) for name, names in active(given).items()}
        if isinstance(given, Mapping)
        else {str(name): (str(name),) for name in given}
    )
    found = []
    for name in map(str, keys["only"] or test):
        if name not in test:
            raise InputError(f"cross_validation: only: {name!r} is no test fold; test: {', '.join(test)}")
        found += [
            Fold(f"{name}-{number}", name, test[name], *draw)
            for number, draw in enumerate(_validations(name, test, keys["validation"]))
        ][: keys["averages"]]
    return found


def _validations(
    name: str, test: Mapping[str, tuple[str, ...]], validation: Any
) -> list[tuple[tuple[str, ...], tuple[int, int] | None]]:
    """The validation parts of a test fold: drawn of the rest, each other test fold, or chromosomes by name."""
    if isinstance(validation, int):
        return [((), (validation, number)) for number in range(validation)]
    if validation == "others":
        return [(names, None) for other, names in test.items() if other != name]
    if name not in validation:
        raise InputError(f"cross_validation: validation: found no chromosomes for the test fold {name!r}")
    return [(tuple(validation[name]), None)]


def training_jobs(config: Mapping[str, Any]) -> list[TrainingJob]:
    """Every training of a configuration whose defaults are filled in. Raises InputError for runs that are wrong."""
    jobs = [job for run, keys in active_runs(config).items() for job in _jobs(config, run, keys)]
    jobs = [_with_bias(config, job, jobs) for job in jobs]
    if twice := [path for path, count in Counter(job.path for job in jobs).items() if count > 1]:
        raise InputError(f"runs: found two points for the folder {twice[0]}, expected levels with names of their own")
    return jobs


def _with_bias(config: Mapping[str, Any], job: TrainingJob, jobs: Iterable[TrainingJob]) -> TrainingJob:
    """A training whose bias_weights, "run:NAME", are the folder of that run's model of the same fold and seed."""
    name = str(job.config["model"].get("bias_weights") or "")
    if not name.startswith("run:"):
        return job
    wanted = name.removeprefix("run:"), job.fold, job.seed
    found = next((other for other in jobs if (other.run, other.fold, other.seed) == wanted), None)
    if found is None:
        raise InputError(f"runs: {job.run}: bias_weights: found no model of {wanted[0]} for fold {job.fold or 'none'}")
    model = {**job.config["model"], "bias_weights": f"{config['results'].rstrip('/')}/models/{found.path}"}
    return replace(job, config={**job.config, "model": model}, needs=found.path)


def active(section: Mapping[str, Any] | None) -> dict[str, Any]:
    """The entries of a section that are not null."""
    return {name: keys for name, keys in (section or {}).items() if keys is not None}


def active_datasets(config: Mapping[str, Any]) -> dict[str, Any]:
    """The data sets that are not switched off; those of an experiment go with it."""
    sets = active(config["datasets"])
    return {name: keys for name, keys in sets.items() if config["atac"] or not _of_experiment(keys)}


def _of_experiment(keys: Mapping[str, Any]) -> bool:
    """Whether a data set is windows of the ATAC-seq experiment, or profiles of its files (atac/…)."""
    tracks = (keys.get("tracks") or {}).values()
    return keys["source"] == "atac" or any(file.startswith("atac/") for file in tracks)


def active_runs(config: Mapping[str, Any]) -> dict[str, Any]:
    """The runs that are not switched off, with those of their data sets that are not."""
    return _with_datasets(config, "runs")


def active_evaluations(config: Mapping[str, Any]) -> dict[str, Any]:
    """The evaluation sets that are not switched off, with those of their data sets that are not."""
    return _with_datasets(config, "evaluations")


def _with_datasets(config: Mapping[str, Any], section: str) -> dict[str, Any]:
    there, found = active_datasets(config), {}
    for name, keys in active(config[section]).items():
        for dataset in keys["datasets"]:
            if dataset not in config["datasets"]:
                raise InputError(
                    f"{section}: {name}: {dataset!r} is no data set; datasets: {', '.join(config['datasets'])}"
                )
        if own := [dataset for dataset in keys["datasets"] if dataset in there]:
            found[name] = {**keys, "datasets": own}
    return found


def packs(jobs: Iterable[TrainingJob], size: int) -> list[list[TrainingJob]]:
    """Trainings that share a job: up to `size` of one data set and seed, but for those that want several GPUs."""
    groups: dict[tuple[str, int], list[TrainingJob]] = {}
    for job in jobs:
        if job.gpus == job.nodes == 1:
            groups.setdefault((job.dataset, job.seed), []).append(job)
    return [group[i : i + size] for group in groups.values() for i in range(0, len(group), size)]


def _jobs(config: Mapping[str, Any], run: str, keys: Mapping[str, Any]) -> Iterator[TrainingJob]:
    points = _points(run, keys)
    for dataset, (axes, predicts) in product(keys["datasets"], points):
        settings = _settings(run, keys, axes)
        names = [fold.name for fold in folds_of(config["datasets"][dataset])] or [""]
        for fold, seed in product(names, keys["seeds"] or config["seeds"]):
            point = axes | ({"fold": fold} if fold else {})
            levels = [f"{axis}~{_plain(level)}" for axis, level in point.items()]
            yield TrainingJob(
                path=f"dataset~{dataset}/{'_'.join([f'run~{run}', *levels, f'seed~{seed}'])}",
                run=run,
                dataset=dataset,
                seed=seed,
                config=settings
                | {"training": {**settings["training"], "seed": seed}}
                | ({"diverged": "keep"} if keys.get("diverged") == "keep" else {})
                | {"point": {"run": run, "dataset": dataset, "axes": point, "seed": seed}},
                axes=axes,
                data=facts(config, dataset),
                gpus=keys["gpus"],
                nodes=keys["nodes"],
                predicts=predicts,
                fold=fold,
            )


def facts(config: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """What a data set says of its sequences and targets: see `proformer.models.resolve`."""
    keys = config["datasets"][dataset]
    if keys["source"] != "coverage":
        length = config["atac"]["windows"]["length"] if keys["source"] == "atac" else keys["length"]
        return {"length": length, "flanks": keys["flanks"], "tasks": max(1, len(keys.get("targets", ())))}
    windows = {"window": 3072, "bin": 1} | keys["windows"]
    found = {"length": windows["window"], "flanks": ["", ""], "tasks": len(keys["tracks"] or keys["peaks"])}
    profile = {"bin": windows["bin"], "target": windows.get("target") or windows["window"]}
    return found | (profile if windows.get("kind") != "binary" else {})


def _plain(level: Any) -> str:
    """A level as a part of a file's name: "64-2" for "64/2"."""
    return re.sub(r"[^A-Za-z0-9.+]+", "-", str(level)).strip("-")


def _points(run: str, keys: Mapping[str, Any]) -> list[tuple[dict[str, Any], bool]]:
    """The points of a run, as levels by axis, and whether each predicts.

    Where `predict` names levels, only their combinations predict; they are there even when the axes do not list them.
    """
    vary, some = active(keys["vary"]), keys["predict"]
    if taken := [axis for axis in vary if axis in COLUMNS]:
        raise InputError(f"runs: {run}: vary: tables have a column {taken[0]} already; name the axis otherwise")
    axes = {axis: [*active(levels)] if isinstance(levels, Mapping) else levels for axis, levels in vary.items()}
    if not isinstance(some, Mapping):
        return [(point, bool(some)) for point in _product(axes)]
    if unknown := sorted(some.keys() - axes.keys()):
        raise InputError(f"runs: {run}: predict: {unknown[0]!r} is no axis; vary: {', '.join(axes) or 'nothing'}")
    chosen = _product(axes | {axis: level if isinstance(level, list) else [level] for axis, level in some.items()})
    return [(point, point in chosen) for point in [*_product(axes), *(p for p in chosen if p not in _product(axes))]]


def _product(axes: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(axes, levels, strict=True)) for levels in product(*axes.values())]


def _settings(run: str, keys: Mapping[str, Any], point: Mapping[str, Any]) -> Keys:
    """What `proformer train --config` takes for a point: the run's settings, changed by the level of each axis."""
    found = {name: keys[name] for name in SETTINGS}
    for axis, level in point.items():
        for name, value in _level(run, keys, axis, level).items():
            found[name] = joined(found[name] or {}, value) if isinstance(value, Mapping) else value
    model = {"model": found["model"] or run, **(found["keys"] or {})}
    return {"model": model, "training": found["training"] or {}} | (
        {"recipe": found["recipe"]} if found["recipe"] else {}
    )


def joined(keys: Mapping[str, Any], over: Mapping[str, Any]) -> Keys:
    """Settings with others over them, at every depth, as Snakemake lays one configuration file over another."""
    both = [name for name, value in over.items() if isinstance(value, Mapping) and isinstance(keys.get(name), Mapping)]
    return {**keys, **over, **{name: joined(keys[name], over[name]) for name in both}}


def _level(run: str, keys: Mapping[str, Any], axis: str, level: Any) -> Keys:
    """The settings that a level of an axis changes."""
    levels = keys["vary"][axis]
    if isinstance(levels, Mapping):
        if level not in active(levels):
            raise InputError(f"runs: {run}: {axis}: {level!r} is no level; expected one of {', '.join(levels)}")
        return levels[level]
    shorthand = SHORTHANDS.get(keys["model"] or run, {}).get(axis)
    try:
        return {"keys": shorthand(str(level)) if shorthand else {axis: level}}
    except ValueError as error:
        raise InputError(f"runs: {run}: {axis}: found {level!r}, expected {error}") from None


def _width(text: str) -> Keys:
    if not re.fullmatch(r"[1-9]\d*/[1-9]\d*", text):
        raise ValueError("width/attention heads, such as 64/2")
    dim, heads = map(int, text.split("/"))
    return {"dim": dim, "heads": heads}


def _head(text: str) -> Keys:
    if text == "AP":
        return {"head": "ap"}
    if not re.fullmatch(r"[1-9]\d*([+]GLU)?", text):
        raise ValueError("AP (average pooling), or a number of expression heads, such as 32 or 32+GLU")
    number, _, glu = text.partition("+")
    return {"head": "glu" if glu else "meh", "expression_heads": int(number)}


# Axes that write several keys of a model in one word, as the paper's figures do: model → axis → level to keys.
SHORTHANDS: dict[str, dict[str, Callable[[str], Keys]]] = {"proformer": {"width": _width, "head": _head}}
