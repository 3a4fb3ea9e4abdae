"""`snakemake --profile slurm` on a real Slurm: who gets a GPU, how many at a time, and what is called what."""

import os
import re
import signal
import subprocess
from datetime import datetime

import pytest
from project import GPU_LIMIT, POINTS, TABLES, environment_of, go_on, job_of


@pytest.fixture
def jobs(undisturbed):
    """All jobs of the undisturbed run: fields of `scontrol show job -d`."""
    return undisturbed.jobs


def of(jobs, rule):
    return [job for job in jobs if job["Comment"].startswith(f"rule_{rule}")]


def test_each_training_job_has_one_gpu_and_others_have_none(jobs):
    assert len(of(jobs, "train")) == POINTS
    for job in jobs:
        training = job in of(jobs, "train")
        assert job["JobState"] == "COMPLETED"
        assert job.get("TresPerJob") == ("gres:gpu:1" if training else None)
        assert job["JOB_GRES"] == ("gpu:h200:1" if training else "(null)")
        assert job["Partition"] == ("gpu" if training else "cpu")
        assert job["Account"] == "lab"


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
        heads.add(re.search(r"head~(AP|1|2)_seed~1$", job["Comment"])[1])
    assert heads == {"AP", "1", "2"}
    assert len([name for name in undisturbed.files if name.startswith("results/logs/train/")]) == POINTS


def test_nothing_is_left_beside_the_results(undisturbed):
    assert not [name for name in undisturbed.files if name.startswith("results/checkpoints/")]


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
