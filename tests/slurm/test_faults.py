"""Faults on a real Slurm, one at a time: each run ends with the tables and weights of the undisturbed one."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cluster import GPUS, wait_for
from project import POINTS, TABLES, environment_of, go_on, job_of, signalled

pytestmark = pytest.mark.faults


@pytest.fixture
def ends_as_undisturbed(project, undisturbed):
    """Wait for the end of a run, and hold its results against those of the undisturbed one."""

    def check(head):
        said = project.finish(head)
        assert project.results() == undisturbed.results
        return said

    return check


def fill(path):
    """Leave no room on a disk."""
    with open(path, "wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


def test_time_limit_in_the_middle_of_training(project, ends_as_undisturbed):
    """Slurm's signal reaches the trainer before the limit; it saves, and the next attempt goes on, with more time."""
    project.edit_profile({"runtime": "3 * attempt", "slurm_extra": "'--signal=TERM@60'"})
    head = project.train()
    held = project.in_the_middle(1, head)
    job = job_of(held[0])
    wait_for(lambda: signalled(held[0], signal.SIGTERM), 200)
    go_on(held)
    wait_for(lambda: "stopped by a signal, saved at step" in project.logs(), 60)  # until the next attempt's log
    said = ends_as_undisturbed(head)
    assert "Trying to restart job" in said
    stopped = next(found for found in project.jobs("train") if found["JobId"] == job)
    assert stopped["JobState"] == "FAILED"  # ended by itself, before the limit
    assert stopped["TimeLimit"] == "00:03:00"
    assert {found["TimeLimit"] for found in project.jobs("train")} >= {"00:03:00", "00:06:00"}


def test_time_limit_without_a_signal_in_time(project, ends_as_undisturbed):
    """A training that hangs over its limit is killed (TIMEOUT), and goes on from its checkpoint."""
    project.edit_profile({"runtime": "attempt", "slurm_extra": "'--no-kill'"})
    head = project.train()
    held = project.in_the_middle(1, head)
    job = job_of(held[0])
    ends_as_undisturbed(head)
    assert next(found for found in project.jobs("train") if found["JobId"] == job)["JobState"] == "TIMEOUT"


def test_scancel_and_submission_again(project, ends_as_undisturbed):
    head = project.train()
    held = project.in_the_middle(1, head)
    job = job_of(held[0])
    subprocess.run(["scancel", job], check=True)
    go_on(held)
    ends_as_undisturbed(head)
    assert next(found for found in project.jobs("train") if found["JobId"] == job)["JobState"] == "CANCELLED"
    assert len(project.jobs("train")) == POINTS + 1


def test_kill_9_of_a_training(project, ends_as_undisturbed):
    head = project.train()
    held = project.in_the_middle(1, head)
    os.kill(held[0], signal.SIGKILL)
    ends_as_undisturbed(head)
    assert len(project.jobs("train")) == POINTS + 1


def test_requeue_by_the_scheduler(project, ends_as_undisturbed):
    """The same job number runs again; Snakemake notices nothing."""
    head = project.train()
    held = project.in_the_middle(1, head)
    job = job_of(held[0])
    project.cluster.scontrol("requeue", job)
    go_on(held)
    ends_as_undisturbed(head)
    assert next(found for found in project.jobs("train") if found["JobId"] == job)["Restarts"] == "1"
    assert len(project.jobs("train")) == POINTS


@pytest.mark.parametrize(("mode", "submitted"), [("REQUEUE", POINTS), ("CANCEL", 2 * POINTS)])
def test_preemption(project, ends_as_undisturbed, mode, submitted):
    """A job of more importance takes all GPUs; with CANCEL, the plugin alone would wait forever."""
    project.cluster.scontrol("update", "PartitionName=gpu", f"PreemptMode={mode}")
    head = project.train()
    held = project.in_the_middle(POINTS, head)
    wanted = f"--gpus={len(GPUS)}"
    subprocess.run(["sbatch", "-p", "urgent", wanted, "-o", "/dev/null", "--wrap", "sleep 5"], check=True)
    wait_for(lambda: all(job["JobState"] != "RUNNING" for job in project.jobs("train")), 60)
    go_on(held)
    ends_as_undisturbed(head)
    assert len(project.jobs("train")) == submitted


def test_slurmd_killed_and_started_again(project, ends_as_undisturbed):
    """Running jobs go on without it."""
    head = project.train()
    held = project.in_the_middle(1, head)
    project.cluster.kill("slurmd")
    time.sleep(5)
    project.cluster.start_node()
    go_on(held)
    ends_as_undisturbed(head)
    assert len(project.jobs("train")) == POINTS


def test_node_lost_with_all_its_processes(project, ends_as_undisturbed):
    """Slurm takes the node for down after SlurmdTimeout, and runs its jobs again when it is back."""
    head = project.train()
    held = project.in_the_middle(POINTS, head)
    project.cluster.kill("slurmd")
    for pid in [*project.cluster.step_daemons(), *held]:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "DOWN" in project.cluster.scontrol("show", "node"), 120)
    project.cluster.start_node()
    ends_as_undisturbed(head)


def test_slurmctld_away_for_a_minute(project, ends_as_undisturbed):
    """No answer ends no job; the plugin alone would forget them all, and wait forever."""
    head = project.train()
    held = project.in_the_middle(1, head)
    project.cluster.kill("slurmctld")
    time.sleep(60)
    project.cluster.start("slurmctld", "-D")
    go_on(held)
    ends_as_undisturbed(head)


def test_snakemake_killed_and_started_again_with_jobs_running(project, ends_as_undisturbed):
    """The new run ends the old jobs, and goes on from their checkpoints."""
    head = project.train()
    old = {job_of(pid) for pid in project.in_the_middle(POINTS, head)}
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    project.run("--unlock")
    again = project.train()
    said = ends_as_undisturbed(again)
    assert "ending jobs of a run that was killed" in said
    assert {job["JobState"] for job in project.jobs("train") if job["JobId"] in old} == {"CANCELLED"}
    assert len(project.jobs("train")) == 2 * POINTS


def test_sigterm_to_snakemake(project, ends_as_undisturbed):
    """As at the time limit of a job in which it runs: it ends within KillWait, and leaves no jobs and no lock."""
    head = project.train()
    held = project.in_the_middle(POINTS, head)
    old = {job_of(pid) for pid in held}
    head.terminate()
    go_on(held)
    assert head.wait(30) == 1
    wait_for(lambda: all(job["JobState"] == "CANCELLED" for job in project.jobs("train") if job["JobId"] in old), 60)
    ends_as_undisturbed(project.train())


def test_two_jobs_of_one_training_at_one_time(project, ends_as_undisturbed):
    """As when a node that was given up comes back: the later one waits, and finds the model finished."""
    head = project.train()
    held = project.in_the_middle(1, head)
    words = Path(f"/proc/{held[0]}/cmdline").read_bytes().decode().split("\0")[:-1]
    second = subprocess.Popen(words, cwd=project.folder, env=environment_of(held[0]), stderr=subprocess.PIPE, text=True)
    assert any("another process trains this model: waiting" in line for line in second.stderr)
    go_on(held)
    ends_as_undisturbed(head)
    assert "holds this very run, finished" in second.communicate()[1]
    assert second.returncode == 0


def test_snakemake_killed_and_started_again_when_its_jobs_have_ended(project, ends_as_undisturbed):
    """What they finished is taken as it is: nothing is trained twice."""
    head = project.train()
    project.in_the_middle(POINTS, head)
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    go_on(project.trainers())
    wait_for(lambda: all(job["JobState"] == "COMPLETED" for job in project.jobs("train")), 120)
    project.run("--unlock")
    ends_as_undisturbed(project.train())
    assert len(project.jobs("train")) == POINTS


def test_out_of_memory_at_first_and_enough_later(project, ends_as_undisturbed):
    """Slurm kills what takes more than it asked for; the next attempt asks for more."""
    project.edit_profile({"mem_mb": "300 * 5 ** (attempt - 1)"})
    ends_as_undisturbed(project.train())
    on_node = [path.read_text() for path in (project.folder / "results/logs/slurm/rule_train").rglob("*.log")]
    assert sum("exceeded memory limit" in text for text in on_node) == POINTS
    assert len(project.jobs("train")) == 2 * POINTS
    assert {job["MinMemoryNode"] for job in project.jobs("train")} == {"300M", "1500M"}


def test_disk_full_while_a_checkpoint_is_written(project, ends_as_undisturbed):
    """The checkpoint before stays; with room again, the next attempt goes on from it."""
    disk = project.folder / "results/checkpoints"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        head = project.train()
        held = project.in_the_middle(POINTS, head)
        before = {path: path.read_bytes() for path in disk.rglob("*.pt")}
        fill(disk / "filler")
        go_on(held)
        wait_for(lambda: project.logs().count("checkpoint not written (No space left on device)") >= len(held), 60)
        assert {path: path.read_bytes() for path in disk.rglob("*.pt")} == before
        (disk / "filler").unlink()
        ends_as_undisturbed(head)
    finally:
        project.cluster.cancel_all()
        subprocess.run(["umount", str(disk)], check=True)


def test_two_snakemakes_at_once(project, ends_as_undisturbed):
    head = project.train()
    held = project.in_the_middle(1, head)
    second = project.start("--", *TABLES, log="second.log")
    assert second.wait(60) != 0
    assert "cannot be locked" in (project.folder / "second.log").read_text()
    go_on(held)
    ends_as_undisturbed(head)
    assert len(project.jobs("train")) == POINTS


@pytest.mark.parametrize(
    "variant", [{"gpu_model": "h200"}, {"gpu": 0, "gres": "'gpu:h200:1'", "gpu_jobs": 1}], ids=["gpu_model", "gres"]
)
def test_other_ways_to_ask_for_a_gpu(project, ends_as_undisturbed, variant):
    """No fault, but as slow: the commented variants of the profile."""
    project.edit_profile(variant, resources=["gpu_jobs=2"])
    ends_as_undisturbed(project.train())
    for job in project.jobs("train"):
        assert job["JOB_GRES"] == "gpu:h200:1"
        assert "h200" in job.get("TresPerJob", job.get("TresPerNode"))
