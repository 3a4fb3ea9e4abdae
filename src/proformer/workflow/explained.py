"""Which models are asked what they have learnt, and how sure they are."""

from typing import Any

from proformer.points import TrainingJob
from proformer.workflow.checks import PUBLIC
from proformer.workflow.results import Results

NO_QUESTIONS = ("runs", "attributed", "certain", "drift", "datasets")


def asked(results: Results) -> dict[str, list[TrainingJob]]:
    """The data sets of the runs whose models are asked what they have learnt, with the trainings of these."""
    return _of_runs(results, "runs")


def attributed(results: Results, dataset: str) -> list[TrainingJob]:
    """Further trainings on a data set, of whose models attribution alone is asked."""
    asked_all = asked(results)[dataset]
    return [job for job in _of_runs(results, "attributed").get(dataset, ()) if job not in asked_all]


def questions(results: Results, dataset: str) -> dict[str, Any]:
    """What is asked of the models of a data set: the keys of the section, and over them those of the data set."""
    section = results.config["explain"]
    common = {name: value for name, value in section.items() if name not in NO_QUESTIONS}
    return common | (section["datasets"].get(dataset) or {})


def known_motifs(results: Results, dataset: str) -> list[str]:
    """Where the file of a data set's known motifs lies; nothing for JASPAR's."""
    known = questions(results, dataset)["known"]
    return [results.raw(known)] if known in results.motif_files else []


def certain(results: Results) -> dict[str, list[TrainingJob]]:
    """The scored data sets whose models' certainty is measured, with the trainings; seeds one after the other."""
    found = {name: [job for job in jobs if job.predicts] for name, jobs in _of_runs(results, "certain").items()}
    return {name: jobs for name, jobs in found.items() if jobs and name in results.scored and _has_test(results, name)}


def mutants(results: Results) -> list[str]:
    """Where the mutants lie on whose changes the certain models are scored, if there are any."""
    file = (results.config["explain"] or {}).get("drift")
    return [results.raw(file)] if file else []


def _has_test(results: Results, dataset: str) -> bool:
    """Whether the whole measured test set of a data set is at hand."""
    return results.datasets[dataset]["test"] not in (None, PUBLIC)


def tables(results: Results, dataset: str) -> list[str]:
    """The tables of what the models of a data set have learnt, by their names."""
    keys = questions(results, dataset)
    known = ["motifs", "filters", "filter_logos"] if keys["known"] or knows_truth(results, dataset) else []
    patterns = any(keys[name] for name in ("patterns", "flanks", "pair", "occlude"))
    return ["attribution", "logos", *known, *["importance"] * patterns, *["design"] * bool(keys["designs"])]


def knows_truth(results: Results, dataset: str) -> bool:
    """Whether a data set is of simulated promoters, about which the simulator can be asked."""
    return results.is_simulated(dataset) and results.datasets[dataset]["source"] == "file"


def _of_runs(results: Results, key: str) -> dict[str, list[TrainingJob]]:
    runs = results.config["explain"][key] if results.config["explain"] else []
    found: dict[str, list[TrainingJob]] = {}
    for job in results.jobs.values():
        if job.run in runs:
            found.setdefault(job.dataset, []).append(job)
    return found
