"""Baselines: fitted in closed form, by the same verbs as every model."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.linear_model import Ridge

from proformer.datasets.batches import DeviceData
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.evaluation.evaluate import read_predictions
from proformer.models import build
from proformer.models.folder import read_description
from proformer.sequences import decode
from proformer.training.run import train


def features(sequence: str, kind: str, k: int = 3) -> list[float]:
    """Read plainly off a sequence."""
    if kind == "gc":
        known = sequence.replace("N", "")
        return [100 * sum(letter in "GC" for letter in known) / len(known)]
    counts = Counter(sequence[i : i + k] for i in range(len(sequence) - k + 1))
    return [counts["".join(letters)] for letters in product("ACGT", repeat=k)]


@pytest.mark.parametrize("kind", ["gc", "kmers"])
def test_trained_baselines_predict_as_the_regression_of_scikit_learn(stores, promoter_file, tmp_path, proformer, kind):
    config = {"model": "kmers", "recipe": kind}
    train(config, *stores, tmp_path / "model", tmp_path / "checkpoint.pt", device="cpu")
    parts = [open_store(store) for store in stores]
    texts = [[decode(row) for row in part.codes] for part in parts]
    x, x_validation = (np.array([features(text, kind) for text in part]) for part in texts)
    ridge = Ridge(alpha=1.0).fit(x, np.asarray(parts[0].target)[:, 0, 0])
    words = ["--model", tmp_path / "model", "--sequences", stores[1], "--out", tmp_path / "p.tsv"]
    assert proformer("predict", *words).returncode == 0
    found = read_predictions(tmp_path / "p.tsv").values[:, 0, 0]
    np.testing.assert_allclose(found, ridge.predict(x_validation), rtol=1e-4)
    assert read_description(tmp_path / "model")["parameters"] == x.shape[1] + 1


def test_the_training_mean(stores, tmp_path, proformer):
    train({"model": "kmers", "recipe": "mean"}, *stores, tmp_path / "model", tmp_path / "c.pt", device="cpu")
    words = ["--model", tmp_path / "model", "--sequences", stores[1], "--out", tmp_path / "p.tsv"]
    assert proformer("predict", *words).returncode == 0
    found = read_predictions(tmp_path / "p.tsv").values[:, 0, 0]
    np.testing.assert_allclose(found, np.mean(open_store(stores[0]).target), rtol=1e-6)


def test_quantiles_keep_the_order_and_are_those_of_a_normal_distribution(stores, tmp_path, proformer):
    train({"model": "kmers", "recipe": "gc"}, *stores, tmp_path / "model", tmp_path / "c.pt", device="cpu")
    values = []
    for option in ([], ["--quantiles"]):
        words = ["--model", tmp_path / "model", "--sequences", stores[1], "--out", tmp_path / "p.tsv", *option]
        assert proformer("predict", *words).returncode == 0
        values.append(read_predictions(tmp_path / "p.tsv").values[:, 0, 0])
    task = open_store(stores[0]).task
    np.testing.assert_allclose(values[1], norm.cdf((values[0] - task.mean[0]) / task.sd[0] - 0.062), atol=1e-5)
    (tmp_path / "model/model.json").write_text(
        (tmp_path / "model/model.json").read_text().replace('"standardise"', '"none"')
    )
    result = proformer("predict", *words)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "found targets of the scale 'none', expected 'standardise'" in result.stderr


def test_several_tasks_are_refused(stores):
    data = DeviceData(open_store(stores[0]), torch.device("cpu"), open_store(stores[0]).task)
    data.target = data.target.expand(-1, 1, 2)
    with pytest.raises(InputError, match=r"model kmers: found targets of \[1, 2\] .* expected one"):
        build({"model": "kmers"}).fit(data)
