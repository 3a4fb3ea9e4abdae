"""Prediction and evaluation from the command line."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from proformer.errors import InputError
from proformer.models import build, resolve
from proformer.models.folder import read_folder, write_folder
from proformer.predict import load
from proformer.sequences import encode
from proformer.tasks import Task

LEFT, RIGHT = FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
CONFIG = {"length": 100, "kmer": 3, "dim": 8, "heads": 1, "blocks": 1, "expression_heads": 4}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder whose weights are large enough for predictions to differ."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    net = build(CONFIG)
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(std=0.5)
    layout = {"length": 100, "flanks": list(FLANKS), "too_long": "drop", "wrong_flank": "drop"}
    write_folder(
        folder,
        net.state_dict(),
        {"model": resolve(CONFIG), "layout": layout, "task": asdict(Task(mean=(11.0,), sd=(2.0,)))},
    )
    return folder


def predict(proformer, model, sequences, out, *more):
    done = proformer("predict", "--model", model, "--sequences", sequences, "--out", out, "--threads", 1, *more)
    assert done.returncode == 0, done.stderr
    return pd.read_csv(out, sep="\t")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.fill_(float("nan")), "that are not finite numbers"),
        (lambda value: value.to(torch.int32), r"of the type torch.int32, expected torch.float32"),
    ],
)
def test_weights_that_are_none_are_refused(model, tmp_path, change, message):
    shutil.copytree(model, tmp_path / "model")
    weights = load_file(tmp_path / "model/model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: change(weights[name])}, tmp_path / "model/model.safetensors")
    with pytest.raises(InputError, match=rf"model.safetensors: found weights {re.escape(name)} {message}"):
        read_folder(tmp_path / "model")


@pytest.mark.parametrize(
    "text", ["[]", "{", "null", '{"model": 3}', "\xff", "[" * 100_000, '{"model": {}, "task": {}}']
)
def test_descriptions_that_are_none_are_refused(model, tmp_path, text):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model/model.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError) as caught:
        read_folder(tmp_path / "model")
    assert str(tmp_path) in str(caught.value)


def test_several_tasks_have_a_column_each(proformer, promoters, tmp_path):
    keys = {"model": "danq", "outputs": 2, "filters": 4, "units": 2, "dense": [4]}
    config, task = resolve(keys), Task("values", names=("leaf", "root"), mean=(1.0, -5.0), sd=(2.0, 3.0))
    net = build(config).eval()
    layout = {"length": 100, "flanks": list(FLANKS), "too_long": "drop", "wrong_flank": "drop"}
    description = {"model": config, "layout": layout, "task": asdict(task)}
    write_folder(tmp_path / "model", net.state_dict(), description)
    (tmp_path / "a.tsv").write_text("".join(f"{s}\n" for s, _ in promoters[:5]))
    table = predict(proformer, tmp_path / "model", tmp_path / "a.tsv", tmp_path / "out.tsv")
    assert list(table) == ["name", "sequence", "leaf", "root"]
    insert = encode(promoters[0][0])[None, len(LEFT) : -len(RIGHT)].copy()
    codes = torch.nn.functional.pad(torch.from_numpy(insert), (10, 10), value=4)
    expected = net(codes).flatten().tolist()
    assert table.loc[0, ["leaf", "root"]].tolist() == pytest.approx(
        [1 + 2 * expected[0], -5 + 3 * expected[1]], rel=1e-5
    )


def test_every_form_of_input_gives_the_same_predictions(proformer, model, promoters, tmp_path):
    rows = promoters[:40]
    forms = {
        "a.tsv": "".join(f"{s}\t{v}\n" for s, v in rows),
        "one_column.txt": "".join(f"{s}\n" for s, _ in rows),
        "windows.txt": "".join(f"{s.lower()}\r\n" for s, _ in rows),
        "a.fa": "".join(f">p{i} x\n{s[:60]}\n{s[60:]}\n" for i, (s, _) in enumerate(rows)),
    }
    tables = {}
    for name, text in forms.items():
        (tmp_path / name).write_bytes(text.encode())
        tables[name] = predict(proformer, model, tmp_path / name, tmp_path / "out.tsv")
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(forms["a.tsv"].encode()))
    tables["a.tsv.gz"] = predict(proformer, model, tmp_path / "a.tsv.gz", tmp_path / "out.tsv", "--batch-size", 7)
    (tmp_path / "trimmed.txt").write_text("".join(f"{s[17:-13]}\n" for s, _ in rows))
    tables["trimmed"] = predict(proformer, model, tmp_path / "trimmed.txt", tmp_path / "out.tsv", "--trimmed")
    expected = tables["a.tsv"]["prediction"].to_numpy()
    assert len(expected) == 40
    assert expected.std() > 0.1
    for name, table in tables.items():
        assert table["prediction"].to_numpy() == pytest.approx(expected, abs=2e-5), name
    assert tables["a.tsv"]["name"].tolist() == list(range(40))
    assert tables["a.fa"]["name"].tolist() == [f"p{i}" for i in range(40)]
    assert tables["a.tsv"]["sequence"].tolist() == [s for s, _ in rows]


def test_several_models_by_one_command_as_each_by_itself(proformer, model, promoters, tmp_path):
    other = shutil.copytree(model, tmp_path / "other")
    made = json.loads((other / "model.json").read_text())
    made["task"]["mean"] = [5.0]
    (other / "model.json").write_text(json.dumps(made))
    files = [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    for file, rows in zip(files, (promoters[:20], promoters[20:50]), strict=True):
        file.write_text("".join(f"{s}\t{v}\n" for s, v in rows))
    tables = [tmp_path / f"{folder}_{file}.tsv" for folder in "mo" for file in "ab"]
    words = ["predict", "--model", model, other, "--sequences", *files, "--threads", 1, "--out"]
    assert proformer(*words, *tables).returncode == 0
    predict(proformer, other, files[1], tmp_path / "alone.tsv")
    assert tables[3].read_bytes() == (tmp_path / "alone.tsv").read_bytes()
    found = [pd.read_csv(table, sep="\t")["prediction"] for table in tables]
    assert [len(column) for column in found] == [20, 30, 20, 30]
    assert np.allclose(found[0] - found[2], 6, atol=1e-3)
    done = proformer(*words, *tables[:3])
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "3 tables, expected one for each of 2 models and 2 files" in done.stderr


def test_predictions_are_those_of_the_model_in_the_units_of_the_data(proformer, model, promoters, tmp_path):
    from proformer.sequences import Spans, centre_pad, encode

    sequence = promoters[0][0]
    (tmp_path / "a.txt").write_text(sequence + "\n")
    insert = encode(sequence[17:-13])
    codes = torch.from_numpy(centre_pad(insert, Spans(np.array([0]), np.array([len(insert)])), 100))
    expected = read_folder(model).model(codes).item() * 2 + 11
    found = predict(proformer, model, tmp_path / "a.txt", tmp_path / "out.tsv")["prediction"][0]
    assert found == pytest.approx(expected, rel=1e-5)


def test_batches_are_the_same_whatever_memory_is_free(model, monkeypatch):
    """Sums over another batch differ in the last digit."""
    trained = load(model, "cpu")
    before = trained.batch_size
    monkeypatch.setattr(os, "sysconf", lambda name: 1000)
    assert trained.batch_size == before > 1


def test_wrong_paths(proformer, model, promoter_file, tmp_path):
    for folder, file, message in (
        (tmp_path / "none", promoter_file, r"model\.safetensors: no such file"),
        (model, tmp_path / "none.txt", r"none\.txt: no such file"),
    ):
        done = proformer("predict", "--model", folder, "--sequences", file, "--out", tmp_path / "out.tsv")
        assert done.returncode == 2
        assert re.search(message, done.stderr), done.stderr


def test_evaluate_scores_matching_rows_alone(proformer, model, promoter_file, tmp_path):
    table = predict(proformer, model, promoter_file, tmp_path / "p.tsv")
    done = proformer(
        "evaluate", "--predictions", tmp_path / "p.tsv", "--truth", promoter_file, "--out", tmp_path / "score.tsv"
    )
    assert done.returncode == 0, done.stderr
    truth = pd.read_csv(promoter_file, sep="\t", header=None)[1]
    scores = pd.read_csv(tmp_path / "score.tsv", sep="\t").set_index("metric").loc["pearson"]
    assert scores["n"] == 300
    assert scores["value"] == pytest.approx(np.corrcoef(table["prediction"], truth)[0, 1], abs=1e-6)
    for change, message in (
        (table.iloc[1:], "q.tsv, line 2: found the sequence"),
        (table.iloc[:-1], "299 predictions"),
    ):
        change.to_csv(tmp_path / "q.tsv", sep="\t", index=False)
        done = proformer("evaluate", "--predictions", tmp_path / "q.tsv", "--truth", promoter_file)
        assert done.returncode == 2
        assert message in done.stderr, done.stderr


def test_help_has_examples_and_loads_nothing_heavy(proformer):
    for verb in ("fetch", "simulate", "prepare", "split", "train", "predict", "evaluate", "import-weights"):
        done = proformer(verb, "--help")
        assert done.returncode == 0
        assert "examples:" in done.stdout
    code = "import sys; from proformer.cli import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass\n"
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
