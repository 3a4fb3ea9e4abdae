"""Which models are scored on the DREAM test set, what they are called there, and which of them Figure 4 shows."""

from __future__ import annotations

from typing import Any

from proformer.evaluation.finals import display_name
from proformer.points import TrainingJob
from proformer.workflow.results import Results

Jobs = dict[str, TrainingJob]  # by their name in tables and figures


def scored_jobs(results: Results, dataset: str) -> Jobs:
    """The trainings that are scored: single models, then the convergence pair."""
    jobs, pair = results.single_models(dataset), results.grid_jobs(dataset, pair=True)
    names = [name for _, name in {(job.label, _model_name(job)) for job in jobs}]
    found = {}
    for job in [*jobs, *pair]:
        name = _model_name(job)
        if job in pair:
            name = f"grid {name}"
        elif names.count(name) > 1:
            name = f"{job.label} {name}"
        found[f"{name} (seed {job.seed})"] = job
    return found


def finals(results: Results, dataset: str) -> Jobs:
    """The models of Figure 4: the single models, or the convergence pair where there are none."""
    named, single = scored_jobs(results, dataset), {job.path for job in results.single_models(dataset)}
    return {name: job for name, job in named.items() if job.path in single} or named


def density_jobs(results: Results, dataset: str) -> Jobs:
    """The models of Figure 4 with their first seed."""
    jobs = finals(results, dataset)
    first: dict[str, str] = {}
    for job in jobs.values():
        first.setdefault(job.label, job.path)
    return {name: job for name, job in jobs.items() if job.path == first[job.label]}


def learning_curves(results: Results, dataset: str) -> tuple[str, list[TrainingJob]]:
    """Figure 4a: the head of the final model, the one with most expression heads, and the jobs of it and of average
    pooling at its size; no jobs when either is lacking.
    """
    jobs = [job for job in finals(results, dataset).values() if _is_proformer(job)]
    models: dict[str, Any] = {job.path: {"head": "meh", "expression_heads": 32} | job.config["model"] for job in jobs}
    several = [model for model in models.values() if model["head"] == "meh"]
    final: dict[str, Any] = max(several, key=lambda model: model["expression_heads"], default={})
    shown = [
        job
        for job in jobs
        if all(models[job.path].get(key) == final.get(key) for key in ("dim", "heads", "blocks"))
        and (models[job.path]["head"] == "ap" or models[job.path]["expression_heads"] == final["expression_heads"])
        and models[job.path]["head"] != "glu"
    ]
    both = {models[job.path]["head"] for job in shown} == {"ap", "meh"}
    return str(final.get("expression_heads", "")), shown if both else []


def _is_proformer(job: TrainingJob) -> bool:
    return job.config["model"].get("model", "proformer") == "proformer"


def _model_name(job: TrainingJob) -> str:
    """A Proformer is called by its head, any other model by its name in the configuration."""
    return display_name(job.config["model"]) if _is_proformer(job) else job.label
