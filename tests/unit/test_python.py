"""The library as a notebook uses it."""

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import proformer
from proformer.errors import InputError

TINY = {"model": "proformer", "dim": 8, "heads": 1, "blocks": 1, "kmer": 5, "expression_heads": 2}
FAST = {"epochs": 2, "batch_size": 32, "learning_rate": 0.01}


def train(data, **more):
    return proformer.train(data, TINY, training=FAST, device="cpu", threads=1, **more)


@pytest.fixture(scope="module")
def data(promoters):
    return [sequence for sequence, _ in promoters], np.array([value for _, value in promoters])


@pytest.fixture(scope="module")
def model(data):
    return train(data, flanks=("TGCATTTTTTTCACATC", "GGTTACGGCTGTT"))


def test_a_trained_model_predicts_from_anything(model, data, promoter_file, tmp_path):
    sequences, _ = data
    expected = model.predict(sequences)
    assert expected.shape == (300, 1)
    assert expected.dtype == np.float64
    inserts = [sequence[17:-13] for sequence in sequences]
    codes = np.array([["ACGT".index(letter) for letter in insert] for insert in inserts], dtype=np.uint8)
    for form in (promoter_file, str(promoter_file), np.array(sequences), pd.Series(sequences), iter(sequences), codes):
        assert model.predict(form) == pytest.approx(expected, abs=1e-6)
    assert model.predict(inserts, trimmed=True, batch_size=7) == pytest.approx(expected, abs=1e-4)
    assert model.predict(sequences[0])[0] == pytest.approx(expected[0], abs=1e-4)
    assert model.predict_file(str(promoter_file), str(tmp_path / "out.tsv")) == 300
    assert pd.read_csv(tmp_path / "out.tsv", sep="\t")["prediction"].to_numpy() == pytest.approx(
        expected[:, 0], rel=1e-4
    )


def test_a_model_says_what_it_is(model):
    about = model.describe()
    assert (about["model"], about["length"], about["tasks"]) == ("proformer", 80, ("expression",))
    assert about["parameters"] == sum(p.numel() for p in model.module.parameters())
    assert about["training"]["epochs"] == 2
    assert about["data"]["train"] + about["data"]["validation"] == 300
    assert repr(model).startswith(f"<proformer, {about['parameters']:,} parameters: reads 80 nt between TGCA")
    assert isinstance(model.module, torch.nn.Module)


def test_a_folder_is_loaded_again_and_a_finished_training_is_not_repeated(data, tmp_path, capfd):
    first = train(data, out=str(tmp_path / "model"), validation=0.2)
    again = proformer.load(str(tmp_path / "model"), device="cpu")
    assert again.predict(data[0][:5]).tolist() == first.predict(data[0][:5]).tolist()
    train(data, out=str(tmp_path / "model"), validation=0.2)
    assert "holds this very run, finished" in capfd.readouterr().err
    made = json.loads((tmp_path / "model/model.json").read_text())
    assert 30 < made["data"]["validation"] < 90


def test_a_notebook_shows_a_bar(data, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    train((data[0][:60], data[1][:60]))
    assert re.search(r"100%.* [\d.]+seq/s", capfd.readouterr().err)


def test_several_tasks_and_a_validation_part_of_ones_own(data):
    sequences, values = data
    targets = np.column_stack([values, -values])
    keys = {"model": "danq", "filters": 4, "units": 2, "dense": [4], "kernel": 6, "window": 80, "outputs": 2}
    parts = (sequences[:250], targets[:250]), (sequences[250:], targets[250:])
    model = proformer.train(
        parts[0],
        keys,
        training={**FAST, "keep": "last"},
        validation=parts[1],
        tasks=["up", "down"],
        device="cpu",
        threads=1,
    )
    assert model.task.names == ("up", "down")
    assert model.describe()["data"]["validation"] == 50
    assert model.predict(sequences[:3]).shape == (3, 2)


def test_from_a_file_of_the_columns_that_are_named(tmp_path, data):
    table = pd.DataFrame({"id": range(300), "seq": data[0], "leaf": data[1], "root": -data[1]})
    table.to_csv(tmp_path / "mine.csv", index=False)
    model = train(str(tmp_path / "mine.csv"), tasks=["root"])
    assert model.task.names == ("root",)
    assert model.predict(tmp_path / "mine.csv").mean() < 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": [1.0] * 299}, r"targets: found the shape \[299\], expected \[300\] or \[300, T\]"),
        ({"targets": [1.0, np.nan] * 150}, r"targets, row 1: found \[nan\], expected finite numbers"),
        ({"sequences": ["ACGU"] * 300}, "sequences, row 0: found the letter 'U' in 'ACGU', .*: write T for U"),
        ({"validation": 1.5}, "validation is 1.5, expected a number of at least 0 and at most 1"),
        ({"flanks": "A"}, r"layout: flanks is \['A'\], expected a list of 2 texts"),
        ({"model": "legnt"}, "did you mean 'legnet'"),
        ({"training": {"epochs": 0}}, "training: epochs is 0, expected a whole number"),
        ({"tasks": ["a", "b"]}, r"targets: found the shape \[300, 1, 1\], expected the tasks a, b"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(change, message, data):
    sequences, targets = change.pop("sequences", data[0]), change.pop("targets", data[1])
    with pytest.raises(InputError, match=message):
        proformer.train((sequences, targets), **{"model": TINY, "device": "cpu", "threads": 1, **change})


def test_codes_that_are_none(model):
    with pytest.raises(InputError, match=r"found codes of the shape \[2, 3\], expected \[N, L\], each from 0 to 4"):
        model.predict(np.full((2, 3), 7, np.uint8))
    with pytest.raises(InputError, match="sequences, row 0: found 99 nt after trimming, expected at most 80"):
        model.predict(np.zeros((2, 99), np.uint8))


def test_importing_the_package_imports_nothing_heavy():
    import subprocess

    code = "import proformer, sys; proformer.__version__; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = proformer.trian


def test_the_notebook_runs(root, tmp_path, monkeypatch, capsys):
    """Its code cells, one after the other, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((root / "docs/python.ipynb").read_text())
    names: dict = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert re.search(r"Pearson r of the held-out promoters: 0\.\d\d", capsys.readouterr().out)
