"""What the schema cannot know of a configuration: keys that contradict each other, and names of other sections."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from proformer.datasets.coverage import Windows
from proformer.datasets.rows import read_rows
from proformer.errors import InputError
from proformer.explain.meme import check_jaspar
from proformer.explain.questions import Study
from proformer.points import active, active_datasets, active_evaluations, active_runs, folds_of
from proformer.settings import did_you_mean, read, within
from proformer.tasks import Task

HEAD = 1 << 16  # bytes of a file whose columns are looked at
BOTH = "both"  # the media of a data set whose models are compared with sets of either
PUBLIC = "public"  # the measured test set of the sequences that the public files name, without the whole of it


def check(config: Mapping[str, Any]) -> None:
    """Raise InputError for the first contradiction of a configuration whose defaults are filled in."""
    datasets = active_datasets(config)
    if config["explain"]:
        _check_explained(config["explain"], config, datasets)
    for name, keys in active(config["benchmarks"]).items():
        for dataset in keys["datasets"]:
            if not (config["datasets"].get(dataset) or {"cross_validation": 1})["cross_validation"]:
                raise InputError(f"benchmarks: {name}: found {dataset}, expected data sets with cross_validation")
        if keys["standard"] not in config["runs"]:
            raise InputError(f"benchmarks: {name}: standard: {keys['standard']!r} is no run")
    for name, keys in datasets.items():
        if keys["test"] == PUBLIC and not (keys["subsets"] and keys["leaderboard"]):
            raise InputError(f"datasets: {name}: found test: public, expected subsets and leaderboard beside it")
        if sum(keys["fractions"].values()) > 1 + 1e-9:
            raise InputError(f"datasets: {name}: found {keys['fractions']}, expected fractions of 1 in all")
        if keys["folds"] and keys["folds"]["test"] >= (number := keys["folds"]["number"]):
            raise InputError(f"datasets: {name}: found {keys['folds']}, expected a test fold below {number}")
        _check_folds(keys, f"datasets: {name}")
        if keys["source"] == "coverage":
            read(Windows, keys["windows"], f"datasets: {name}: windows")
    for name, keys in active_evaluations(config).items():
        for dataset in keys["datasets"]:
            where = f"evaluations: {name}"
            if datasets[dataset]["source"] != "file":
                raise InputError(f"{where}: found {dataset}, windows of a genome; expected promoters")
            medium = datasets[dataset]["medium"]
            if medium not in (keys["medium"], BOTH):
                raise InputError(f"{where}: found the medium {keys['medium']}, but the data set {dataset} has {medium}")
    near = config["near"]
    if near and near["warn_distance"] > near["within"]:
        raise InputError(f"near: found {dict(near)}, expected warn_distance at most within")


def _check_folds(keys: Mapping[str, Any], where: str) -> None:
    """Raise InputError for a cross-validation that the data set's files cannot have."""
    folds = keys["cross_validation"]
    if not folds:
        return
    where += ": cross_validation"
    if keys["source"] == "file" and not keys["split_by"]:
        raise InputError(f"{where}: found no split_by, expected the column of chromosomes or folds")
    if keys["source"] == "file" and (wrong := [key for key in ("outliers", "closed", "trim") if folds[key]]):
        raise InputError(f"{where}: found {wrong[0]}, which is for windows of a genome")
    number = len(active(folds["test"]) if isinstance(folds["test"], Mapping) else folds["test"])
    if folds["validation"] == "others" and number < 3:
        raise InputError(f"{where}: found {number} test folds and validation: others, expected at least 3")
    for fold in folds_of(keys):
        if both := sorted({*fold.test} & {*fold.validation}):
            raise InputError(f"{where}: found {both[0]} in the test and the validation part of {fold.test_name}")


def _check_explained(section: Mapping[str, Any], config: Mapping[str, Any], datasets: Mapping[str, Any]) -> None:
    """What models are asked, before they are trained."""
    for run in (run for key in ("runs", "attributed", "certain") for run in section[key]):
        if run not in config["runs"]:
            raise InputError(f"explain: found the run {run!r}{did_you_mean(run, config['runs'])}")
    for name, keys in section["datasets"].items():
        if name not in config["datasets"]:
            raise InputError(f"explain: datasets: found {name!r}{did_you_mean(name, config['datasets'])}")
        read(Study, {key: value for key, value in (keys or {}).items() if key != "known"}, f"explain: datasets: {name}")
    runs = active_runs(config)
    for name in dict.fromkeys(name for run in section["runs"] if run in runs for name in runs[run]["datasets"]):
        own = section["datasets"].get(name) or {}
        where, keys = f"explain: datasets: {name}" if own else "explain", {**section, **own}
        if str(keys["known"] or "").startswith("jaspar"):
            with within(where):
                check_jaspar(keys["known"])
        tasks = _known_tasks(datasets[name])
        if keys["task"] and tasks and keys["task"] not in tasks:
            known = did_you_mean(keys["task"], tasks)
            raise InputError(f"{where}: found the task {keys['task']!r}, none of {name}{known}")


def _known_tasks(keys: Mapping[str, Any]) -> list[str]:
    """The names of a data set's tasks, as far as they are known before its files are fetched."""
    if keys["source"] == "coverage":
        return [*keys["peaks" if keys["windows"].get("kind") == "binary" else "tracks"]]
    if keys["source"] == "atac" or keys["targets"]:
        return ["accessibility"] if keys["source"] == "atac" else keys["targets"]
    files = [keys["train"]] if isinstance(keys["train"], str) else keys["train"]
    if all(file.startswith("simulated/") for file in files):
        return [*Task().names]
    if keys["values"] or not Path(files[0]).is_file():
        return []
    with suppress(InputError):
        rows = next(read_rows(Path(files[0]), size=HEAD))
        return [*Task.named(rows.names, len(rows.targets)).names]
    return []
