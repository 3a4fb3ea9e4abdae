"""A checkout on the test cluster: its profile edited as an administrator would, and run by the literal command."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from checkouts import checkout
from cluster import Cluster, wait_for

POINTS = 3
PACK = "train_pack_dream_seed1_1"  # the rule of all points, where one job takes so many
GPU_LIMIT = 2
CONFIG = {
    "points_per_job": 1,
    "atac": None,
    "simulate": {"train": 300, "test": 100, "seed": 1},
    "runs": {
        "grid": {
            "vary": {"width": ["8/1"], "blocks": [1], "head": ["AP", 1, 2]},
            "predict": {"width": "8/1", "blocks": 1, "head": ["AP", 1]},
            "training": {"epochs": 10, "batch_size": 8},
        }
    },
}
TABLES = tuple(f"results/tables/dream/grid/{name}.tsv" for name in ("grid", "epochs"))
MADE_BY_TRAINING = ("models", "checkpoints", "tables/dream/grid", "logs/train", "logs/slurm", "benchmarks/train")


class Project:
    """A checkout in which `snakemake --profile slurm` is run."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder, self.cluster = folder, cluster
        self.first_job = cluster.next_job()
        self.profile = ""
        self.heads: list[subprocess.Popen[bytes]] = []

    @classmethod
    def fresh(cls, root: Path, folder: Path, cluster: Cluster) -> Project:
        """A checkout where nothing has run."""
        project = cls(checkout(root, folder), cluster)
        (folder / "test.yaml").write_text(yaml.safe_dump(CONFIG))
        project.edit_profile({"gpu": 1}, resources=[f"gpu={GPU_LIMIT}"], precommand="export A_MODULE=loaded")
        project.profile = (folder / "slurm/config.yaml").read_text()
        return project

    def untrain(self) -> None:
        """Go back to where everything before training has run, with the profile as it was then."""
        for name in MADE_BY_TRAINING:
            shutil.rmtree(self.folder / "results" / name, ignore_errors=True)
        for name in ("locks", "incomplete"):
            shutil.rmtree(self.folder / ".snakemake" / name, ignore_errors=True)
        (self.folder / "slurm/config.yaml").write_text(self.profile)
        self.first_job = self.cluster.next_job()

    def jobs(self, rule: str = "") -> list[dict[str, str]]:
        """The jobs of a rule since then, in the order of submission."""
        jobs = [job for job in self.cluster.jobs(rule) if job["WorkDir"] == str(self.folder)]
        return [job for job in jobs if int(job["JobId"]) >= self.first_job]

    def edit_profile(self, train: dict[str, Any], **keys: Any) -> None:
        """Set resources of training jobs, and any key of the profile."""
        path = self.folder / "slurm/config.yaml"
        profile = yaml.safe_load(path.read_text())
        rules = profile["set-resources"]
        for rule in ("train", PACK):  # no rule asks for a GPU by itself: device is cpu
            rules[rule] = rules.get(rule, rules["with_gpu"]) | train
        profile |= {"slurm-init-seconds-before-status-checks": 2} | keys
        path.write_text(yaml.safe_dump(profile))

    def start(self, *arguments: str, log: str = "head.log", configfile: str = "test.yaml") -> subprocess.Popen[bytes]:
        """Start Snakemake with the profile; its output goes to a file of the checkout."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | {"PATH": path, "PYTHONPATH": str(self.folder / "src")}
        command = ["snakemake", "--profile", "slurm", "--configfile", configfile, *arguments]
        with open(self.folder / log, "wb") as out:
            self.heads.append(
                subprocess.Popen(
                    command, cwd=self.folder, env=environment, start_new_session=True, stdout=out, stderr=out
                )
            )
        return self.heads[-1]

    def stop(self) -> None:
        """Leave nothing running, neither Snakemake nor jobs."""
        for head in self.heads:
            if head.poll() is None:
                os.killpg(head.pid, signal.SIGKILL)
                head.wait()
        self.cluster.cancel_all()

    def train(self, **keywords: str) -> subprocess.Popen[bytes]:
        """Start the run that ends with the tables of the grid."""
        return self.start("--", *TABLES, **keywords)

    def finish(self, process: subprocess.Popen[bytes], seconds: float = 400) -> str:
        """Wait until a run ends as it should; what it said."""
        try:
            code: object = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = "it hangs"
        said = (self.folder / "head.log").read_text()
        assert code == 0, f"{code}: {said}\n" + "\n".join(map(str, self.jobs("train")))
        return said

    def run(self, *arguments: str, **keywords: Any) -> str:
        """Run Snakemake to its end."""
        return self.finish(self.start(*arguments, **keywords))

    def results(self) -> dict[str, bytes]:
        """The tables and the trained weights."""
        models = sorted((self.folder / "results/models").rglob("model.safetensors"))
        paths = [*TABLES, *(str(path.relative_to(self.folder)) for path in models)]
        return {path: (self.folder / path).read_bytes() for path in paths}

    def logs(self) -> str:
        """The logs of all training jobs."""
        return "\n".join(path.read_text() for path in sorted((self.folder / "results/logs/train").rglob("*.log")))

    def trainers(self) -> list[int]:
        """Process numbers of the running trainings that have written a checkpoint, oldest first."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode().split("\0")
                if words[1:4] == ["-m", "proformer", "train"] and (process / "cwd").resolve() == self.folder.resolve():
                    checkpoint = self.folder / words[words.index("--checkpoint") + 1]
                    found += [int(process.name)] if checkpoint.exists() else []
            except (OSError, ValueError):
                continue
        return sorted(found)

    def in_the_middle(self, number: int = 1, process: subprocess.Popen[bytes] | None = None) -> list[int]:
        """Wait for so many trainings that have written a checkpoint, and hold them there (SIGSTOP)."""
        held: list[int] = []

        def hold() -> bool:
            assert process is None or process.poll() is None, (self.folder / "head.log").read_text()
            for pid in set(self.trainers()) - {*held}:
                os.kill(pid, signal.SIGSTOP)
                held.append(pid)
            return len(held) >= number

        wait_for(hold, 120, every=0.02)
        return held


def check_gpus(jobs: list[dict[str, str]]) -> None:
    """Each training job has ended well with one GPU, all others without."""
    for job in jobs:
        training = job["Comment"].startswith("rule_train")
        assert job["JobState"] == "COMPLETED"
        assert job.get("TresPerJob") == ("gres:gpu:1" if training else None)
        assert job["JOB_GRES"] == ("gpu:h200:1" if training else "(null)")
        assert job["Partition"] == ("gpu" if training else "cpu")
        assert job["Account"] == "lab"


def environment_of(pid: int) -> dict[str, str]:
    """Environment of a process."""
    words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def job_of(pid: int) -> str:
    """Number of the Slurm job that a process belongs to."""
    return environment_of(pid)["SLURM_JOB_ID"]


def go_on(pids: list[int]) -> None:
    """Let processes that were held go on."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def signalled(pid: int, number: int) -> bool:
    """Whether a signal waits for a process that is held, or has ended it: Slurm may send SIGCONT, too."""
    if not Path(f"/proc/{pid}").exists():
        return True
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return any(int(fields[name], 16) >> (number - 1) & 1 for name in ("SigPnd", "ShdPnd"))
