"""Several trainings by one job of a real Slurm, on one GPU: the same models as one by one."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from cluster import wait_for
from project import CONFIG, PACK, check_gpus, go_on, job_of, signalled

SIZE = 4  # the points of the grid, and the first of the demo's final models


@pytest.fixture
def start(project):
    """Start the run of the grid with all of its points in one job."""

    def run(**train):
        (project.folder / "packs.yaml").write_text(yaml.safe_dump(CONFIG | {"points_per_job": SIZE}))
        project.edit_profile(train)
        return project.train(configfile="packs.yaml")

    return run


def processes_of_the_pack(project, head):
    """Wait until a pack has written two checkpoints, and hold all its processes there; the first is the pack's own."""

    def in_the_middle():
        assert head.poll() is None, (project.folder / "head.log").read_text()
        return len(list((project.folder / "results/checkpoints").rglob("*.pt"))) >= 2

    wait_for(in_the_middle, 120, every=0.02)
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found[int(process.name)] = (process / "cmdline").read_text().split("\0"), os.getpgid(int(process.name))
        except OSError:
            continue
    (own,) = [pid for pid, (words, _) in found.items() if words[1:4] == ["-m", "proformer", "train-pack"]]
    os.killpg(found[own][1], signal.SIGSTOP)
    return [own, *(pid for pid, (_, group) in found.items() if group == found[own][1] and pid != own)]


def logs_of_members(project):
    return {path.name: path.read_text() for path in (project.folder / "results/logs/train").rglob("*~*.log")}


def test_points_of_one_job_share_a_gpu_and_end_with_the_same_models(project, undisturbed, start):
    project.finish(start())
    assert project.results().items() > undisturbed.results.items()
    (job,) = project.jobs("train")
    check_gpus([job])
    assert job["NumCPUs"] == str(SIZE)
    assert f"/results/logs/slurm/rule_{PACK}/" in job["StdOut"]
    logs = logs_of_members(project)
    points = {f"run~grid_blocks~1_head~{head}_width~8-1_seed~1.log" for head in ("AP", "1", "2")}
    assert logs.keys() == {*points, "run~final_head~AP_seed~1.log"}
    assert all("epoch  10/10" in logs[name] for name in points)
    said = (project.folder / f"results/logs/train/{PACK.removeprefix('train_')}.log").read_text()
    assert all(f"log in results/logs/train/dataset~dream/{name}" in said for name in logs)


@pytest.mark.faults
@pytest.mark.parametrize("stop", ["scancel", "time limit"])
def test_a_stopped_pack_goes_on_from_its_checkpoints(project, undisturbed, start, stop):
    limited = {"runtime": "3 * attempt", "slurm_extra": "'--signal=TERM@60'"}
    head = start(**(limited if stop == "time limit" else {}))
    held = processes_of_the_pack(project, head)
    begun = [path.stem for path in (project.folder / "results/checkpoints").rglob("*.pt")]
    job = job_of(held[0])
    if stop == "scancel":
        subprocess.run(["scancel", job], check=True)
    wait_for(lambda: signalled(held[0], signal.SIGTERM), 200)
    go_on(held)
    project.finish(head)
    assert project.results().items() > undisturbed.results.items()
    first, _ = project.jobs("train")
    assert (first["JobId"], first["JobState"]) == (job, {"scancel": "CANCELLED"}.get(stop, "FAILED"))
    for name in begun:
        log = logs_of_members(project)[f"{name}.log"]
        assert "stopped by a signal, saved at step" in log
        again = [line for line in log.splitlines() if re.match(r"epoch +1/", line)]
        assert len(again) == 2  # told again from the checkpoint,
        assert len(set(again)) == 1  # to the digit of its speed: not trained a second time
