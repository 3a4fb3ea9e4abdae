"""What the configuration asks for (proformer.workflow), and short names for what many rules use."""

import json
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
