"""Set-up on machines as they come: a bad state ends in one line that says what to do, and no tool's noise is seen."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
PROGRAMS = ["awk", "bash", "cat", "cp", "dirname", "echo", "env", "grep", "id", "mkdir", "rm", "timeout", "touch"]
PROGRAMS += ["uname", "xargs"]
# What pip 23 says without a network.
NO_NETWORK = """Collecting numpy==2.4.6
WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError: Failed to establish a new connection'
ERROR: Could not find a version that satisfies the requirement numpy==2.4.6 (from versions: none)
ERROR: No matching distribution found for numpy==2.4.6
"""
FAKE_PYTHON = """#!/bin/sh
case "$*" in
*version.py*) echo torch 2.13.0 ;;
-c*) {fits} ;;
--version) echo Python 3.{minor}.0 ;;
"-m venv"*) rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*"pip "*" install "*) echo "$*" >> pip.txt; cat {said}; exit {code} ;;
esac
"""


class Machine:
    """A checkout's set-up files in a folder, and a PATH that holds only what it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for program in PROGRAMS:
            (self.bin / program).symlink_to(str(shutil.which(program)))
        shutil.copytree(SCRIPTS, folder / "scripts")
        for part in ("", "-test"):
            (folder / f"requirements{part}.lock").write_text("# pins\nMACS2==2.2.9.1\nnumpy==2.4.6\ntorch==2.13.0\n")
        self.stub("df", "echo Filesystem; echo disk 9 9 9999999 9% /")

    def stub(self, name: str, script: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def python(
        self, said: str = "", code: int = 0, minor: int = 12, fits: str = "exit 0", name: str = "python3"
    ) -> None:
        """A Python whose pip says, and ends with, what it is told."""
        (self.folder / "said.txt").write_text(said)
        self.stub(name, "")
        text = FAKE_PYTHON.format(said=self.folder / "said.txt", code=code, minor=minor, fits=fits)
        (self.bin / name).write_text(text)

    def run(self, script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "HOME": str(self.folder), **settings}
        command = ["bash", str(self.folder / "scripts" / script), *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60)

    def refuses(self, script: str, *arguments: str, **settings: str) -> str:
        """The one line that the script ends with."""
        done = self.run(script, *arguments, **settings)
        assert done.returncode == 2, done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("script", ["tools.sh", "setup.sh"])
def test_old_python(machine: Machine, script: str) -> None:
    machine.python(minor=9, fits="echo 3.9 >&2; exit 1")
    line = machine.refuses(script)
    assert "Python 3.11 or newer is needed, found: Python 3.9.0" in line
    assert "make PYTHON=" in line


def test_a_newer_python_beside_an_old_one_is_taken(machine: Machine) -> None:
    machine.python(minor=9, fits="exit 1")
    machine.python(name="python3.12")
    assert machine.run("python.sh").stdout == "python3.12\n"
    assert machine.run("python.sh", PYTHON="python3").returncode == 2


def test_no_python_at_all(machine: Machine) -> None:
    assert "Python 3.11 or newer is needed" in machine.refuses("setup.sh")


def test_no_venv_module(machine: Machine) -> None:
    machine.python(fits="echo \"ModuleNotFoundError: No module named 'ensurepip'\" >&2; exit 1")
    assert "apt-get install python3-venv" in machine.refuses("setup.sh")


@pytest.mark.parametrize("there", [True, False])
def test_no_compiler_or_programs_and_no_right_to_install_them(machine: Machine, there: bool) -> None:
    machine.python()
    machine.stub("id", "echo 1000")
    tools = ["bowtie2", "samtools", "bedtools", "fastp"]
    for tool in tools if there else []:
        machine.stub(tool, "")
    line = machine.refuses("tools.sh")
    assert line.startswith(f"Missing: {' '.join([] if there else tools)} gcc libc6-dev.".replace("  ", " "))
    assert "conda install -c conda-forge -c bioconda bowtie2 samtools bedtools fastp c-compiler" in line


def test_apt_is_silent_unless_it_fails(machine: Machine) -> None:
    machine.python()
    machine.stub("id", "echo 0")
    noise = "echo 'debconf: delaying package configuration, since apt-utils is not installed' >&2\n"
    machine.stub("apt-get", f"{noise}echo 'E: Could not get lock' >&2; exit 100")
    line = machine.refuses("tools.sh")
    assert "debconf" not in line
    assert "(E: Could not get lock)" in line
    tools = "bowtie2 samtools bedtools fastp cc"
    machine.stub("apt-get", f'{noise}for tool in {tools}; do cp "$0" "{machine.bin}/$tool"; done')
    done = machine.run("tools.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Installing bowtie2 samtools bedtools fastp gcc libc6-dev ...\n"


def test_a_full_disk_is_seen_before_anything_is_written(machine: Machine) -> None:
    machine.python()
    machine.stub("df", "echo Filesystem; echo disk 9 9 300 97% /")
    assert "2000 MB are needed" in machine.refuses("setup.sh", TORCH="cuda")
    assert not (machine.folder / ".venv").exists()


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
            "The disk is full",
        ),
        (NO_NETWORK, "No network"),
        ("ERROR: No matching distribution found for numpy==2.4.6\n", "No version of numpy==2.4.6 fits this Python"),
        ("error: command '/usr/bin/gcc' failed with exit code 1\nERROR: Failed building wheel\n", "C compiler"),
        ("WARNING: old\nERROR: something new\nWARNING: more\n", "pip: something new"),
        ("", "pip ended with 1"),
    ],
)
def test_what_stops_pip_is_said_in_one_line(machine: Machine, said: str, line: str) -> None:
    machine.python(said, code=1)
    assert line in machine.refuses("setup.sh", TORCH="cuda")
    assert not (machine.folder / ".venv/.complete").exists()
    assert said in (machine.folder / ".venv/setup.log").read_text()
    machine.python()
    (machine.folder / ".venv/bin/python").write_text((machine.bin / "python3").read_text())
    assert machine.run("setup.sh", TORCH="cuda").returncode == 0  # and it goes on


def test_pip_warns_into_its_log_alone(machine: Machine) -> None:
    machine.python("WARNING: Ignoring invalid distribution -umpy\nDEPRECATION: soon\nCollecting numpy==2.4.6\n")
    for part in ((), ("test",)):
        done = machine.run("setup.sh", *part, TORCH="cuda")
        assert (done.returncode, done.stderr) == (0, "")
        assert "WARNING" not in done.stdout
        assert "DEPRECATION" not in done.stdout
    assert (machine.folder / ".venv/.complete").exists()
    assert (machine.folder / ".venv/.complete-test").exists()
    installed = [line.rpartition(" install ")[2] for line in (machine.folder / "pip.txt").read_text().splitlines()]
    assert ["torch==2.13.0" in line for line in installed] == [False, True, False, False, False]
    assert installed[-2].endswith("MACS2==2.2.9.1 --editable .")
    assert installed[-1].endswith("--requirement requirements-test.lock")


def test_a_killed_setup_is_resumed(machine: Machine) -> None:
    """Packages that pip left half unpacked are installed anew; a .venv whose Python is gone is made anew."""
    machine.python()
    assert machine.run("setup.sh", TORCH="cuda").returncode == 0
    packages = machine.folder / ".venv/lib/python3.12/site-packages"
    for name in ("whole-1.dist-info", "half-1.dist-info", "~eftover"):
        (packages / name).mkdir(parents=True)
    (packages / "whole-1.dist-info/RECORD").touch()
    assert machine.run("setup.sh", TORCH="cuda").returncode == 0
    assert os.listdir(packages) == ["whole-1.dist-info"]
    (machine.folder / ".venv/bin/python").unlink()
    (machine.folder / ".venv/bin/python").symlink_to("/nowhere/python3")
    assert machine.run("setup.sh", TORCH="cuda").returncode == 0
    assert not packages.exists()


PIN = "torch==2.13.0"


@pytest.fixture
def index(tmp_path: Path):
    """An index of packages on this machine that holds a CPU build."""
    (tmp_path / "index/torch").mkdir(parents=True)
    page = '<a href="torch-2.13.0%2Bcpu-py3-none-any.whl">torch-2.13.0+cpu-py3-none-any.whl</a>'
    (tmp_path / "index/torch/index.html").write_text(f"<!DOCTYPE html><html><body>{page}</body></html>")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "index"))

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def choose(machine: Machine, index: str, **settings: str) -> str:
    """What pip would be told on Linux, with no GPU and no settings of pip's but those given."""
    (machine.folder / ".venv").exists() or (machine.folder / ".venv").symlink_to(sys.prefix)
    settings = {"PIP_CONFIG_FILE": os.devnull, "TORCH_INDEX": index, "NO_PROXY": "127.0.0.1"} | settings
    done = machine.run("torch.sh", PIN, **settings)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere pip's usual build has no CUDA")
class TestBuildOfPyTorch:
    @pytest.fixture(autouse=True)
    def no_gpu(self):
        if Path("/dev/nvidiactl").exists():
            pytest.skip("this machine has an NVIDIA GPU")

    def test_without_a_gpu_it_is_the_cpu_build(self, machine: Machine, index: str) -> None:
        assert choose(machine, index) == f"{PIN}+cpu --extra-index-url {index}"

    @pytest.mark.parametrize(
        ("tool", "says"), [("nvidia-smi", "GPU 0: H200 (UUID: GPU-1)"), ("sinfo", "gpu:a100:4(S:0-1)")]
    )
    def test_with_one_it_is_the_usual_build(self, machine: Machine, index: str, tool: str, says: str) -> None:
        machine.stub(tool, f"echo '{says}'")
        assert choose(machine, index) == PIN

    def test_a_driver_or_a_cluster_without_gpus_counts_as_none(self, machine: Machine, index: str) -> None:
        machine.stub("nvidia-smi", "echo 'NVIDIA-SMI has failed' >&2; exit 9")
        machine.stub("sinfo", "echo '(null)'")
        assert "+cpu" in choose(machine, index)

    @pytest.mark.parametrize(
        "setting", [{"PIP_FIND_LINKS": "/wheels"}, {"PIP_EXTRA_INDEX_URL": "http://x"}, {"PIP_NO_INDEX": "1"}]
    )
    def test_pips_own_settings_decide(self, machine: Machine, index: str, setting: dict[str, str]) -> None:
        assert choose(machine, index, **setting) == PIN

    def test_the_user_decides(self, machine: Machine, index: str) -> None:
        assert choose(machine, index, TORCH="cuda") == PIN
        machine.stub("nvidia-smi", "echo 'GPU 0: H200 (UUID: GPU-1)'")
        assert choose(machine, index, TORCH="cpu").startswith(f"{PIN}+cpu ")
        assert "TORCH=gpu" in machine.refuses("torch.sh", PIN, TORCH="gpu")

    def test_an_index_of_other_versions_is_left_alone(self, machine: Machine, index: str) -> None:
        page = machine.folder / "index/torch/index.html"
        page.write_text(page.read_text().replace("2.13.0", "2.13.1"))
        assert choose(machine, index) == PIN

    def test_an_index_that_is_not_there_or_silent_is_left_alone(self, machine: Machine) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            assert choose(machine, f"http://127.0.0.1:{silent.getsockname()[1]}") == PIN  # it never answers
        assert choose(machine, "http://127.0.0.1:9") == PIN
