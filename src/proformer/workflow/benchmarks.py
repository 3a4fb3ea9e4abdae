"""Cross-validated data sets: which models leave which fold out, and the benchmarks that compare them."""

from pathlib import Path
from typing import Any

from proformer.planning.data import training_files
from proformer.points import Fold, TrainingJob, active
from proformer.workflow.results import Results


def test_folds(results: Results, dataset: str) -> dict[str, Fold]:
    """The first draw of each test fold of a data set, which has the fold's sequences as all its draws have."""
    return {fold.test_name: fold for fold in reversed(results.folds.get(dataset, []))}


def jobs_of(results: Results, dataset: str, test: str) -> list[TrainingJob]:
    """The trainings that leave out a test fold of a data set."""
    names = {fold.name for fold in results.folds[dataset] if fold.test_name == test}
    return [job for job in results.jobs.values() if job.dataset == dataset and job.fold in names]


def compared(results: Results) -> dict[str, dict[str, Any]]:
    """The benchmarks that are not switched off, with those of their data sets on which models are trained."""
    trained = {job.dataset for job in results.jobs.values() if job.fold}
    found = {}
    for name, keys in active(results.config["benchmarks"]).items():
        if own := [dataset for dataset in keys["datasets"] if dataset in trained]:
            found[name] = {**keys, "datasets": own, "title": keys["title"] or name}
    return found


def simulated_files(results: Results, benchmark: str) -> dict[str, str]:
    """The simulated files of a benchmark's data sets, as the table of ceilings calls them."""
    named = {dataset: training_files(results.datasets[dataset]) for dataset in compared(results)[benchmark]["datasets"]}
    return {
        dataset: Path(files[0]).stem
        for dataset, files in named.items()
        if files and files[0].startswith("simulated_benchmarks/")
    }


def predicted(results: Results, job: TrainingJob) -> str:
    """What a model predicts of its test fold."""
    return f"{results.folder}/predictions/{job.path}/test.safetensors"
