"""A Slurm of one machine: munged, slurmctld and slurmd with fake GPUs, in a folder of their own."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

SETTINGS = Path("/etc/slurm")  # the only place: the executor plugin strips SLURM_CONF from the environment of its jobs
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "setpriv")
GPUS = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random")  # one device file for each
SLURM_CONF = """\
ClusterName=lab
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
GresTypes=gpu
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdTimeout=20
ReturnToService=2
MinJobAge=3600
KillWait=10
NodeName=localhost CPUs=32 RealMemory=64000 Gres=gpu:h200:{gpus} State=UNKNOWN
PartitionName=cpu Nodes=localhost Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=localhost MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=localhost MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
"""


def why_not() -> str | None:
    """Say why no Slurm can be started here; None if it can."""
    if missing := [name for name in PROGRAMS if program(name) is None]:
        return f"no {missing[0]} on this machine (Debian, Ubuntu: apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "starting slurmd takes root"
    conf = SETTINGS / "slurm.conf"
    if conf.exists() and not conf.is_symlink():
        return f"{conf} belongs to a Slurm of this machine"
    return None


def program(name: str) -> str | None:
    """Find a program where Debian puts daemons, too."""
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


class Cluster:
    """A running Slurm; `jobs` lists everything that was ever submitted to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str) -> None:
        """Start a daemon that ends with us, even if we are killed."""
        command = ["setpriv", "--pdeathsig", "KILL", program(name), *arguments]
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(command, start_new_session=True, stdout=out, stderr=out)

    def start_node(self) -> None:
        """Start slurmd, and wait until the node takes jobs."""
        self.start("slurmd", "-D")
        wait_for(lambda: re.search(r"State=(IDLE|MIXED|ALLOCATED)\s", self.scontrol("show", "node")), 60)

    def kill(self, name: str) -> None:
        """Kill a daemon as an accident would."""
        self.daemons[name].kill()
        self.daemons.pop(name).wait()

    def scontrol(self, *arguments: str) -> str:
        """Run scontrol; its output, or nothing when it fails."""
        return subprocess.run(["scontrol", *arguments], capture_output=True, text=True).stdout

    def jobs(self, rule: str = "") -> list[dict[str, str]]:
        """Fields of `scontrol show job -d` for each job of a rule, in the order of submission."""
        found = []
        for line in self.scontrol("show", "job", "-d", "-o").splitlines():
            job = dict(re.findall(r"(\w+)=(\S*)", line))
            if "JobId" in job and job.get("Comment", "").startswith(f"rule_{rule}"):
                found.append(job)
        return sorted(found, key=lambda job: int(job["JobId"]))

    def next_job(self) -> int:
        """Number of the job that is submitted next."""
        return 1 + max((int(job["JobId"]) for job in self.jobs()), default=0)

    def step_daemons(self) -> list[int]:
        """Process numbers of slurmstepd of the running jobs."""
        running = {job["JobId"] for job in self.jobs() if job["JobState"] == "RUNNING"}
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                name = (process / "cmdline").read_bytes().decode(errors="replace")
                step = re.match(r"slurmstepd: \[(\d+)\.", name)
                found += [int(process.name)] if step and step[1] in running else []
        return found

    def cancel_all(self) -> None:
        """Cancel what still runs, and wait until it is gone."""
        subprocess.run(["scancel", "--user", "root"], capture_output=True)
        wait_for(lambda: not subprocess.run(["squeue", "-h"], capture_output=True, text=True).stdout.strip(), 60)


@contextmanager
def slurm() -> Iterator[Cluster]:
    """Run a Slurm of this machine's own for as long as the block runs; one at a time."""
    with ExitStack() as at_end:
        turn = at_end.enter_context(open(Path(tempfile.gettempdir(), "proformer-slurm.lock"), "w"))
        fcntl.flock(turn, fcntl.LOCK_EX)
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        folder.chmod(0o755)  # munge insists
        at_end.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        (folder / "slurm.conf").write_text(SLURM_CONF.format(folder=folder, gpus=len(GPUS)))
        (folder / "gres.conf").write_text(f"Name=gpu Type=h200 File={','.join(GPUS)}\n")
        SETTINGS.mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf"):
            (SETTINGS / name).unlink(missing_ok=True)
            (SETTINGS / name).symlink_to(folder / name)
            at_end.callback((SETTINGS / name).unlink, missing_ok=True)
        cluster = Cluster(folder)
        at_end.callback(_stop, cluster)
        munge = folder / "munge"
        files = [f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")]
        cluster.start("munged", "--foreground", f"--socket={munge}/socket", *files)
        wait_for(lambda: (munge / "socket").exists(), 20)
        cluster.start("slurmctld", "-D")
        wait_for(lambda: "UP" in cluster.scontrol("ping"), 30)
        cluster.start_node()
        yield cluster


def _stop(cluster: Cluster) -> None:
    if "slurmctld" in cluster.daemons:
        cluster.cancel_all()
    for daemon in reversed(cluster.daemons.values()):
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def wait_for(condition: Callable[[], object], seconds: float, every: float = 0.2) -> None:
    """Wait until a condition holds; TimeoutError if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(every)
