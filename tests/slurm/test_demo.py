"""The whole embedded demo as jobs of a real Slurm, a training each, beside the same on this machine alone, where the
trainings of a data set share a job; no fault, but as slow."""

import os
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest
from checkouts import checkout
from chromium import walk_report
from cluster import GPUS
from project import Project, check_gpus

pytestmark = pytest.mark.faults
TIMES = ["sequences_per_second", "training_minutes"]


@pytest.fixture(scope="module")
def demo(root, cluster, tmp_path_factory):
    """Both runs: folders of results, the Slurm jobs, and how many jobs Snakemake counted."""
    here = checkout(root, tmp_path_factory.mktemp("here"))
    environment = os.environ | {"PYTHONPATH": str(here / "src")}
    command = [sys.executable, "-m", "snakemake", "--cores", "2"]
    with open(here / "head.log", "wb") as log:
        local = subprocess.Popen(command, cwd=here, env=environment, stdout=log, stderr=log)
    project = Project.fresh(root, tmp_path_factory.mktemp("demo"), cluster)
    # What two cores get through, lest jobs of five minutes wait for each other that long.
    project.edit_profile({}, resources=[f"gpu={len(GPUS)}"], jobs=8)
    try:
        (project.folder / "single.yaml").write_text("points_per_job: 1\n")
        project.finish(project.start(configfile="single.yaml"), 3600)
        assert local.wait(3600) == 0, (here / "head.log").read_text()
    finally:
        project.stop()
        local.kill()
    return SimpleNamespace(here=here / "results", there=project.folder / "results", jobs=project.jobs())


def files(results, *patterns):
    """Paths below a folder of results."""
    return {path.relative_to(results) for pattern in patterns for path in results.glob(pattern)}


def without_times(path):
    """A file's bytes, or of a table with columns of times, what stands in the others."""
    if path.suffix == ".tsv":
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        if not table.columns.intersection(TIMES).empty:
            return table.drop(columns=TIMES, errors="ignore").to_csv(sep="\t")
    return path.read_bytes()


def test_each_training_job_has_one_gpu_and_others_have_none(demo):
    check_gpus(demo.jobs)
    rules = Counter(job["Comment"].partition("_wildcards_")[0] for job in demo.jobs)
    assert rules["rule_train"] == len(files(demo.there, "models/**/model.safetensors")) > 50


def test_tables_predictions_and_models_are_those_of_a_local_run(demo):
    patterns = ("tables/**/*.tsv", "predictions/**/*.tsv", "figures/*.tsv", "models/**/*.*", "atac/**/*.tsv")
    found = files(demo.here, *patterns)
    assert len(found) > 250
    assert files(demo.there, *patterns) == found
    assert not [path for path in found if without_times(demo.here / path) != without_times(demo.there / path)]


def test_the_report_holds_every_figure(demo):
    figures = {path.stem for path in files(demo.here, "figures/*.png")}
    assert len(figures) > 20
    assert {path.stem for path in files(demo.there, "figures/*.png")} == figures
    seen = walk_report(demo.there / "report.html")
    assert {name.rpartition("/")[2].removesuffix(".png") for name in seen if name.endswith(".png")} == figures
