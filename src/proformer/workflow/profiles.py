"""Which models of coverage and of labels are scored as profiles, and on which windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proformer.errors import InputError
from proformer.evaluation.judgement import Judgement
from proformer.planning.data import variant_files
from proformer.points import TrainingJob, active
from proformer.settings import did_you_mean, read

if TYPE_CHECKING:
    from proformer.workflow.results import Results


def judged(results: Results) -> dict[str, dict[str, Any]]:
    """How models of coverage are scored, by name; without those whose test set or models are switched off."""
    found = {}
    for name, keys in active(results.config["profiles"]).items():
        for dataset in (keys["test"], *keys["datasets"]):
            if dataset not in results.config["datasets"]:
                raise InputError(
                    f"profiles: {name}: {dataset!r} is no data set{did_you_mean(dataset, results.datasets)}"
                )
        if keys["test"] in results.datasets and keys["test"] not in results.coverage_tests:
            raise InputError(f"profiles: {name}: {keys['test']} has no test part of coverage; set its chromosomes")
        read(Judgement, keys["settings"] or {}, f"profiles: {name}: settings")
        if keys["test"] in results.datasets and jobs(results, name):
            found[name] = keys
    return found


def variants(results: Results, name: str) -> list[str]:
    """The files of the variants on which a set of profiles is scored."""
    keys = results.profiles[name]
    files = [results.raw(file) for file in variant_files(keys)]
    if files and not keys["variants"]["loci"]:
        files[0] = results.laid_out(keys["variants"]["sequences"])
    return files


def datasets(results: Results) -> set[str]:
    """The data sets whose models are scored as profiles: tables of their own say what grids' tables do."""
    return {dataset for keys in judged(results).values() for dataset in keys["datasets"]}


def jobs(results: Results, name: str) -> list[TrainingJob]:
    """The trainings whose models a set of profiles scores."""
    datasets = results.config["profiles"][name]["datasets"]
    return [job for job in results.jobs.values() if job.dataset in datasets and job.predicts]


def test(results: Results, name: str) -> str:
    """The store that they are scored on: the test part is the same for all seeds."""
    dataset = results.config["profiles"][name]["test"]
    return f"{results.folder}/data/{dataset}/seed~{results._seed(dataset)}/test.safetensors"
