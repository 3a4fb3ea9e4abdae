"""Attribution: mutagenesis against one-by-one prediction, gradients of letters against the models themselves."""

from typing import get_args

import numpy as np
import pytest
import torch
from tiny_models import CONFIGS, FLANKS, LENGTH, saved, tiny

from proformer.datasets.parts import split
from proformer.datasets.prepare import Layout, prepare
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.evaluation.metrics import METRICS
from proformer.explain.attribution import Attributor, completeness, contributions, summarise
from proformer.explain.letters import Letters
from proformer.models import build
from proformer.predict import Predictor, load
from proformer.sequences import N, decode, encode
from proformer.settings import Attribution
from proformer.tasks import Task
from proformer.training.run import train


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)  # layers as small as these gain nothing from more


def codes_of(rows=4, length=LENGTH, seed=0):
    """Random sequences: whole, padded, with unknown bases within, and with padding of odd length."""
    codes = np.random.default_rng(seed).integers(0, 4, (rows, length)).astype(np.uint8)
    codes[1:2, :7] = codes[1:2, -3:] = codes[2:3, 20:26] = codes[3:4, :1] = N
    return codes


@pytest.mark.parametrize("name", CONFIGS)
def test_letters_in_place_of_codes_change_no_prediction(name):
    predictor = tiny(name)
    codes, others = codes_of(), codes_of(seed=1)
    letters = Letters(predictor.module, torch.from_numpy(codes))
    with torch.no_grad():
        found = letters(Letters(predictor.module, torch.from_numpy(others)).one_hot)
        expected = predictor.module(torch.from_numpy(others))
    assert (found - expected).abs().max() < 0.01 * expected.std()


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_are_the_slopes_of_letters(name):
    predictor = tiny(name)
    attributor, letters = Attributor(predictor), Letters(predictor.module.double(), torch.from_numpy(codes_of(2)))
    generator = torch.Generator().manual_seed(1)
    point = 0.2 + 0.6 * torch.rand(2, LENGTH, 4, generator=generator, dtype=torch.float64)
    step = torch.randn(point.shape, generator=generator, dtype=torch.float64)
    _, gradient = letters.gradient(point, attributor.summary)
    with torch.no_grad():
        up, down = (attributor.summary(letters(point + sign * 1e-3 * step)) for sign in (1, -1))
    slope, steepness = (gradient * step[:, None]).sum(dim=(2, 3)), gradient.square().sum(dim=(2, 3)).sqrt()
    assert ((slope - (up - down) / 2e-3).abs() < 0.3 * steepness).all()  # ReLUs bend within the step


@pytest.mark.parametrize("name", ["proformer", "legnet"])
def test_mutagenesis_is_the_prediction_of_every_change(name):
    predictor, codes = tiny(name), codes_of()
    scores = Attributor(predictor, batch_size=50).scores(codes, "ism")
    assert scores.shape == (4, 1, LENGTH, 4)
    assert not scores[codes[:, None] == N].any()
    before = predictor.values(codes)
    for row, place, letter in ((0, 0, 2), (1, 20, 1), (2, 39, 0), (3, 17, 3)):
        changed = codes.copy()
        changed[row, place] = letter
        change = (predictor.values(changed) - before)[row, 0, 0]
        assert scores[row, 0, place, letter] == pytest.approx(change, abs=1e-4)


@pytest.mark.parametrize("name", ["legnet", "composed"])
def test_integrated_gradients_add_up_to_the_difference_of_the_predictions(name):
    attributor, codes = Attributor(tiny(name)), codes_of()
    gap = attributor.gap(codes)
    error = completeness(attributor.scores(codes, "integrated"), codes, gap)
    assert np.abs(error).max() < 0.02 * np.abs(gap).max()


def test_contributions_are_better_than_the_mean_letter():
    scores = np.zeros((1, 1, 3, 4), np.float32)
    scores[0, 0, :, 2] = 4.0
    assert contributions(scores, np.array([[2, 0, N]], np.uint8)).tolist() == [[[3.0, -1.0, 0.0]]]


def test_a_linear_model_has_its_weights_as_gradient_and_mutagenesis():
    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(4, 2, generator=torch.Generator().manual_seed(0)))

        def forward(self, codes):
            return torch.nn.functional.embedding(codes.long().clamp(max=3), self.weight).mean(dim=1)[:, :, None]

    task = Task("values", ("a", "b"), scale="none")
    predictor = Predictor(Linear(), {"layout": {"length": 6}}, task)
    codes = codes_of(1, 6)
    for method in get_args(Attribution):
        both = Attributor(predictor, batch_size=4).scores(codes, method)
        one = Attributor(predictor, ["b"], batch_size=4).scores(codes, method)
        assert np.array_equal(one, both[:, 1:])
        expected = predictor.module.weight.detach().numpy().T / 6
        found = contributions(both, codes)
        assert np.allclose(found[0], (expected - expected.mean(1, keepdims=True))[:, codes[0]], atol=1e-5)


@pytest.mark.parametrize(
    ("task", "output", "expected"),
    [
        (Task("binary", ("a",)), [[[-2.0]]], -2.0),
        (Task("profile", ("a",), bin=1, scale="log1p"), [[[0.0, np.log(5.0)]]], 2.0),
        (Task("bins", ("a",)), [[[0.0, 0.0, np.log(2.0)]]], 1.25),
        (Task("counts and profile", ("a",), bin=1), [[[3.0, 9.0, 1.0]]], 3.0),
        (Task(mean=(11.0,), sd=(2.0,)), [[[0.5]]], 12.0),
    ],
)
def test_one_number_stands_for_each_kind_of_output(task, output, expected):
    assert summarise(task, torch.tensor(output)).item() == pytest.approx(expected)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Parts of 600 random sequences, and the whole store; half of them hold TGACTCA at some place, which adds 3."""
    folder, random = tmp_path_factory.mktemp("planted"), np.random.default_rng(0)
    codes = random.integers(0, 4, (600, LENGTH)).astype(np.uint8)
    for row, start in zip(codes[::2], random.integers(0, LENGTH - 6, 300), strict=True):
        row[start : start + 7] = encode("TGACTCA")
    values = 10 + 3 * (np.arange(600) % 2 == 0) + random.normal(0, 0.1, 600)
    rows = [f"{decode(row)}\t{value}\n" for row, value in zip(codes, values, strict=True)]
    (folder / "all.txt").write_text("".join(rows))
    prepare(folder / "all.txt", folder / "all.safetensors", Layout(length=LENGTH))
    parts = (folder / "train.safetensors", folder / "validation.safetensors")
    split(folder / "all.safetensors", parts, (0.8, 0.2), seed=1)
    return parts


def found_sites(parts, out, **training):
    """AUROC of the letters of planted sites by their contributions, in held-out sequences, by method."""
    config = {
        "model": {"model": "danq", "filters": 16, "kernel": 9, "units": 4, "dense": [16]},
        "recipe": "repaired",
        "training": {"batch_size": 16, "epochs": 12, "keep": "best", "learning_rate": 0.005, **training},
    }
    train(config, *parts, out, out / "checkpoint.pt", device="cpu", threads=1)
    codes = np.array(open_store(parts[1]).codes)
    windows = np.lib.stride_tricks.sliding_window_view(codes, 7, axis=1)
    rows, starts = np.nonzero((windows == encode("TGACTCA")).all(axis=2))
    sites = np.zeros(codes.shape)
    for shift in range(7):
        sites[rows, starts + shift] = 1
    attributor, codes, sites = Attributor(load(out, "cpu")), codes[rows], sites[rows].ravel()
    for method in ("ism", "gradient", "smoothgrad", "integrated"):
        values = contributions(attributor.scores(codes, method), codes)[:, 0]
        yield method, METRICS["auroc"].rows(np.abs(values).ravel(), sites)


@pytest.mark.learns
def test_planted_sites_carry_the_attribution(planted, tmp_path, seed, reaches):
    for method, auroc in found_sites(planted, tmp_path, seed=seed):
        reaches(f"{method}, AUROC", auroc, 0.75)


@pytest.mark.learns
def test_without_training_they_do_not(planted, tmp_path, seed, reaches):
    for method, auroc in found_sites(planted, tmp_path, seed=seed, epochs=1, learning_rate=1e-30):
        reaches(f"{method}, AUROC negated", -auroc, -0.65)


def test_a_model_that_looks_no_letters_up_has_mutagenesis_alone():
    model = build({"model": "kmers", "length": LENGTH})
    attributor = Attributor(Predictor(model, {"layout": {"length": LENGTH}}, Task(mean=(0.0,), sd=(1.0,))))
    assert attributor.scores(codes_of(1), "ism").shape == (1, 1, LENGTH, 4)
    with pytest.raises(InputError, match="the model kmers looks no letters up"):
        attributor.scores(codes_of(1), "gradient")


def test_a_file_of_sequences_becomes_a_store_of_scores_and_logos(proformer, tmp_path):
    codes, model = codes_of()[[0, 2]], saved(tmp_path / "model", "legnet")
    text = "".join(f"{FLANKS[0]}{decode(row)}{FLANKS[1]}\n" for row in codes)
    (tmp_path / "sequences.txt").write_text(text)
    done = proformer("explain", "--model", model, "--sequences", tmp_path / "sequences.txt", "--method", "integrated",
                     "--out", tmp_path / "scores.safetensors", "--logos", tmp_path / "logos", "--first", 1)  # fmt: skip
    assert done.returncode == 0, done.stderr
    store = open_store(tmp_path / "scores.safetensors").checked()
    assert np.array_equal(store.codes, codes)
    assert np.allclose(store.target, load(model, "cpu").values(codes), atol=1e-3)
    expected = Attributor(load(model, "cpu")).scores(np.array(store.codes), "integrated")
    assert np.allclose(store.columns["scores"], expected, atol=1e-5)
    assert {path.name for path in (tmp_path / "logos").iterdir()} == {
        f"0.{kind}" for kind in ("pdf", "png", "svg", "tsv")
    }


def test_an_unknown_task_is_named(proformer, tmp_path):
    done = proformer("explain", "--model", saved(tmp_path / "model"), "--sequences", "x", "--tasks", "expresion",
                     "--out", tmp_path / "scores.safetensors")  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "did you mean 'expression'?" in done.stderr


@pytest.mark.parametrize("name", ["vaishnav_convolutional", "bpnet"])
def test_deeplift_adds_up_where_it_applies(name):
    attributor, codes = Attributor(tiny(name)), codes_of()
    gap = attributor.gap(codes)
    error = completeness(attributor.scores(codes, "deeplift"), codes, gap)
    assert np.abs(error).max() < 0.005 * np.abs(gap).max()
    gradient = completeness(attributor.scores(codes, "gradient"), codes, gap)
    assert np.abs(error).max() < 0.1 * np.abs(gradient).max()


@pytest.mark.parametrize("name", ["proformer", "danq"])
def test_deeplift_is_refused_where_it_has_no_rule(name):
    with pytest.raises(InputError, match=f"miss the difference of the predictions by .* the model {name} has layers"):
        Attributor(tiny(name)).scores(codes_of(), "deeplift")
