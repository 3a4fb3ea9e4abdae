"""Names, paths and the table of training jobs."""

import json
import shlex
import sys

import pandas as pd
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import Paramspace

sys.path.insert(0, str(ROOT / "src"))
from proformer.sources import load_catalogue

R = config["results"].rstrip("/")
CATALOGUE = load_catalogue()
SOURCES = ("published", "run")
# Without an ATAC-seq experiment, its data sets and their grids are not there.
DATASETS = {name: keys for name, keys in config["datasets"].items() if config["atac"] or keys["source"] != "atac"}
GRIDS = {name: grid for name, grid in config["grids"].items() if name not in {*config["datasets"]} - {*DATASETS}}


def library(*names):
    """Files of the library that a job depends on: modules or packages below src/proformer."""
    base = ROOT / "src" / "proformer"
    found = [path for name in names for path in [*sorted((base / name).rglob("*.py")), base / f"{name}.py"]]
    return [str(path) for path in found if path.is_file()]


def script(name):
    return str(ROOT / "scripts" / name)


def raw(name):
    """Where a source lies: downloaded by its name in the catalogue, simulated, or a file of the user's own."""
    if name in CATALOGUE:
        return f"{R}/data/raw/{name}/{CATALOGUE[name].filename}"
    if name.startswith(("simulated/", "simulated_atac/")):
        return f"{R}/data/{name}"
    if not Path(name).is_file():
        raise WorkflowError(f"{name!r}: neither a name in the catalogue (proformer fetch --list) nor a file")
    return name


def grid_points():
    """One row per training job: every point of every grid, and the convergence pairs, once per seed."""
    rows = []
    for dataset, grid in GRIDS.items():
        if dataset not in config["datasets"]:
            raise WorkflowError(f"grids: {dataset!r} is no data set; datasets: {', '.join(config['datasets'])}")
        pair = grid.get("convergence")
        shapes = [(w, b, h) for w in grid["widths"] for b in grid["blocks"] for h in grid["expression_heads"]]
        shapes += [(pair["width"], pair["blocks"], h) for h in pair["expression_heads"]] if pair else []
        for width, blocks, head in dict.fromkeys(shapes):
            dim, heads = map(int, width.split("/"))
            rows += [(dataset, dim, heads, blocks, str(head), seed) for seed in config["seeds"]]
    return pd.DataFrame(rows, columns=["dataset", "dim", "heads", "blocks", "head", "seed"])


GRID = Paramspace(grid_points(), filename_params=["dim", "heads", "blocks", "head", "seed"])
POINT = f"{R}/models/{GRID.wildcard_pattern}"


def point_config(wildcards):
    """The settings of one training job, as `proformer train --config` takes them."""
    point, grid = GRID.instance(wildcards), config["grids"][wildcards.dataset]
    head, _, glu = wildcards.head.partition("+")
    model = {
        "dim": int(point["dim"]),
        "heads": int(point["heads"]),
        "blocks": int(point["blocks"]),
    }
    model |= {"head": "ap"} if head == "AP" else {"head": glu.lower() or "meh", "expression_heads": int(head)}
    return {
        "model": {**grid["model"], **model},
        "training": {**grid["training"], "seed": int(wildcards.seed)},
    }


def point_folders(dataset, convergence=False):
    """Model folders of a data set's points, or of its convergence pair alone."""
    points = GRID.dataframe[GRID.dataframe["dataset"] == dataset]
    if convergence:
        pair = config["grids"][dataset]["convergence"]
        dim, heads = map(int, pair["width"].split("/"))
        wanted = {str(head) for head in pair["expression_heads"]}
        points = points[(points["dim"] == dim) & (points["heads"] == heads) & (points["blocks"] == pair["blocks"])]
        points = points[points["head"].isin(wanted)]
    space = Paramspace(points, filename_params=["dim", "heads", "blocks", "head", "seed"])
    return [f"{R}/models/{pattern}" for pattern in space.instance_patterns]


def store_of(wildcards):
    """The encoded store of a data set: windows of the experiment, or a file's sequences."""
    source = config["datasets"][wildcards.dataset]["source"]
    return f"{R}/atac/windows.safetensors" if source == "atac" else f"{R}/data/{wildcards.dataset}/all.safetensors"


def split_options(wildcards):
    """How a data set is split, beyond its fractions."""
    dataset = config["datasets"][wildcards.dataset]
    return f"--by {dataset['split']}" + (f" --block {dataset['block']}" if dataset["block"] else "")


def training_memory(wildcards, input, attempt):
    """Megabytes: torch itself, the data twice (file and device copy), and the activations of the largest layers."""
    return attempt * (3000 + int(3 * input.size_mb) + 4 * int(wildcards.dim) * int(wildcards.blocks))


def training_minutes(wildcards, input, attempt):
    """Minutes: grows with data, width and depth, and with each attempt."""
    return attempt * (60 + int(input.size_mb * int(wildcards.blocks) * (int(wildcards.dim) / 64) ** 1.5))


def run_note(dataset):
    """What a run was trained on, in a sentence."""
    keys, experiment = config["datasets"][dataset], config["atac"]
    source, data = (
        (experiment["genome"], "ATAC-seq windows") if keys["source"] == "atac" else (keys["train"], "promoters")
    )
    simulated = (
        f"simulated {data}, which say nothing about the paper's claims" if source.startswith("simulated") else ""
    )
    return f"This run was trained on {simulated or f'{data} of {source}'}."


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
    return [yaml.safe_dump(keys, default_flow_style=True, width=10**6).strip() for keys in configs]


def sources():
    """Names and files that this configuration reads; each is looked up at once, so that a typo stops here."""
    named = {dataset.get(key) for dataset in DATASETS.values() for key in ("train", "test")}
    return {name: raw(name) for name in sorted((named | atac_sources()) - {None})}


def published_as(dataset):
    """The data set of the paper's own table that a data set is compared with."""
    return "atac" if config["datasets"][dataset]["source"] == "atac" else dataset


def final_targets():
    """Every figure, table page and card that the report shows."""
    figures = [f"fig{name}_{source}" for name in ("1", "2a", "2c", "2d", "2e", "2f", "2g") for source in SOURCES]
    tables = [
        "versions",
        *(f"provenance/{name}/{CATALOGUE[name].filename}" for name in sources() if name in CATALOGUE),
    ]
    tables += atac_tables()
    figures += atac_figures()
    for dataset in GRIDS:
        shown = SOURCES if published_as(dataset) == dataset else ["run"]
        tables += [f"{dataset}/{source}/{name}" for source in shown for name in ("grid", "tests", "means")]
        tables += [f"{dataset}/run/{name}" for name in ("spread", "epochs")]
        tables += [
            "atac/windows" if DATASETS[dataset]["source"] == "atac" else f"{dataset}/filtered",
            *(f"{dataset}/split/seed~{seed}" for seed in config["seeds"]),
        ]
        tables += [f"{dataset}/run/test"] if DATASETS[dataset]["test"] else []
    tables = list(dict.fromkeys(tables))
    return [
        *(f"{R}/figures/{figure}.png" for figure in [*figures, "fig2b_run"]),
        *(f"{R}/tables/{dataset}/report_card.html" for dataset in GRIDS),
        *atac_pages(),
        *(f"{R}/pages/{table}.html" for table in tables),
    ]
