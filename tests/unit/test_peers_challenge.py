"""The challenge's first two models and CRMnet: what they share."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from proformer.datasets.batches import Batch
from proformer.datasets.parts import split
from proformer.datasets.prepare import Layout, prepare
from proformer.errors import InputError
from proformer.models import build, find, find_recipe
from proformer.tasks import Task
from proformer.training import loop
from proformer.training.run import train

FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
SMALL = {
    "crmnet": {
        "window": 64, "kernel": 7, "widths": [16, 16, 16], "up_width": 16, "heads": 2, "feed_forward": 16,
        "head": 32, "dense": 64,
    },
    "legnet": {"window": 64, "widths": [16, 16, 16]},
    "bhi": {"window": 64, "kernels": [5, 7], "width": 32, "lstm": 16, "dense": 64, "shifts": 1, "last_dropout": 0.1},
}  # fmt: skip
TRAINING = {
    "crmnet": {
        "batch_size": 16,
        "learning_rate": 3e-3,
        "epochs": 10,
        "schedule": "cosine",
        "warmup_epochs": 1,
        "shuffle": "epoch",
        "target_mean": None,
        "target_sd": None,
    },
    "legnet": {"batch_size": 16, "epoch_batches": None, "epochs": 5, "warmup_epochs": 1.5, "learning_rate": 0.02},
    "bhi": {"batch_size": 16, "epochs": 10, "learning_rate": 0.003, "warmup_epochs": 2},
}
PEERS = list(SMALL)
SIZES = {
    ("crmnet", "as-released"): (34_165_681, 4_608),
    ("crmnet", "repaired"): (34_165_681, 4_608),
    ("crmnet", "wen-group"): (25_256_989, None),
    ("legnet", "as-released"): (1_852_846, None),
    ("legnet", "optimised"): (2_129_602, None),
    ("bhi", "as-released"): (6_875_137, 0),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny models are slower on several."""
    torch.set_num_threads(1)


def small(name, **keys):
    torch.manual_seed(0)
    return build({"model": name, "flanks": FLANKS, **SMALL[name], **keys})


def codes_of(rows, length=34, top=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, top, (rows, length), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def motif(tmp_path_factory):
    """400 promoters; those with a TGACTCA near either end are two bins above those without."""
    random, folder = np.random.default_rng(1), tmp_path_factory.mktemp("motif")
    with open(folder / "all.txt", "w") as handle:
        for row in range(400):
            insert = "".join(random.choice(list("ACGT"), 34))
            if row % 2:
                for start in (6 + random.integers(2), 20 + random.integers(2)):
                    insert = insert[:start] + "TGACTCA" + insert[start + 7 :]
            handle.write(f"{FLANKS[0]}{insert}{FLANKS[1]}\t{10 + 2 * (row % 2) + random.normal(0, 0.1):.4f}\n")
    prepare(folder / "all.txt", folder / "all.safetensors", Layout(length=34, flanks=FLANKS))
    parts = (folder / "train.safetensors", folder / "validation.safetensors")
    split(folder / "all.safetensors", parts, (0.75, 0.25), seed=1)
    return parts


def run(name, parts, out, minutes=1000.0, **training):
    config = {"model": {"model": name, **SMALL[name]}, "training": {**TRAINING[name], **training}}
    train(config, *parts, out, out / "checkpoint.pt", device="cpu", threads=1, checkpoint_minutes=minutes)
    return pd.read_csv(out / "metrics.tsv", sep="\t")


@pytest.mark.parametrize(("name", "recipe"), SIZES)
def test_parameter_counts_of_the_published_models(name, recipe):
    with torch.device("meta"):
        model = build({"model": name, **find_recipe(name, recipe)["model"]})
    trained, fixed = SIZES[name, recipe]
    assert sum(p.numel() for p in model.parameters()) == trained
    if fixed is not None:
        assert sum(b.numel() for key, b in model.named_buffers() if "running" in key) == fixed


@pytest.mark.parametrize("name", PEERS)
def test_shapes_and_batch_of_one(name):
    model = small(name).eval()
    codes = codes_of(5)
    expression = model(codes)
    assert expression.shape == (5, 1, 1)
    one = torch.cat([model(row[None]) for row in codes])
    assert one.flatten().tolist() == pytest.approx(expression.flatten().tolist(), abs=1e-5)
    assert model.train()(codes[:1]).isfinite().all()


@pytest.mark.parametrize("name", PEERS)
def test_defaults_take_promoters(name):
    """At full size, on the real layout: 80 nt in stores of 100, and one that is all N."""
    torch.manual_seed(0)
    model = build({"model": name, "flanks": FLANKS}).eval()
    inside = codes_of(2, 80)
    inside[1] = 4
    inserts = torch.nn.functional.pad(inside, (10, 10), value=4)
    with torch.inference_mode():
        expression = model(inserts)
    assert expression.isfinite().all()
    assert expression[0] != expression[1]


@pytest.mark.parametrize("name", PEERS)
def test_unknown_nucleotides(name):
    """Half N is fine, and a nucleotide that becomes N changes the prediction."""
    model = small(name).eval()
    codes = codes_of(4, top=8).clamp(max=4)
    assert model(codes).isfinite().all()
    known = codes_of(1)
    hidden = known.clone()
    hidden[0, 17] = 4
    assert model(known).item() != model(hidden).item()


@pytest.mark.parametrize("name", PEERS)
def test_prediction_is_a_function_of_the_sequence(name):
    """No dropout and no random padding outside of training; in training, both where the model has them."""
    model = small(name)
    codes = codes_of(8)
    codes = torch.nn.functional.pad(codes[:, 2:32], (2, 2), value=4)  # short: there is padding to draw
    model.eval()
    assert model(codes).tolist() == model(codes).tolist()
    model.train()
    batch = Batch(codes, torch.full((8, 1, 1), 9.0))
    losses = [model.loss(batch, Task(scale="none")).total.item() for _ in range(2)]
    assert (losses[0] == losses[1]) == (name == "legnet")


@pytest.mark.learns
@pytest.mark.parametrize("name", PEERS)
def test_learns_a_motif(name, motif, tmp_path, seed, reaches):
    metrics = run(name, motif, tmp_path, seed=seed)
    reaches(f"{name}, r", metrics["validation_r"].max(), 0.5)
    reaches(f"{name}, r in training", metrics["train_r"].iloc[-1], 0.8)
    reaches(f"{name}, fall of the loss", 1 - metrics["train_loss"].iloc[-1] / metrics["train_loss"].iloc[0], 0.2)


@pytest.mark.learns
@pytest.mark.parametrize("name", PEERS)
def test_without_steps_no_motif_is_learned(name, motif, tmp_path, seed, reaches):
    still = {"learning_rate": 1e-30, "warmup_start": 0.0, "final_rate": 0.0}
    metrics = run(name, motif, tmp_path, seed=seed, epochs=2, warmup_epochs=1, **still)
    reaches(f"{name}, r in training, negated", -metrics["train_r"].iloc[-1], -0.8)
    reaches(f"{name}, loss left", metrics["train_loss"].iloc[-1] / metrics["train_loss"].iloc[0], 0.8)


@pytest.mark.parametrize("name", PEERS)
def test_stopped_and_resumed_it_ends_with_the_same_bytes(name, motif, tmp_path, monkeypatch):
    """Randomness (dropout, sides of padding), batch norm and optimiser all go on where they were."""
    run(name, motif, tmp_path / "calm", epochs=2)
    update, steps = loop.Run._update, iter(range(1000))

    def stop(self, batch):
        if next(steps) in (3, 12):
            raise KeyboardInterrupt
        return update(self, batch)

    monkeypatch.setattr(loop.Run, "_update", stop)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(name, motif, tmp_path / "stopped", minutes=0, epochs=2)
    monkeypatch.setattr(loop.Run, "_update", update)
    run(name, motif, tmp_path / "stopped", epochs=2)
    for file in ("model.safetensors", "model.json"):
        assert (tmp_path / "calm" / file).read_bytes() == (tmp_path / "stopped" / file).read_bytes()


@pytest.mark.parametrize("name", ["legnet", "bhi"])
def test_two_processes_train_as_one(name, motif, tmp_path, root, monkeypatch):
    """Both strands of a row are on one process; sides of padding and batch norm are those of the batch."""
    monkeypatch.setitem(SMALL, "bhi", SMALL["bhi"] | {"dropout": 0.0, "last_dropout": 0.0})
    run(name, motif, tmp_path / "one", epochs=2)
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))
    keys = {"model": {"model": name, **SMALL[name]}, "training": {**TRAINING[name], "epochs": 2}}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "proformer"]
    command += ["train", "--config", json.dumps(keys), "--train", motif[0], "--validation", motif[1], "--threads", "1"]
    done = subprocess.run([*command, "--device", "cpu", "--out", tmp_path / "two"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    one, two = (pd.read_csv(tmp_path / out / "metrics.tsv", sep="\t")["train_loss"] for out in ("one", "two"))
    assert two.tolist() == pytest.approx(one.tolist(), rel=1e-5)


@pytest.mark.parametrize("name", PEERS)
def test_recipes_are_settings_that_exist(name):
    for recipe in find(name).RECIPES:
        keys = find_recipe(name, recipe)
        settings = loop.Training(**keys["training"])
        find(name).Config(**keys["model"])
        assert settings.warmup_epochs < settings.epochs
        assert settings.clip_value == settings.clip_norm == 0


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("crmnet", {"window": 62}, "window is 62"),
        ("legnet", {"group": 3}, "group is 3"),
        ("legnet", {"sd": 0}, "sd is 0"),
        ("legnet", {"unknown": "0"}, "unknown is '0', expected a number"),
        ("bhi", {"padding": ["a", 0, 1]}, "padding is .* expected a list of 3 numbers"),
        ("bhi", {"padding": [0.5, 0.6, 0.1]}, "three probabilities"),
        ("bhi", {"lstm": 5}, "cannot share"),
        ("bhi", {"dropout": 1}, "dropout is 1"),
    ],
)
def test_impossible_keys(name, keys, message):
    with pytest.raises(InputError, match=message):
        small(name, **keys)
