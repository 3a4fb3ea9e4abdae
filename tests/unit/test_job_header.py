"""The first lines of a job's log."""

import json
import os
import platform
import subprocess
import sys

import pytest

from proformer import provenance

LISTING = """0, GPU-aaaa, NVIDIA A100-SXM4-80GB
1, GPU-bbbb, NVIDIA H200
"""


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """A machine on which nvidia-smi lists two GPUs."""
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<END\n{LISTING}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(program.parent), os.environ["PATH"]]))
    return program


def test_a_job_says_where_it_runs_and_what_it_was_asked(proformer, monkeypatch, two_gpus, tmp_path):
    for name, value in {"PROFORMER_JOB": "1", "SLURM_JOB_ID": "812", "SLURM_CPUS_PER_TASK": "3"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    done = proformer("prepare", "--sequences", tmp_path / "none.tsv", "--out", tmp_path / "store.safetensors")
    machine, versions, arguments, error = done.stderr.splitlines()
    assert f"host {platform.node()} · GPU NVIDIA H200 (CUDA_VISIBLE_DEVICES=1) · " in machine
    assert f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} CPUs" in machine
    assert "Slurm job 812 SLURM_CPUS_PER_TASK=3" in machine
    assert f"python {platform.python_version()} · " in versions
    assert f"code {provenance.git_revision()}" in versions
    asked = json.loads(arguments.removeprefix("arguments "))
    assert asked["verb"] == "prepare"
    assert asked["sequences"][0].endswith("none.tsv")
    assert asked["too_long"] == "error"  # defaults, too
    assert "no such file" in error


def test_by_hand_there_is_no_header(proformer, monkeypatch):
    monkeypatch.delenv("PROFORMER_JOB", raising=False)
    assert proformer("fetch", "--list").stderr == ""


def test_foreign_programs_begin_with_it_too(root, monkeypatch):
    monkeypatch.setenv("PROFORMER_JOB", "1")
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))
    command = [sys.executable, "-m", "proformer.provenance", "multiqc", "x y"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("host ")
    assert "multiqc 'x y'" in done.stderr.splitlines()[2]


def test_of_several_processes_the_first_of_each_node_writes_it(monkeypatch, capsys):
    monkeypatch.setenv("PROFORMER_JOB", "1")
    for local, said in (("0", True), ("1", False)):
        monkeypatch.setenv("LOCAL_RANK", local)
        provenance.log_job({})
        assert capsys.readouterr().err.startswith("host ") == said


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({}, "NVIDIA A100-SXM4-80GB + NVIDIA H200"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-aaaa"}, "NVIDIA A100-SXM4-80GB (CUDA_VISIBLE_DEVICES=GPU-aaaa)"),
        ({"CUDA_VISIBLE_DEVICES": ""}, "none"),
        ({"SLURM_JOB_ID": "7"}, "none"),
    ],
)
def test_gpus_are_those_the_job_may_use(two_gpus, monkeypatch, environment, text):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert provenance.visible_gpus() == text


def test_a_driver_that_fails_is_said(two_gpus):
    two_gpus.write_text("#!/bin/sh\nexit 9\n")
    assert provenance.visible_gpus() == "unknown (CalledProcessError)"
