"""Which models are scored on the DREAM test set, what they are called there, and which of them Figure 4 shows."""

from collections import Counter

from proformer.evaluation.heads import head_of, head_title
from proformer.points import TrainingJob
from proformer.workflow.results import Grid, Results

Jobs = dict[str, TrainingJob]  # by their name in tables and figures


def scored_jobs(results: Results, dataset: str) -> Jobs:
    """The trainings that are scored, those of runs of which only some points predict behind the others.

    Grids of blocks are scored by themselves.
    """
    own = [job for job in results.predicting_jobs(dataset) if not results.combines_blocks(job.run)]
    jobs = sorted(own, key=lambda job: _only_some(results, job))
    names = Counter((_model_name(job), job.seed) for job in jobs if not _only_some(results, job))
    found = {}
    for job in jobs:
        name = _model_name(job)
        if _only_some(results, job) or names[name, job.seed] > 1:
            name = f"{job.run} {name}"
        found[f"{name} (seed {job.seed})"] = job
    return found


def scored_files(results: Results, dataset: str) -> dict[str, str]:
    """Predictions of the test set by name: those of trained models, and submissions from elsewhere."""
    jobs = scored_jobs(results, dataset)
    return {name: results.predictions(job)["test"] for name, job in jobs.items()} | results.submissions(dataset)


def finals(results: Results, dataset: str) -> Jobs:
    """The models of Figure 4: those of runs whose points all predict, or else all that do."""
    named = scored_jobs(results, dataset)
    return {name: job for name, job in named.items() if not _only_some(results, job)} or named


def density_models(results: Results, dataset: str) -> dict[str, str]:
    """The models of Figure 4 with their first seed, and submissions: how file names call each."""
    jobs = {name: job for name, job in finals(results, dataset).items() if not is_baseline(job)}
    first: dict[str, str] = {}
    for job in jobs.values():
        first.setdefault(job.label, job.path)
    trained = {name: job.label for name, job in jobs.items() if job.path == first[job.label]}
    return trained | {name: name for name in results.submissions(dataset)}


def learning_curves(results: Results, dataset: str) -> Grid | None:
    """Figure 4a: the first grid of final models with a pair of heads, whose curves are drawn."""
    grids = (Grid(job.run, dataset) for job in finals(results, dataset).values())
    return next((grid for grid in grids if results.pair(grid)), None)


def epochs_tables(results: Results, dataset: str) -> list[str]:
    """The table of Figure 4a's learning curves, where there is one."""
    grid = learning_curves(results, dataset)
    return [f"{results.folder}/tables/{dataset}/{grid.run}/epochs.tsv"] if grid else []


def is_baseline(job: TrainingJob) -> bool:
    """Whether a model is what others have to beat."""
    return job.config["model"]["model"] == "kmers"


def _only_some(results: Results, job: TrainingJob) -> bool:
    return results.runs[job.run]["predict"] is not True


def _model_name(job: TrainingJob) -> str:
    """A Proformer is called by its head, any other model by its run and levels."""
    return head_title(head_of(job.config["model"])) if job.config["model"]["model"] == "proformer" else job.label
