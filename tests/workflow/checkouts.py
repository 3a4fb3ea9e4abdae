"""Copies of the checkout to run the workflow in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

VAISHNAV = ("deepsea", "danq", "deepatt", "convolutional", "convolutional-repaired", "transformer")
TINY = {
    "simulate_atac": {"genome_size": 150_000, "pairs": 6_000},
    "atac": {"windows": {"number": 400}},
    "simulate": {"train": 300, "test": 100, "seed": 1},
    "simulate_coverage": {"genome_size": 100_000},
    "explain": {
        "runs": ["proformer", "legnet"],
        "sequences": 3,
        "backgrounds": 4,
        "null": ["dinucleotide", "profile"],
        "patterns": ["GTCTGGCCC"],
        "every": 20,
        "designs": 2,
        "edits": 2,
    },
    "simulate_vaishnav": {"native": 40, "random": 40, "drift": 12},
    "simulate_benchmarks": {"enhancers": 60, "elements": 50, "seed": 1},
    "datasets": {
        "starrseq": {"cross_validation": {"only": ["2L", "X"]}},
        "hepg2": None,
        "chromatin": None,
        "chromatin_bias": None,
    },
    "benchmarks": {"human": None, "chromatin": None},
    "runs": {
        name: {"keys": {"dim": 4, "heads": 1, "blocks": 1}, "training": {"epochs": 2, "batch_size": 32}}
        for name in ("proformer", "final")
    }
    # Two peers, with all that is special of their training: others are trained by tests of their own.
    | {name: {"training": {"epochs": 1}} for name in ("legnet", "crmnet")}
    | dict.fromkeys((*VAISHNAV, "bhi", "training-mean", "GC-content"))
    | {
        "ablation": {"keys": {"dim": 4, "heads": 1, "blocks": 1}, "training": {"epochs": 1}},
        "prixfixe": {  # eight of the combinations
            "training": {"epochs": 1},
            "vary": {role: {"unlock_dna": None} for role in ("processor", "core", "final")}
            | {"first": {"bhi": None, "unlock_dna": None}},
        },
        **dict.fromkeys(
            ("mprann", "dream-rnn", "dream-rnn-promoters", "dream-attn", "bias", "chrombpnet", "profile-dream-cnn")
        ),
        "deepstarr": {"training": {"epochs": 1}},
        "dream-cnn": {"training": {"epochs": 1, "warmup_epochs": 0.3}},
        "atac": {
            "vary": {"width": ["4/1"], "blocks": [1], "head": ["AP", 2]},
            "training": {"epochs": 2, "batch_size": 32},
        },
        "atacchromosome": {
            "vary": {"width": ["4/1"], "blocks": [1], "head": ["AP", 2]},
            "training": {"epochs": 2, "batch_size": 32},
        },
        "basenji": {
            "training": {"epochs": 1},
            "vary": {"loss": dict.fromkeys(("r", "r+MSE", "multinomial+MSE")), "bin": [32]},
        },
        "bpnet": {
            "training": {"epochs": 1},
            "vary": {"loss": dict.fromkeys(("MSE", "r", "r+MSE", "multinomial+MSE")), "bin": [1]},
        },
        "selection": {"training": {"epochs": 1}, "vary": {"bin": [32]}},
        "augmentation": {
            "datasets": ["coverage"],
            "training": {"epochs": 1},
            "vary": {"augmentation": {"shift": None, "RC": None}},
        },
        "architectures": {
            "training": {"epochs": 1},
            "vary": {"architecture": {"CNN-task": None, "ResidualBind-task": None}, "first": {"exponential": None}},
        },
        "labels": {
            "training": {"epochs": 1},
            "vary": {"architecture": {"Basset": None, "ResidualBind-binary": None}},
        },
        "grid": {
            "vary": {"width": ["4/1", "6/2"], "blocks": [1, 2], "head": ["AP", 1, 2, 3]},
            "predict": {"width": "6/2", "blocks": 2, "head": ["AP", 3]},
            "training": {"epochs": 2, "batch_size": 32},
        },
    },
}
Snakemake = Callable[..., subprocess.CompletedProcess[str]]


def checkout(root: Path, folder: Path) -> Path:
    """Copy what git knows, or would add, to `folder`, with the tiny configuration as an overlay."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, folder / name)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return folder


def snakemake_in(folder: Path) -> Snakemake:
    """Run Snakemake in a checkout, as a user would who calls it by its path: the environment is not on PATH."""
    own = {Path(sys.executable).parent, Path(sys.prefix) / "bin"}
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if Path(part) not in own)
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(folder / "src")}

    def run(*arguments: str, **keywords: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, **keywords)

    return run
