"""`snakemake --profile slurm` on a real Slurm: who gets a GPU, how many at a time, and what is called what."""

import os
import re
import signal
import subprocess
from datetime import datetime

import pytest
import yaml
from project import CONFIG, GPU_LIMIT, POINTS, TABLES, Project, check_gpus, environment_of, go_on, job_of


@pytest.fixture
def jobs(undisturbed):
    """All jobs of the undisturbed run: fields of `scontrol show job -d`."""
    return undisturbed.jobs


def of(jobs, rule):
    return [job for job in jobs if job["Comment"].startswith(f"rule_{rule}")]


def test_each_training_job_has_one_gpu_and_others_have_none(jobs):
    assert len(of(jobs, "train")) == POINTS
    check_gpus(jobs)


def test_limit_on_gpu_jobs_at_one_time_holds(jobs):
    """The cluster has four GPUs; the profile allows two jobs with a GPU, running or waiting."""
    times = [[datetime.fromisoformat(job[key]) for key in ("SubmitTime", "EndTime")] for job in of(jobs, "train")]
    at_once = [sum(start <= moment < end for start, end in times) for moment, _ in times]
    assert max(at_once) == GPU_LIMIT


def test_jobs_and_logs_say_what_they_train(jobs, undisturbed):
    heads = set()
    for job in of(jobs, "train"):
        assert job["JobName"].startswith("proformer_")
        assert "dream" in job["Comment"]
        log = f"results/logs/slurm/rule_train/{job['Comment'].partition('_wildcards_')[2]}/{job['JobId']}.log"
        assert job["StdOut"] == str(undisturbed.project.folder / log)
        assert undisturbed.files[log] > 0
        heads.add(re.search(r"_head~(AP|1|2)_", job["Comment"])[1])
    assert heads == {"AP", "1", "2"}
    assert len([name for name in undisturbed.files if name.startswith("results/logs/train/")]) == POINTS


def test_nothing_is_left_beside_the_results(undisturbed):
    assert not [name for name in undisturbed.files if name.startswith("results/checkpoints/")]


def test_downloads_run_here_and_not_as_jobs(root, cluster, tmp_path):
    """Nodes often have no network: `--until fetch` prepares what they need."""
    project = Project.fresh(root, tmp_path / "lab", cluster)
    entry = {"title": "x", "licence": "x", "citation": "x", "address": "https://example.org/tiny.txt"}
    with open(project.folder / "src/proformer/sources/catalogue.yaml", "a") as catalogue:
        catalogue.write(f"  tiny: {yaml.safe_dump(entry, default_flow_style=True, width=1000)}")
    (tmp_path / "mirror/example.org").mkdir(parents=True)
    (tmp_path / "mirror/example.org/tiny.txt").write_text("ACGT\t1\n")
    keys = CONFIG | {"mirror": str(tmp_path / "mirror"), "datasets": {"dream": {"train": "tiny"}}}
    (project.folder / "fetch.yaml").write_text(yaml.safe_dump(keys))
    project.run("--until", "fetch", configfile="fetch.yaml")
    assert (project.folder / "results/data/raw/tiny/tiny.txt").read_text() == "ACGT\t1\n"
    assert project.jobs() == []


def test_quick_faults_in_one_run(project, undisturbed):
    """kill -9 of one training, scancel of another, and a second Snakemake, which refuses."""
    head = project.train()
    held = project.in_the_middle(2, head)
    second = project.start("--", *TABLES, log="second.log")
    assert second.wait(60) != 0
    assert "cannot be locked" in (project.folder / "second.log").read_text()
    assert environment_of(held[0])["A_MODULE"] == "loaded"  # by the profile's precommand
    os.kill(held[0], signal.SIGKILL)
    subprocess.run(["scancel", job_of(held[1])], check=True)
    go_on(held[1:])
    project.finish(head)
    assert project.results() == undisturbed.results
    assert len(project.jobs("train")) == POINTS + 2
