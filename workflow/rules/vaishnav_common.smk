"""The evaluation sets of the configuration: files, media, and what is scored on them."""

EVALUATIONS = {name: keys for name, keys in (config["evaluations"] or {}).items() if keys}


def check_evaluations():
    """Each evaluation set names data sets that exist, of its own medium."""
    for name, keys in EVALUATIONS.items():
        for dataset in keys["datasets"]:
            if dataset not in config["datasets"]:
                raise WorkflowError(
                    f"evaluations: {name}: {dataset!r} is no data set; datasets: {', '.join(config['datasets'])}"
                )
            if config["datasets"][dataset]["source"] == "atac":
                raise WorkflowError(f"evaluations: {name}: found {dataset}, windows of a genome; expected promoters")
            medium = config["datasets"][dataset]["medium"]
            if medium != keys["medium"]:
                raise WorkflowError(
                    f"evaluations: {name}: found the medium {keys['medium']}, but the data set {dataset} has {medium}"
                )
    if config["near"]["warn_distance"] > config["near"]["within"]:
        raise WorkflowError(f"near: found {config['near']}, expected warn_distance at most within")


def evaluation_sources():
    """Names and files that the evaluation sets are read from."""
    return {file for keys in EVALUATIONS.values() for file in (keys["file"], *keys["published"].values())}


def medium_option(keys):
    """Option of `proformer prepare`, `measured` and `nearest` for the medium of a data set or an evaluation set."""
    return f"--medium {keys['medium']}" if keys["medium"] else ""


def evaluation_models(evaluation):
    """The models of this run that predict an evaluation set: [(name in tables, path of the predictions)]."""
    datasets = EVALUATIONS[evaluation]["datasets"]
    return [
        (f"{job.label if len(datasets) == 1 else f'{job.label}-{job.dataset}'}:{job.seed}", table)
        for job, name, table in predictions()
        if name == evaluation and job.label in config["models"]
    ]


def peer_options(wildcards):
    """Options of `proformer peers` for an evaluation set."""
    keys = EVALUATIONS[wildcards.evaluation]
    published = [f"{model}={raw(file)}" for model, file in keys["published"].items()]
    predictions = [f"{name}={path}" for name, path in evaluation_models(wildcards.evaluation)]
    words = ["--title", keys["title"] or wildcards.evaluation, "--flanks", *keys["flanks"]]
    words += ["--printed", keys["printed"]] if keys["printed"] else []
    words += ["--published", *published, "--predictions", *predictions]
    return f"{shlex.join(words)} {medium_option(keys)}"


def measured_options(wildcards):
    """Options of `proformer measured` for an evaluation set."""
    keys = EVALUATIONS[wildcards.evaluation]
    rows = f"--rows {keys['rows']}" if keys["rows"] else ""
    return f"--flanks {shlex.join(keys['flanks'])} {rows} {medium_option(keys)}"


def evaluation_parts(wildcards):
    """The tables that are joined into one of all evaluation sets."""
    if wildcards.table != "near":
        return [f"{R}/tables/evaluations/{name}/{wildcards.table}.tsv" for name in EVALUATIONS]
    return [
        f"{R}/tables/evaluations/{name}/near_{dataset}.tsv"
        for name, keys in EVALUATIONS.items()
        for dataset in keys["datasets"]
    ]


def sets_of_medium(medium):
    """The evaluation sets that Figure 5 shows for a medium."""
    return [name for name, keys in EVALUATIONS.items() if keys["medium"] == medium]


def peers_note(medium):
    """What the sets and models of Figure 5 are, for its lower margin."""
    shown = sets_of_medium(medium)
    if any(EVALUATIONS[name]["file"].startswith("simulated") for name in shown):
        return "Sets and models of this run are simulated, printed numbers are not."
    datasets = dict.fromkeys(d for name in shown if evaluation_models(name) for d in EVALUATIONS[name]["datasets"])
    return " ".join(run_note(dataset) for dataset in datasets)


def evaluation_tables():
    """Tables of the evaluation sets, and of the data sets that they belong to, that become pages."""
    datasets = dict.fromkeys(dataset for keys in EVALUATIONS.values() for dataset in keys["datasets"])
    joined = ("scores", "pairs", "near", "found") if EVALUATIONS else ()
    return [f"evaluations/{name}" for name in joined] + [f"{dataset}/filtered" for dataset in datasets]


def evaluation_figures():
    """Figure 5, once per medium with anything to show."""
    shown = {
        keys["medium"]
        for name, keys in EVALUATIONS.items()
        if keys["printed"] or keys["published"] or evaluation_models(name)
    }
    return [f"fig5_{medium}" for medium in ("complex", "defined") if medium in shown]


check_evaluations()
