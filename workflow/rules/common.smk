"""What the configuration asks for (proformer.workflow), and short names for what many rules use."""

import json
import re
import shlex
import shutil
import sys
import warnings

sys.path.insert(0, str(ROOT / "src"))
from proformer import cluster, scheduling
from proformer.status import write_jobs
from proformer.workflow import commands, finals, shown
from proformer.workflow.code import TRAINING, library, model_code, relative
from proformer.workflow.commands import as_yaml, minutes_for, option
from proformer.workflow.results import MODEL_FILES, Results

# Snakemake asks for sizes of files that are not there yet, and leaves its question behind.
warnings.filterwarnings("ignore", "coroutine 'InputFiles", RuntimeWarning)

results = Results(config, ROOT)
experiment = results.experiment
R = results.folder
A = experiment.folder
T = f"{R}/tables/atac"
E = f"{R}/tables/evaluations"
GPU = int(config["device"] == "cuda")
FIGURES = shown.figures(results)
PAGES = shown.tables(results)


def job_of(wildcards):
    """The training of a point."""
    return results.jobs[wildcards.point]


def points_among(jobs):
    """What the wildcard `point` may be."""
    return "|".join(re.escape(job.path) for job in jobs) or "no-such-point"


def at_once(jobs):
    """How many trainings of a pack have a thread: all beside a GPU; on CPUs not more than most nodes have room for."""
    return max(1, len(jobs) if GPU else min(len(jobs), 8))


def memory_of(jobs):
    """A resource function: megabytes of a job that trains these models, or that of its wildcard."""

    def megabytes(wildcards, input, threads, attempt):
        trained = jobs or [job_of(wildcards)]
        together = len(trained) if GPU else threads // config["threads"]
        return attempt * commands.training_memory(trained, together, input.size_mb, results)

    return megabytes


def minutes_of(jobs):
    """A resource function: minutes of a job that trains these models, or that of its wildcard."""

    def minutes(wildcards, input, attempt):
        trained, together = jobs or [job_of(wildcards)], 1 if GPU else at_once(jobs)
        return attempt * commands.training_minutes(trained, together, input.size_mb, results)

    return minutes


def final_targets():
    """Every figure, table page and card that the report shows."""
    cards = [f"{R}/tables/{dataset}/report_card_scores.html" for dataset in results.scored]
    cards += [f"{R}/tables/{dataset}/report_card.html" for dataset in results.grids]
    figures = [f"{R}/figures/{figure.name}.png" for figure in FIGURES]
    logs = [f"{A}/multiqc.html"] if experiment.reads else []
    return [*figures, *cards, *logs, *(f"{R}/pages/{name}.html" for name in PAGES)]
