"""Proformer, reproduced: from public data to every figure of the paper."""

import os
from pathlib import Path

from snakemake.utils import min_version, validate

min_version("9.27")


configfile: "config.yaml"


validate(config, "workflow/schemas/config.schema.yaml")

ROOT = Path(workflow.basedir)
# Every job finds the library here, installed or not, and begins its log with where it runs and what it was asked.
os.environ.update(PYTHONPATH=os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]))
os.environ.update(PROFORMER_JOB="1")


wildcard_constraints:
    dataset="[a-z][a-z0-9]*",
    seed=r"\d+",
    source="published|run",
    evaluation="[a-z][a-z0-9]*",
    medium="complex|defined",
    sample=r"[A-Za-z0-9][A-Za-z0-9.-]*",


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/vaishnav_common.smk"
include: "workflow/rules/atac_common.smk"
include: "workflow/rules/atac.smk"
include: "workflow/rules/score_common.smk"
include: "workflow/rules/dream.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/figures_atac.smk"
include: "workflow/rules/figures_scores.smk"
include: "workflow/rules/vaishnav.smk"
include: "workflow/rules/report.smk"


set_for_gpus()


rule all:
    """The report, and everything in it."""
    default_target: True
    input:
        f"{R}/report.html",


rule results:
    """Everything in the report."""
    input:
        final_targets(),


onstart:
    scheduling.guard(workflow.scheduler, local=workflow.local_exec)
    # For `proformer status`.
    write_jobs(Path(R) / "jobs.json", JOBS.values())
    if workflow.executor_plugin.name == "slurm":
        cluster.end_orphans(os.getcwd())


onsuccess:
    logger.info(f"Report: {R}/report.html")
