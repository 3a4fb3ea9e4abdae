"""Which models are scored on the DREAM test set, and from which files."""

from proformer.evaluation.finals import display_name

# The measured test set of the sequences that the public files name, for a run without the whole of it.
PUBLIC = "public"
SCORED = [name for name, keys in DATASETS.items() if keys["test"] and keys["leaderboard"]]


for name, keys in DATASETS.items():
    if keys["test"] == PUBLIC and not (keys["subsets"] and keys["leaderboard"]):
        raise WorkflowError(f"datasets: {name}: found test: public, expected subsets and leaderboard beside it")


def scored_jobs(dataset):
    """The trainings that are scored, by their name in tables and figures: single models, then the convergence pair."""
    jobs = single_models(dataset)
    paths = grid_paths(dataset, convergence=True) if GRIDS.get(dataset, {}).get("convergence") else []
    pair = [JOBS[path] for path in paths]
    heads = [name for _, name in {(job.label, model_name(job)) for job in jobs}]
    found = {}
    for job in [*jobs, *pair]:
        name = model_name(job)
        if job in pair:
            name = f"grid {name}"
        elif heads.count(name) > 1:
            name = f"{job.label} {name}"
        found[f"{name} (seed {job.seed})"] = job
    return found


def model_name(job):
    """A Proformer is called by its head, any other model by its name in the configuration."""
    model = job.config["model"]
    return display_name(model) if model.get("model", "proformer") == "proformer" else job.label


def score_files(dataset, key):
    """The tables of subsets, or the files of the leaderboard."""
    return [raw(name) for name in config["datasets"][dataset][key]]


def score_options(dataset):
    """Options of `proformer score` for the data at hand."""
    keys = config["datasets"][dataset]
    options = [f"--part {PUBLIC} --partial" if keys["test"] == PUBLIC else f"--part {keys['part']}"]
    if keys["test"] != PUBLIC:
        options.append(f"--truth {shlex.quote(raw(keys['test']))}")
    for key in ("subsets", "leaderboard"):
        options.append(option(f"--{key}", score_files(dataset, key)))
    return " ".join(options)


def finals(dataset):
    """The models of Figure 4: the single models, or the convergence pair where there are none."""
    named, single = scored_jobs(dataset), {job.path for job in single_models(dataset)}
    return {name: job for name, job in named.items() if job.path in single} or named


def where(column, values):
    """An option of draw.py: rows with one of these values."""
    return f"--where {shlex.quote(f'{column}={chr(44).join(map(str, values))}')}"


def learning_curves(dataset):
    """Figure 4a: the head of the final model, the one with most expression heads, and the jobs of it and of average
    pooling at its size; no jobs when either is lacking.
    """
    jobs = [job for job in finals(dataset).values() if job.config["model"].get("model", "proformer") == "proformer"]
    models = {job.path: {"head": "meh", "expression_heads": 32} | job.config["model"] for job in jobs}
    several = [model for model in models.values() if model["head"] == "meh"]
    final = max(several, key=lambda model: model["expression_heads"], default={})
    shown = [
        job
        for job in jobs
        if all(models[job.path].get(key) == final.get(key) for key in ("dim", "heads", "blocks"))
        and (models[job.path]["head"] == "ap" or models[job.path]["expression_heads"] == final["expression_heads"])
        and models[job.path]["head"] != "glu"
    ]
    both = {models[job.path]["head"] for job in shown} == {"ap", "meh"}
    return str(final.get("expression_heads", "")), shown if both else []


def score_tables():
    """Table pages of the report."""
    return [f"{dataset}/run/{name}" for dataset in SCORED for name in ("scores", "ranks", "differences")]


def score_figures():
    """Figure 4, once per data set whose test set is scored."""
    figures = []
    for dataset in SCORED:
        figures += [f"fig4b_{dataset}_run", f"fig4subsets_{dataset}_run"]
        figures += [f"fig4a_{dataset}_run"] if learning_curves(dataset)[1] else []
        figures += [f"fig4density_{dataset}_{job.label}_run" for job in density_jobs(dataset).values()]
    return figures


def density_jobs(dataset):
    """The single models of Figure 4 with their first seed: name in tables, job."""
    jobs = finals(dataset)
    first = {}
    for job in jobs.values():
        first.setdefault(job.label, job.path)
    return {name: job for name, job in jobs.items() if job.path == first[job.label]}


def density_model(wildcards):
    """The name in tables of the model that a density figure shows."""
    return [name for name, job in density_jobs(wildcards.dataset).items() if job.label == wildcards.label]
