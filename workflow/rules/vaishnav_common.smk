"""The evaluation sets of the configuration: files, media, and what is scored on them."""

EVALUATIONS = config["evaluations"] or {}


def check_evaluations():
    """Each evaluation set names data sets that exist, of its own medium."""
    for name, keys in EVALUATIONS.items():
        for dataset in keys["datasets"]:
            if dataset not in config["datasets"]:
                raise WorkflowError(
                    f"evaluations: {name}: {dataset!r} is no data set; datasets: {', '.join(config['datasets'])}"
                )
            medium = config["datasets"][dataset]["medium"]
            if medium != keys["medium"]:
                raise WorkflowError(
                    f"evaluations: {name}: found the medium {keys['medium']}, but the data set {dataset} has {medium}"
                )


def evaluation_sources():
    """Names and files that the evaluation sets are read from."""
    return {file for keys in EVALUATIONS.values() for file in (keys["file"], *keys["published"].values())}


def medium_option(keys):
    """Option of `proformer prepare`, `measured` and `nearest` for the medium of a data set or an evaluation set."""
    return f"--medium {keys['medium']}" if keys["medium"] else ""


check_evaluations()
