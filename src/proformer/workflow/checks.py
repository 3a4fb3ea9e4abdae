"""What the schema cannot know of a configuration: keys that contradict each other, and names of other sections."""

from collections.abc import Mapping
from typing import Any

from proformer.datasets.coverage import Windows
from proformer.errors import InputError
from proformer.explain.questions import Study
from proformer.points import active, active_datasets, active_evaluations, folds_of
from proformer.settings import did_you_mean, read

BOTH = "both"  # the media of a data set whose models are compared with sets of either
PUBLIC = "public"  # the measured test set of the sequences that the public files name, without the whole of it


def check(config: Mapping[str, Any]) -> None:
    """Raise InputError for the first contradiction of a configuration whose defaults are filled in."""
    datasets = active_datasets(config)
    if unknown := [
        run
        for key in ("runs", "certain")
        for run in (config["explain"] or {}).get(key, ())
        if run not in config["runs"]
    ]:
        raise InputError(f"explain: found the run {unknown[0]!r}{did_you_mean(unknown[0], config['runs'])}")
    for name, keys in (config["explain"] or {}).get("datasets", {}).items():
        if name not in config["datasets"]:
            raise InputError(f"explain: datasets: found {name!r}{did_you_mean(name, config['datasets'])}")
        read(Study, {key: value for key, value in (keys or {}).items() if key != "known"}, f"explain: datasets: {name}")
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
