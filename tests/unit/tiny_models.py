"""Small models of every kind, and their folders."""

from dataclasses import asdict
from pathlib import Path

import torch

from proformer.models import build, resolve
from proformer.models.folder import write_folder
from proformer.predict import Predictor
from proformer.tasks import Task

FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
LENGTH = 40
UNLOCK = dict.fromkeys(("processor", "first", "core", "final"), "unlock_dna")
UNLOCK_OPTIONS = {"processor": {"width": 40, "cut": 5}, "first": {"width": 8}, "core": {"heads": 2, "blocks": 1}}
CONFIGS = {
    "proformer": {"dim": 8, "heads": 2, "blocks": 1, "expression_heads": 2, "kmer": 5},
    "proformer, forward": {"dim": 8, "heads": 1, "blocks": 1, "strands": "forward", "embedding": "convolution"},
    "legnet": {"widths": [8, 8]},
    "danq": {"filters": 8, "units": 4, "dense": [8]},
    "deepsea": {"filters": [8, 8, 8], "dense": [8]},
    "deepatt": {"filters": 8, "units": 4, "width": 8, "heads": 4},
    "bhi": {"kernels": [5, 9], "width": 8, "lstm": 4, "dense": 8, "shifts": 1},
    "crmnet": {"kernel": 5, "widths": [8, 8], "up_width": 8, "heads": 1, "feed_forward": 8, "head": 8, "dense": 8},
    "vaishnav_convolutional": {"filters": 8, "kernel": 6, "dense": 8},
    "vaishnav_transformer": {"motifs": 8, "filters": 8, "kernel": 6, "convolutions": 1, "heads": 4, "dense": 8},
    "bpnet": {"filters": 8, "layers": 2, "bin": 8, "tasks": 1},
    "basenji": {"filters": 8, "wide": 8, "blocks": 1, "bin": 8, "tasks": 1},
    "composed": {**UNLOCK, "options": UNLOCK_OPTIONS},
}


def tiny(name: str, seed: int = 0, task: Task | None = None, length: int = LENGTH) -> Predictor:
    """A model with random weights, large enough for predictions to differ."""
    torch.manual_seed(seed)
    config = resolve({"model": name.partition(",")[0], **CONFIGS[name]}, {"length": length, "flanks": FLANKS})
    model = build(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5 if parameter.dim() > 1 else 1)
    layout = {"length": length, "flanks": list(FLANKS), "too_long": "error", "wrong_flank": "error"}
    task = task or Task(mean=(11.0,), sd=(2.0,))
    return Predictor(model, {"model": config, "layout": layout, "task": asdict(task)}, task)


def saved(folder: Path, name: str = "danq", seed: int = 0) -> Path:
    """The folder of such a model."""
    predictor = tiny(name, seed)
    write_folder(folder, predictor.module.state_dict(), predictor.description)
    return folder
