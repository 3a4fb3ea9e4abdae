"""Names, paths and the table of training jobs."""

import json
import re
import shlex
import sys
import warnings

import yaml
from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(ROOT / "src"))
from proformer import cluster, scheduling
from proformer.planning.cost import host_megabytes, job_cost
from proformer.points import active_datasets, active_grids, grid_points, packs, point_path, training_jobs
from proformer.sources import load_catalogue
from proformer.status import write_jobs

cluster.guard()
# Snakemake asks for sizes of files that are not there yet, and leaves its question behind.
warnings.filterwarnings("ignore", "coroutine 'InputFiles", RuntimeWarning)

R = config["results"].rstrip("/")
CATALOGUE = load_catalogue()
SOURCES = ("published", "run")
COSTS = Path(R) / "costs.json"  # of models, counted once
DATASETS = active_datasets(config)
GRIDS = active_grids(config)
# Every training by its folder below models/, which is the wildcard `point`.
JOBS = {job.path: job for job in training_jobs(config)}


def checkout(name):
    """A file of the checkout, relative where that can be: a checkout that is moved finds its results up to date."""
    path = ROOT / name
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def library(*names):
    """Files of the library that a job depends on: modules or packages below src/proformer."""
    base = ROOT / "src" / "proformer"
    found = [path for name in names for path in [*sorted((base / name).rglob("*.py")), base / f"{name}.py"]]
    return [checkout(path) for path in found if path.is_file()]


def model_code(jobs):
    """Files that make the models of some trainings: their own, and what these import from the models folder."""
    names, seen = {"__init__", "folder", *(job.config["model"].get("model", "proformer") for job in jobs)}, set()
    while names - seen:
        name = min(names - seen)
        seen.add(name)
        text = (ROOT / "src/proformer/models" / f"{name}.py").read_text() if name != "__init__" else ""
        names |= set(re.findall(r"proformer\.models\.(\w+)", text))
        names |= set(re.findall(r"\w+", " ".join(re.findall(r"from proformer\.models import (.+)", text))))
        names = {name for name in names if (ROOT / "src/proformer/models" / f"{name}.py").is_file()}
    return library(*(f"models/{name}" for name in sorted(seen)))


def code_of_model(dataset):
    """An input function: what predicts with one of a data set's models, the wildcard `model`."""
    return lambda wildcards: library("predict") + model_code([JOBS[f"dataset~{dataset}/{wildcards.model}"]])


def script(name):
    return checkout(f"scripts/{name}")


def raw(name):
    """Where a source lies: downloaded by its name in the catalogue, simulated, or a file of the user's own."""
    if name in CATALOGUE:
        return f"{R}/data/raw/{name}/{CATALOGUE[name].filename}"
    if name.startswith(("simulated/", "simulated_atac/", "simulated_vaishnav/")):
        return f"{R}/data/{name}"
    if not Path(name).exists():
        raise WorkflowError(f"{name!r}: neither a name in the catalogue (proformer fetch --list) nor a file or folder")
    return name


def train_files(dataset):
    """The names of a data set's training files, one or several."""
    train = config["datasets"][dataset].get("train") or []
    return [train] if isinstance(train, str) else train


def grid_paths(dataset, convergence=False):
    """The points of a data set's grid, or of its convergence pair alone, as the wildcard `point` has them."""
    points = [point for point in grid_points(config) if point["dataset"] == dataset]
    if convergence:
        pair = config["grids"][dataset]["convergence"]
        wanted = {(pair["width"], pair["blocks"], str(head)) for head in pair["expression_heads"]}
        points = [p for p in points if (f"{p['dim']}/{p['heads']}", p["blocks"], p["head"]) in wanted]
    return [point_path(point) for point in points]


def store_of(wildcards):
    """The encoded store of a data set: windows of the experiment, or a file's sequences."""
    source = config["datasets"][wildcards.dataset]["source"]
    return f"{R}/atac/windows.safetensors" if source == "atac" else f"{R}/data/{wildcards.dataset}/all.safetensors"


def split_options(wildcards):
    """How a data set is split, beyond its fractions."""
    dataset = config["datasets"][wildcards.dataset]
    return f"--by {dataset['split']}" + (f" --block {dataset['block']}" if dataset["block"] else "")


def job_of(wildcards):
    """The training job of a point."""
    if wildcards.point not in JOBS:
        raise WorkflowError(f"{wildcards.point}: no point of this configuration (grids and models in config.yaml)")
    return JOBS[wildcards.point]


def part_of(part):
    """An input function: the training or the validation part that a point is trained on."""
    return lambda wildcards: f"{R}/data/{job_of(wildcards).dataset}/seed~{job_of(wildcards).seed}/{part}.safetensors"


def as_yaml(keys):
    """Settings as one line for a command's --config."""
    return yaml.safe_dump(keys, default_flow_style=True, width=10**6).strip()


def set_for_gpus():
    """Give every rule that asks for a GPU what the profile sets for `with_gpu`, unless it has an entry of its own."""
    entries = workflow.resource_settings._parsed_overwrite_resources
    for asked in workflow.rules:
        if GPU and "gpu" in asked.resources:
            own = entries.get(asked.name, {})
            for name, value in entries.get("with_gpu", {}).items():
                asked.resources[name] = asked.resources[name] if name in own else value


def points_among(jobs):
    """What the wildcard `point` may be."""
    return "|".join(re.escape(job.path) for job in jobs) or "no-such-point"


def launcher(wildcards):
    """What starts the processes of a training: python alone, torchrun on a node, or srun on several nodes."""
    job = job_of(wildcards)
    if job.nodes > 1:
        gpus = f" --gpus-per-node={job.gpus}" if config["device"] == "cuda" else ""
        return (
            f"srun --kill-on-bad-exit=1 --nodes={job.nodes} --ntasks-per-node={job.gpus}{gpus}"
            f" --cpus-per-task={config['threads']} python"
        )
    if job.gpus > 1:
        # After SIGTERM, the processes have so many seconds to write a checkpoint.
        return f"python -m torch.distributed.run --standalone --nproc-per-node={job.gpus} --shutdown-timeout=120"
    return "python"


def training_memory(jobs):
    """Megabytes of a node: of all the models that its job trains at the same time, per process."""

    def megabytes(wildcards, input, attempt):
        asked = 0
        for job in jobs or [job_of(wildcards)]:
            rows = 0 if GPU else job.config["training"].get("batch_size", 512)
            asked += host_megabytes(job_cost(job.config, 100, COSTS), job.gpus, input.size_mb, rows)
        return attempt * asked

    return megabytes


def training_minutes(jobs):
    """Minutes: half an hour, and the operations of all epochs at a modest rate; twice as much for the second attempt.

    Rates: 10 TFLOP/s of a GPU, 5 GFLOP/s of a CPU thread. At most a day for the first attempt, since a queue may never
    start what asks for more than it allows; training that takes longer goes on with the next one.
    """
    rate = 1e13 if config["device"] == "cuda" else 5e9 * config["threads"]

    def minutes(wildcards, input, attempt):
        work = 0
        for job in jobs or [job_of(wildcards)]:
            # A byte of the store is a nucleotide.
            each = job_cost(job.config, 100, COSTS).training_flops / 100
            work += each * input.size_mb * 1e6 * job.config["training"].get("epochs", 20) / (job.gpus * job.nodes)
        return attempt * min(30 + int(work / rate / 60), 24 * 60)

    return minutes


def checkpoint_minutes(wildcards, resources):
    """An interrupted training loses at most this much, and a short one at most a twentieth of its time."""
    asked, runtime = config["checkpoint_minutes"], resources.get("runtime")
    return min(asked, runtime / 20) if isinstance(runtime, int) else asked


def ceiling_option(dataset):
    """Option for a simulated data set: a perfect model's r stands beside."""
    if not is_simulated(dataset):
        return ""
    return f"--simulated {R}/data/simulated_atac" if config["datasets"][dataset]["source"] == "atac" else "--simulated"


def is_simulated(dataset):
    """Whether a data set is simulated, promoters or windows."""
    windows = config["datasets"][dataset]["source"] == "atac"
    return any(
        name.startswith("simulated") for name in ([config["atac"]["genome"]] if windows else train_files(dataset))
    )


def run_note(dataset):
    """What a run was trained on, in a sentence."""
    windows = config["datasets"][dataset]["source"] == "atac"
    source = config["atac"]["genome"] if windows else ", ".join(train_files(dataset))
    data = "ATAC-seq windows" if windows else "promoters"
    if is_simulated(dataset):
        return f"This run was trained on simulated {data}, which say nothing about the paper's claims."
    return f"This run was trained on {data} of {source}."


def convergence_options(dataset):
    """Options of draw.py for the epochs of a convergence pair alone."""
    pair = config["grids"][dataset]["convergence"]
    dim, heads = pair["width"].split("/")
    names = ",".join(map(str, pair["expression_heads"]))
    conditions = [
        f"dim={dim}",
        f"heads={heads}",
        f"blocks={pair['blocks']}",
        f"head={names}",
    ]
    return "convergence " + " ".join(f"--where {shlex.quote(condition)}" for condition in conditions)


def described_models():
    """Configs for Figures 1 and 2a: the paper's final model, then this run's convergence pair; AP before MEH."""
    grid = config["grids"]["dream"]
    dim, heads = map(int, grid["convergence"]["width"].split("/"))
    tokens = max(
        (h for h in grid["convergence"]["expression_heads"] if isinstance(h, int)),
        default=32,
    )
    own = {"length": config["datasets"]["dream"]["length"], "dim": dim, "heads": heads}
    own |= {
        "blocks": grid["convergence"]["blocks"],
        "expression_heads": tokens,
        **grid["model"],
    }
    configs = [base | {"head": head} for base in ({}, own) for head in ("ap", "meh")]
    return [as_yaml(keys) for keys in configs]


def sources():
    """Names and files that this configuration reads; each is looked up at once, so that a typo stops here."""
    named = {file for dataset in DATASETS for file in (*train_files(dataset), DATASETS[dataset]["test"])}
    named |= {name for keys in DATASETS.values() for key in ("subsets", "leaderboard") for name in keys[key]}
    return {name: raw(name) for name in sorted((named | atac_sources() | evaluation_sources()) - {None, PUBLIC})}


def single_models(dataset):
    """The single models (`models` of the configuration) that are trained on a data set."""
    names = config["models"]
    return [job for job in JOBS.values() if job.dataset == dataset and job.label in names]


def test_file(dataset):
    """The measured test sequences of a data set."""
    test = config["datasets"][dataset]["test"]
    return f"{R}/data/{dataset}/public_test.txt" if test == PUBLIC else raw(test)


def evaluated_on(dataset):
    """What the models of a data set predict: name of the evaluation set → its sequences and values."""
    own = {"test": test_file(dataset)} if config["datasets"][dataset]["test"] else {}
    named = [name for name, keys in EVALUATIONS.items() if dataset in keys["datasets"]]
    return own | {name: f"{R}/data/evaluations/{name}.txt" for name in named}


def predicting_jobs():
    """The trainings whose models predict evaluation sets: single models and convergence pairs."""
    paths = [job.path for dataset in DATASETS for job in single_models(dataset)]
    paths += [path for name, grid in GRIDS.items() if grid.get("convergence") for path in grid_paths(name, True)]
    return [JOBS[path] for path in dict.fromkeys(paths)]


def predictions(dataset=None):
    """The tables of predictions, of one data set or of all: (training job, evaluation set, table)."""
    jobs = [job for job in predicting_jobs() if dataset in (None, job.dataset)]
    return [(job, name, f"{R}/predictions/{job.path}/{name}.tsv") for job in jobs for name in evaluated_on(job.dataset)]


def measured_for(dataset):
    """The measurements of what the models of a data set predict: name of the evaluation set → its table."""
    tables = {name: f"{R}/data/evaluations/{name}.tsv" for name in EVALUATIONS}
    return {name: tables.get(name, file) for name, file in evaluated_on(dataset).items()}


def published_as(dataset):
    """The data set of the paper's own table that a data set is compared with."""
    return "atac" if config["datasets"][dataset]["source"] == "atac" else dataset


def final_targets():
    """Every figure, table page and card that the report shows."""
    figures = [f"fig{name}_{source}" for name in ("1", "2a", "2c", "2d", "2e", "2f", "2g") for source in SOURCES]
    tables = [
        "versions",
        "comparison",
        *(f"provenance/{name}/{CATALOGUE[name].filename}" for name in sources() if name in CATALOGUE),
    ]
    tables += atac_tables() + evaluation_tables()
    figures += atac_figures() + evaluation_figures()
    for dataset in GRIDS:
        shown = SOURCES if published_as(dataset) == dataset else ["run"]
        tables += [f"{dataset}/{source}/{name}" for source in shown for name in ("grid", "tests", "means")]
        tables += [f"{dataset}/run/{name}" for name in ("spread", "epochs")]
        tables += [
            "atac/windows" if DATASETS[dataset]["source"] == "atac" else f"{dataset}/filtered",
            *(f"{dataset}/split/seed~{seed}" for seed in config["seeds"]),
        ]
    tables = list(dict.fromkeys([*tables, *score_tables()]))
    figures += score_figures()
    return [
        *(f"{R}/figures/{figure}.png" for figure in [*figures, "fig2b_run"]),
        *(f"{R}/tables/{dataset}/report_card_scores.html" for dataset in SCORED),
        *(f"{R}/tables/{dataset}/report_card.html" for dataset in GRIDS),
        *atac_pages(),
        *(f"{R}/pages/{table}.html" for table in tables),
    ]
