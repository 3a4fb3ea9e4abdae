"""The command line: what it lists, and how options follow from signatures."""

import re
from io import BufferedReader, BytesIO, TextIOWrapper

import pytest

from proformer import cli
from proformer.cli import main
from proformer.models import names
from proformer.training import run


def printed(capsys, *words):
    assert main(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_verbs_in_groups(words, capsys):
    text = printed(capsys, *words)
    assert list(cli.GROUPS) == re.findall(r"^(\S.*):$", text, re.M)
    assert set(cli.VERBS) == set(re.findall(r"^  ([a-z-]+)  ", text, re.M))


@pytest.mark.parametrize("verb", sorted(set(cli.VERBS) - {"atac"}))
def test_help_of_every_verb(verb, capsys):
    text = printed(capsys, verb, "--help")
    assert "examples:" in text
    for option in re.findall(rf"proformer {verb} .*", text):
        assert set(re.findall(r" (--[a-z-]+)", option)) <= set(re.findall(r"^ +(--[a-z-]+)", text, re.M))


def test_the_zoo_with_parameters_and_recipes(capsys):
    rows = printed(capsys, "models").splitlines()[1:]
    assert [row.split()[0] for row in rows] == names()
    assert any(re.match(r"legnet +1,852,846 .*as-released, repaired", row) for row in rows)


@pytest.mark.parametrize(
    ("of", "pattern"),
    [
        ("training", r"epochs +20 +a whole number of at least 1 +passes over the training part"),
        ("task", r"kind +\"value\" +one of value, values, bins"),
        ("model:legnet", r"sd +0.5 +a number of at least 1e-06 +of the target's distribution"),
        ("model:legnet", r"recipe repaired: .*\"unknown\": 0.25"),
    ],
)
def test_settings_with_types_defaults_and_meaning(of, pattern, capsys):
    assert re.search(pattern, printed(capsys, "config", of))


def test_a_log_has_a_line_a_minute(stores, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(run.Bar, "MINUTE", 0.0)
    config = {"model": {"dim": 8, "heads": 1, "blocks": 1, "kmer": 5}, "training": {"epochs": 2, "batch_size": 64}}
    run.train(config, *stores, tmp_path / "m", tmp_path / "m/checkpoint.pt", device="cpu", threads=1)
    lines = re.findall(r"^epoch +(\d)/2  step (\d) of 4  [\d,]+ sequences/s$", capfd.readouterr().err, re.M)
    assert lines == [(epoch, step) for epoch in "12" for step in "1234"]


def test_predictions_of_a_store_are_those_of_its_file(stores, tmp_path, capsys, monkeypatch):
    """As in the README: what is evaluated was not trained on."""
    config = "{model: {dim: 8, heads: 1, blocks: 1, kmer: 5}, training: {epochs: 1}}"
    train, validation = map(str, stores)
    words = ["--train", train, "--validation", validation, "--out", str(tmp_path / "m"), "--config", config]
    printed(capsys, "train", *words, "--threads", "1")
    table = str(tmp_path / "p.tsv")
    printed(capsys, "predict", "--model", str(tmp_path / "m"), "--sequences", validation, "--out", table)
    assert re.search(r"\b\d+ ", printed(capsys, "evaluate", "--predictions", table, "--truth", validation))
    on_screen = printed(capsys, "predict", "--model", str(tmp_path / "m"), "--sequences", validation)
    assert on_screen == (tmp_path / "p.tsv").read_text()
    sequences = "".join(f"{line.split(chr(9))[1]}\n" for line in on_screen.splitlines()[1:])
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BufferedReader(BytesIO(sequences.encode()))))
    assert printed(capsys, "predict", "--model", str(tmp_path / "m"), "--trimmed") == on_screen
