"""Batches of profiles: pieces of windows, strands, stores larger than memory; and what picks the best epoch."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from proformer.datasets import batches
from proformer.datasets.batches import DeviceData, reverse_complement
from proformer.datasets.parts import split
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.evaluation.metrics import METRICS, measure
from proformer.models.base import Model
from proformer.tasks import Task
from proformer.training.config import Training
from proformer.training.loop import Run
from proformer.training.run import train
from proformer.training.validation import predict_all, score_of, validate

CPU, ROWS, LENGTH, BIN = torch.device("cpu"), 96, 64, 4
TASK = Task("profile", ("gc", "twice"), bin=BIN, loss_name="mse")


def write(path, rows, task=TASK):
    """Windows whose profiles are the G and C in each bin, and twice that: pieces and strands carry their own truth."""
    codes = np.random.default_rng(3).integers(0, 4, (rows, LENGTH)).astype(np.uint8)
    counts = ((codes == 1) | (codes == 2)).reshape(rows, -1, BIN).sum(axis=2)
    with StoreWriter(path, {"task": asdict(task), "layout": {"length": LENGTH, "flanks": ["", ""]}}) as writer:
        target = np.stack([counts, 2 * counts], axis=1).astype(np.float32)
        writer.append(target=target, codes=codes, group=np.arange(rows))
    return path


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profiles")
    parts = [folder / "train", folder / "validation"]
    split(write(folder / "all", ROWS), parts, (0.7, 0.3))
    return parts


def counted(codes):
    """The truth about codes [B, L]."""
    counts = ((codes == 1) | (codes == 2)).unflatten(1, (-1, BIN)).sum(dim=2).float()
    return torch.stack([counts, 2 * counts], dim=1)


class Counting(Model):
    """Knows the answer but for a factor, which it learns."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, codes):
        return self.factor * counted(codes)


def test_pieces_and_strands_keep_their_targets(stores):
    store = open_store(stores[0])
    data = DeviceData(store, CPU, TASK, shift=16, reverse=0.5)
    whole = torch.from_numpy(np.array(store.codes))
    seen, turned = set(), 0
    for draw in range(20):
        batch = data.batch(torch.arange(32), draw)
        assert batch.codes.shape == (32, LENGTH - 16)
        assert torch.equal(batch.target, counted(batch.codes))
        for row, codes in zip(whole[:32], batch.codes, strict=True):
            places = [(s, r) for s in range(0, 17, BIN) for r in (False, True) if torch.equal(
                codes, reverse_complement(row[None, s : s + 48])[0] if r else row[s : s + 48])]  # fmt: skip
            assert len(places) == 1
            seen.add(places[0][0])
            turned += places[0][1]
    assert seen == {0, 4, 8, 12, 16}
    assert 0.4 < turned / 640 < 0.6
    assert torch.equal(data.batch(torch.arange(9), 5).codes, data.batch(torch.arange(9), 5).codes)
    assert torch.equal(data.batch(slice(0, 5)).codes, whole[:5, 8:56])


def test_pieces_of_windows_with_one_number_each(stores):
    store = open_store(stores[0])
    value = replace(store, columns=store.columns | {"target": store.target[:, :1, :1]})
    data = DeviceData(value, CPU, Task(scale="none"), shift=5, reverse=1.0)
    batch = data.batch(slice(0, 8), 1)
    assert batch.codes.shape == (8, LENGTH - 5)
    assert batch.target.numpy() == pytest.approx(value.target[:8])


@pytest.mark.parametrize("shift", [6, 64])
def test_impossible_shifts_are_named(stores, shift):
    with pytest.raises(InputError, match=rf"shift is {shift}, expected less than .* bins of 4 bp"):
        DeviceData(open_store(stores[0]), CPU, TASK, shift=shift)


def test_a_store_larger_than_memory_gives_the_same_batches(stores, monkeypatch):
    store = open_store(stores[0])
    order = torch.randperm(len(store), generator=torch.Generator().manual_seed(1))
    known = list(DeviceData(store, CPU, TASK).batches(10, order))
    monkeypatch.setattr(batches.os, "sysconf", lambda name: 1)
    asked = []
    monkeypatch.setattr(batches.os, "posix_fadvise", lambda handle, start, size, what: asked.append((start, size)))
    data = DeviceData(store, CPU, TASK)
    for a, b in zip(known, data.batches(10, order), strict=True):
        assert torch.equal(a.codes, b.codes)
        assert torch.equal(a.target, b.target)
    raw = stores[0].read_bytes()
    row = int(order[10])  # the first of the second batch: its codes, then its target
    pieces = [raw[start : start + size] for start, size in asked]
    assert np.asarray(store.codes[row]).tobytes() == pieces[0]
    assert np.asarray(store.target[row]).tobytes() == pieces[10]
    assert len(asked) == 2 * (len(store) - 10)


def run_of(stores, tmp_path, **keys):
    settings = Training(
        **{"epochs": 3, "batch_size": 16, "learning_rate": 0.02, "schedule": "constant", "shift": 16, **keys}
    )
    data = [DeviceData(open_store(path), CPU, TASK, shift=settings.shift, reverse=0.5) for path in stores]
    return Run(Counting(), settings, *data, digest="a", checkpoint=tmp_path / "c.pt")


def test_profiles_train_and_resume_with_the_same_pieces(stores, tmp_path):
    whole = run_of(stores, tmp_path / "a").execute()
    first = run_of(stores, tmp_path / "b", epochs=1)
    first.execute()
    again = run_of(stores, tmp_path / "b").execute()
    rate = "sequences_per_second"
    assert [row | {rate: 0} for row in again.rows] == [row | {rate: 0} for row in whole.rows]
    assert whole.rows[-1]["validation_loss"] < whole.rows[0]["validation_loss"]


def test_validation_of_profiles(stores):
    data, model = DeviceData(open_store(stores[1]), CPU, TASK), Counting()
    row = validate(model, data, Training(select="jensen_shannon", batch_size=7))
    prediction, truth = predict_all(model, data), np.asarray(data.target, dtype=np.float64)
    assert row["validation_loss"] == pytest.approx(np.mean((prediction - truth) ** 2))
    assert row["validation_r"] == pytest.approx(measure("pearson", prediction, truth).mean())
    expected = METRICS["jensen_shannon"].rows(prediction, truth).mean()
    assert row["validation_jensen_shannon"] == pytest.approx(expected)


def test_more_is_better_of_every_selecting_number():
    row = {"validation_r": 0.5, "validation_loss": 2.0, "validation_mse": 3.0, "validation_auroc": 0.7}
    assert [score_of(row, name) for name in ("pearson", "loss", "mse", "auroc")] == [0.5, -2, -3, 0.7]


PROMOTERS = {"dim": 8, "heads": 1, "blocks": 1, "kmer": 5, "expression_heads": 4}


def promoter_store(folder, fractions):
    random = np.random.default_rng(1)
    codes = random.integers(0, 4, (120, 30)).astype(np.uint8)
    meta = {"task": asdict(Task()), "layout": {"length": 30, "flanks": ["", ""]}}
    with StoreWriter(folder / "all", meta) as writer:
        target = ((codes == 1).sum(axis=1) + random.normal(size=120))[:, None, None].astype(np.float32)
        writer.append(codes=codes, target=target, group=np.arange(120))
    split(folder / "all", [folder / "train", folder / "validation"], fractions)
    return folder / "train", folder / "validation"


def fit(stores, out, **keys):
    training = {"epochs": 4, "batch_size": 16, "learning_rate": 0.01} | keys
    train({"model": PROMOTERS, "training": training}, *stores, out, out / "c.pt", device="cpu", threads=1)
    return pd.read_csv(out / "metrics.tsv", sep="\t"), json.loads((out / "model.json").read_text())


@pytest.mark.parametrize(
    ("select", "column", "sign"), [("loss", "loss", -1), ("mse", "mse", -1), ("spearman", "rho", 1)]
)
def test_the_selecting_metric_picks_the_epoch(tmp_path, select, column, sign):
    metrics, made = fit(promoter_store(tmp_path, (0.7, 0.3)), tmp_path / "m", select=select)
    assert made["best_epoch"] == (sign * metrics[f"validation_{column}"]).idxmax() + 1


def test_everything_may_train(tmp_path):
    stores = promoter_store(tmp_path, (1, 0))
    metrics, made = fit(stores, tmp_path / "m", keep="last")
    assert made["data"]["validation"] == 0
    assert metrics["validation_r"].isna().all()
    assert made["best_epoch"] == 4
    with pytest.raises(InputError, match="set keep: last"):
        fit(stores, tmp_path / "n")


def test_a_model_of_pieces_predicts_pieces(tmp_path):
    _, made = fit(promoter_store(tmp_path, (0.7, 0.3)), tmp_path / "m", shift=10, reverse_complement=0.5)
    assert made["layout"]["length"] == made["model"]["length"] == 20


def test_positions_are_joined_after_the_shift(stores):
    data = DeviceData(open_store(stores[0]), CPU, replace(TASK, bin=16), shift=16, reverse=0.5)
    batch = data.batch(torch.arange(20), 7)
    assert torch.equal(batch.target, counted(batch.codes).unflatten(2, (-1, 4)).mean(3))
    with pytest.raises(InputError, match="found bins of 6 bp"):
        DeviceData(open_store(stores[0]), CPU, replace(TASK, bin=6))
    with pytest.raises(InputError, match="that fill the target's 60 bp"):
        DeviceData(open_store(stores[0]), CPU, replace(TASK, bin=8), shift=4)


def test_pieces_may_be_the_middles_of_all_windows(stores):
    data = DeviceData(open_store(stores[0]), CPU, TASK, shift=16, place="middle")
    assert torch.equal(data.batch(torch.arange(9), 3).codes, data.batch(torch.arange(9)).codes)
