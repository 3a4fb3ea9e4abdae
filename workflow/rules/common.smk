"""What the configuration asks for (proformer.workflow), and short names for what many rules use."""

import json
import re
import shutil
import warnings
from importlib.util import find_spec

from proformer import cluster, scheduling
from proformer.evaluation import FIGURE_5
from proformer.planning.data import coverage_files
from proformer.planning.plan import skipped_reasons
from proformer.status import write_jobs
from proformer.workflow import benchmarks, commands, explained, finals, profiles, shown
from proformer.workflow.code import EXPLAIN, TRAINING, library, model_code, relative
from proformer.workflow.commands import as_yaml, asks, at_once, option, training_asks
from proformer.workflow.failures import failures
from proformer.workflow.results import Results

# Snakemake asks for sizes of files that are not there yet, and leaves its question behind.
warnings.filterwarnings("ignore", "coroutine 'InputFiles", RuntimeWarning)

with one_line("configuration"):
    complete(config, ROOT)
    results = Results(config, ROOT)
if workflow.is_main_process:
    for note in skipped_reasons(results.skipped):
        logger.info(note)
experiment = results.experiment
R = results.folder
A = experiment.folder
T = f"{R}/tables/atac"
E = f"{R}/tables/evaluations"
GPU = int(config["device"] == "cuda")
FIGURES = shown.figures(results)
PAGES = shown.tables(results)
PROFILE_TABLES = [
    "scores",
    "examples",
    "variants",
    "effects",
    "alleles",
    "claims",
    "published",
    *(f"supplement_{number}" for number in (2, 3, 4, 5)),
]


def job_of(wildcards):
    """The training of a point."""
    return results.jobs[wildcards.point]


def any_of(names):
    """What a wildcard may be, as a regular expression."""
    return "|".join(map(re.escape, names)) or "nothing-of-this-kind"


def points_among(jobs):
    """What the wildcard `point` may be."""
    return any_of(job.path for job in jobs)


def final_targets():
    """Every figure, page and card that the report shows."""
    cards = [
        f"{R}/tables/{dataset}/report_card_{of}.html" for dataset in results.scored for of in ("scores", "challenge")
    ]
    cards += [f"{R}/tables/{grid.folder}/report_card.html" for grid in results.grids if results.has_figure_axes(grid)]
    cards += [f"{R}/tables/{grid.folder}/claims.html" for grid in results.block_grids]
    cards += [f"{R}/tables/profiles/{name}/claims.html" for name in profiles.judged(results)]
    cards += [f"{R}/tables/benchmarks/{name}/claims.html" for name in benchmarks.compared(results)]
    judged = [name for name, keys in results.evaluations.items() if keys["printed"] in FIGURE_5]
    cards += [f"{E}/{name}/report_card.html" for name in judged if results.evaluation_models(name)]
    figures = [f"{R}/figures/{figure.name}.png" for figure in FIGURES]
    logs = [f"{A}/multiqc.html"] if experiment.reads else []
    logs += [f"{R}/tables/explain/{dataset}/patterns.html" for dataset in explained.asked(results)]
    return [*figures, *cards, *logs, *(f"{R}/pages/{name}.html" for name in PAGES)]
