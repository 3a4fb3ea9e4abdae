"""Several processes train one model under Slurm: started by srun, and by the literal command."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from cluster import wait_for
from project import CONFIG

from proformer.training.run import train

MODEL = {"dim": 8, "heads": 1, "blocks": 2, "kmer": 5, "expression_heads": 4}
TRAINING = {"epochs": 3, "batch_size": 15, "learning_rate": 0.01}
TOLERANCE = 1e-5  # as in tests/unit/test_distributed.py


def metrics(folder):
    return pd.read_csv(folder / "metrics.tsv", sep="\t").drop(columns="sequences_per_second").to_numpy()


def train_alone(stores, out):
    keys = {"model": MODEL, "training": TRAINING}
    train(keys, *stores, out, out / "checkpoint.pt", device="cpu", threads=1)
    return out


@pytest.fixture(scope="module")
def calm(stores, tmp_path_factory):
    """An undisturbed run of one process."""
    return train_alone(stores, tmp_path_factory.mktemp("calm"))


@pytest.fixture
def srun(cluster, root, stores, tmp_path):
    """Start two ranks as tasks of one Slurm job; what is left of it ends with the test."""
    started = []

    def start(minutes="1000"):
        keys = yaml.safe_dump({"model": MODEL, "training": TRAINING}, default_flow_style=True)
        command = ["srun", "--ntasks=2", "--gpus=2", "--partition=gpu", "--mem=4000", "--kill-on-bad-exit=1"]
        command += [sys.executable, "-m", "proformer", "train", "--config", keys, "--device", "cpu", "--threads", "1"]
        command += ["--train", stores[0], "--validation", stores[1], "--out", tmp_path, "--checkpoint-minutes", minutes]
        environment = os.environ | {"PYTHONPATH": str(root / "src")}
        with open(tmp_path / "log", "w") as log:
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    cluster.cancel_all()
    for process in started:
        process.wait(60)


def rank_zero(folder):
    """Process number of the first rank of a training."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
            variables = (process / "environ").read_text().split("\0")
        except OSError:
            continue
        if words[1:4] == ["-m", "proformer", "train"] and str(folder) in words and "SLURM_PROCID=0" in variables:
            return int(process.name)


def test_tasks_of_srun_train_as_one_process(srun, tmp_path, calm):
    assert srun().wait(180) == 0, (tmp_path / "log").read_text()
    said = (tmp_path / "log").read_text()
    assert "2 processes" in said
    assert said.count("epoch   3/3") == 1
    np.testing.assert_allclose(metrics(tmp_path), metrics(calm), rtol=0, atol=TOLERANCE)


def test_a_signal_of_slurm_stops_all_tasks_and_one_process_goes_on(srun, stores, tmp_path, calm):
    process = srun("0.00001")
    wait_for((tmp_path / "checkpoint.pt").exists, 90, every=0.01)
    subprocess.run(["scancel", "--signal=TERM", "--user=root"], check=True)
    assert process.wait(60) == 75, (tmp_path / "log").read_text()
    assert not (tmp_path / "model.json").exists()
    train_alone(stores, tmp_path)
    np.testing.assert_allclose(metrics(tmp_path), metrics(calm), rtol=0, atol=TOLERANCE)


def test_a_killed_task_ends_the_step_and_its_checkpoint_is_good(srun, stores, tmp_path, calm):
    process = srun("0.00001")
    wait_for((tmp_path / "checkpoint.pt").exists, 90, every=0.01)
    os.kill(rank_zero(tmp_path), signal.SIGKILL)
    assert process.wait(30) not in (0, 75), (tmp_path / "log").read_text()
    train_alone(stores, tmp_path)
    np.testing.assert_allclose(metrics(tmp_path), metrics(calm), rtol=0, atol=TOLERANCE)


def test_literal_command_gives_a_model_two_gpus_of_a_node(project):
    model = {"model": "proformer", "recipe": "grid", "datasets": ["dream"], "keys": MODEL, "training": TRAINING}
    keys = CONFIG | {"runs": {"one": model, "two": model | {"gpus": 2}}}
    (project.folder / "several.yaml").write_text(yaml.safe_dump(keys))
    project.edit_profile({"gpu": 2})
    folders = [f"results/models/dataset~dream/run~{name}_seed~1" for name in keys["runs"]]
    project.run("--", *(f"{folder}/SHA256SUMS" for folder in folders), configfile="several.yaml")
    (job,) = [job for job in project.jobs("train") if "run~two" in job["Comment"]]
    assert (job["TresPerJob"], job["NumNodes"], job["NumCPUs"]) == ("gres:gpu:2", "1", "2")
    assert "2 processes" in (project.folder / "results/logs/train/dataset~dream/run~two_seed~1.log").read_text()
    # Other data than above, on which a model this small learns little: its r is the more sensitive.
    np.testing.assert_allclose(*(metrics(project.folder / folder) for folder in folders), rtol=0, atol=1e-4)
