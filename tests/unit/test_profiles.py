"""A model whose outputs are profiles, from its store to its scores, by the verbs alone."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import yaml

import proformer.models as models
from proformer.datasets.store import StoreWriter, open_store
from proformer.sequences import encode
from proformer.tasks import Task

LENGTH, BIN, NAMES = 32, 4, ("gc", "twice")
MODEL = """
from dataclasses import dataclass
from torch import nn
from torch.nn import functional as F
from proformer.models.base import Model

@dataclass(frozen=True)
class Config:
    length: int = 32
    bin: int = 4

class Tracks(Model):
    def __init__(self, config):
        super().__init__()
        self.track = nn.Conv1d(4, 2, config.bin, stride=config.bin)

    def forward(self, codes):
        return self.track(F.one_hot(codes.long().clamp(max=3), 4).float().transpose(1, 2))

build = Tracks
"""


def profiles(codes):
    """G and C in each bin, and twice that: [N, 2, P]."""
    counts = ((codes == 1) | (codes == 2)).reshape(len(codes), -1, BIN).sum(axis=2)
    return np.stack([counts, 2 * counts], axis=1).astype(np.float32)


@pytest.fixture
def tested(proformer, tmp_path, monkeypatch):
    """Folder of a trained model, its test part and its predictions."""
    (tmp_path / "tracks.py").write_text(MODEL)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    codes = np.random.default_rng(1).integers(0, 4, (120, LENGTH)).astype(np.uint8)
    task = Task("profile", NAMES, bin=BIN, loss_name="mse")
    with StoreWriter(
        tmp_path / "all", {"task": asdict(task), "layout": {"length": LENGTH, "flanks": ["", ""]}}
    ) as writer:
        writer.append(codes=codes, target=profiles(codes), group=np.arange(len(codes)))
    train, validation, test = (tmp_path / f"{part}.safetensors" for part in ("train", "validation", "test"))
    training = {"epochs": 3, "batch_size": 8, "learning_rate": 0.05, "reverse_complement": 0.5, "select": "mse"}
    config = yaml.safe_dump({"model": "tracks", "training": training}, default_flow_style=True)
    for words in (
        ["split", "--store", tmp_path / "all", "--out", train, validation, test, "--fractions", 0.6, 0.2, 0.2],
        ["train", "--config", config, "--train", train, "--validation", validation, "--out", tmp_path / "model"],
        ["predict", "--model", tmp_path / "model", "--sequences", test, "--out", tmp_path / "made.safetensors"],
    ):
        done = proformer(*words, *(["--device", "cpu"] * (words[0] != "split")))
        assert done.returncode == 0, done.stderr
    return tmp_path


def test_validation_says_how_good_profiles_are(tested):
    metrics = pd.read_csv(tested / "model/metrics.tsv", sep="\t")
    assert metrics["validation_mse"].notna().all()
    assert metrics["validation_loss"].iloc[-1] == pytest.approx(metrics["validation_mse"].iloc[-1], rel=1e-5)
    assert metrics["validation_mse"].iloc[-1] < metrics["validation_mse"].iloc[0]


def test_predicted_profiles_have_the_shape_of_the_measured_and_are_scored_per_task(tested, proformer):
    made, test = open_store(tested / "made.safetensors"), open_store(tested / "test.safetensors")
    assert made.target.shape == test.target.shape == (len(test), 2, LENGTH // BIN)
    assert np.array_equal(made.codes, test.codes)
    words = ["--predictions", tested / "made.safetensors", "--truth", tested / "test.safetensors", "--samples", 20]
    done = proformer("evaluate", *words, "--metrics", "pearson", "mse", "--out", tested / "scores.tsv")
    assert done.returncode == 0, done.stderr
    scores = pd.read_csv(tested / "scores.tsv", sep="\t").set_index(["task", "over", "metric"])["value"]
    for number, name in enumerate(NAMES):
        x, y = (np.asarray(store.target, np.float64)[:, number] for store in (made, test))
        assert scores[name, "all", "pearson"] == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1])
        assert scores[name, "all", "mse"] == pytest.approx(np.mean((x - y) ** 2))
        each = [np.corrcoef(*pair)[0, 1] for pair in zip(x, y, strict=True)]
        assert scores[name, "sequence", "pearson"] == pytest.approx(np.nanmean(each))


def test_a_table_of_profiles_has_a_column_for_each_task_and_position(tested, proformer):
    sequences = ["ACGT" * 8, "GGCC" * 8]
    (tested / "two.txt").write_text("\n".join(sequences) + "\n")
    done = proformer("predict", "--model", tested / "model", "--sequences", tested / "two.txt", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0][2:] == [f"{name}_{place}" for name in NAMES for place in range(LENGTH // BIN)]
    from proformer.predict import load

    expected = load(tested / "model", "cpu").predict(np.stack([encode(text) for text in sequences]))
    assert expected.shape == (2, 2, LENGTH // BIN)
    assert np.array([line[2:] for line in lines[1:]], float) == pytest.approx(
        expected.reshape(2, -1), rel=1e-4, abs=1e-5
    )
