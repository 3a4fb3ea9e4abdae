"""Proformer, reproduced: from public data to every figure of the paper."""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))
from proformer.errors import one_line
from proformer.planning.configuration import BASE, complete, read_file

# Every job finds the library here, installed or not, and begins its log with where it runs and what it was asked.
os.environ.update(PYTHONPATH=os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]))
os.environ.update(PROFORMER_JOB="1")
# Where Snakemake is called by its path (.venv/bin/snakemake), its jobs' `python` is still the one beside it.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *filter(None, [os.environ.get("PATH")])]))

if config.get("demo", True):
    with one_line("configuration"):
        read_file(ROOT / BASE)

    configfile: str(ROOT / BASE)


include: "workflow/rules/common.smk"


wildcard_constraints:
    dataset=any_of(results.datasets),
    run=any_of(results.runs),
    paper="dream|atac",
    grid="[^/]+/[^/]+",
    seed=r"\d+",
    evaluation=any_of(results.evaluations),
    sample=r"[A-Za-z0-9][A-Za-z0-9.-]*",
    benchmark=any_of(benchmarks.compared(results)),


report: "workflow/report/workflow.rst"


include: "workflow/rules/fetch.smk"
include: "workflow/rules/atac.smk"
include: "workflow/rules/dream.smk"
include: "workflow/rules/coverage.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/gopher.smk"
include: "workflow/rules/prix_fixe.smk"
include: "workflow/rules/benchmarks.smk"
include: "workflow/rules/explain.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/vaishnav.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/defaults.smk"


rule report:
    """Gather all figures and tables in one self-contained page."""
    default_target: True
    input:
        final_targets(),
        captions=sorted(relative(path) for path in (ROOT / "workflow/report").glob("*.rst")),
    output:
        page=f"{R}/report.html",
        config=f"{R}/config.json",
    log:
        f"{R}/logs/report.log",
    localrule: True
    params:
        config=json.dumps(config, indent=2, sort_keys=True),
    run:
        Path(output.config).write_text(params.config)
        shell(
            "({sys.executable} -m proformer.provenance report &&"
            " {sys.executable} -m snakemake results --profile none --workflow-profile none --nolock"
            " --snakefile {workflow.main_snakefile:q} --configfile {output.config:q}"
            " --report {output.page:q}) > {log:q} 2>&1"
        )


rule results:
    """Everything in the report."""
    input:
        final_targets(),


onstart:
    scheduling.guard(workflow.scheduler, local=workflow.local_exec)
    # For `proformer status`.
    write_jobs(Path(R) / "jobs.json", results.jobs.values())
    if workflow.executor_plugin.name == "slurm":
        cluster.guard()
        cluster.end_orphans(os.getcwd())


onsuccess:
    if Path(R, "report.html").is_file():
        logger.info(f"Report: {R}/report.html")


onerror:
    for failure in failures(log):
        logger.error(failure)
