"""What is read off trained models: descriptions, distinct expression tokens, the tables of a grid."""

import pandas as pd
import pytest
import torch

from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.evaluation.collect import collect, distinct_tokens
from proformer.evaluation.heads import head_of
from proformer.models import build
from proformer.models.describe import describe
from proformer.models.folder import TrainedModel
from proformer.tasks import Task
from proformer.training.run import train

SMALL = {"kmer": 3, "dim": 8, "heads": 2, "blocks": 1}


@pytest.mark.parametrize(("blocks", "heads", "distinct"), [(1, 32, 15), (2, 32, 29), (3, 32, 32), (1, 1, 1), (1, 8, 8)])
def test_only_the_convolution_tells_shared_tokens_apart(stores, blocks, heads, distinct):
    """Width 15 reaches 7 positions: after one block the tokens 7 to 24 of 32 are identical, after two 14 to 17."""
    torch.manual_seed(0)
    model = build({**SMALL, "blocks": blocks, "expression_heads": heads})
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(std=0.4)
    assert distinct_tokens(TrainedModel(model, {}, Task()), open_store(stores[0])) == distinct


def test_learned_starts_and_average_pooling(stores):
    learned = build({**SMALL, "expression_heads": 32, "expression_start": "learned"})
    assert distinct_tokens(TrainedModel(learned, {}, Task()), open_store(stores[0])) == 32
    assert distinct_tokens(TrainedModel(build({**SMALL, "head": "ap"}), {}, Task()), open_store(stores[0])) is None


def test_a_model_of_one_strand_has_tokens_as_well(stores):
    model = build({**SMALL, "expression_heads": 4, "strands": "forward"})
    assert distinct_tokens(TrainedModel(model, {}, Task()), open_store(stores[0])) in range(1, 5)


@pytest.mark.parametrize("head", ["ap", "meh", "glu"])
def test_a_description_adds_up_to_the_model(head):
    model = build({"kmer": 10, "dim": 16, "heads": 3, "blocks": 2, "head": head, "expression_heads": 5})
    made = describe(model)
    assert made["parameters"] == sum(p.numel() for p in model.parameters())
    assert sum(stage["parameters"] for stage in made["stages"]) == made["parameters"]
    core = next(stage for stage in made["stages"] if stage["part"] == "core")
    assert core["repeat"] == 2
    assert core["output"] == [200 if head == "ap" else 205, 16]
    assert core["parameters"] == 2 * sum(layer["parameters"] for layer in core["layers"])


def test_tables_of_a_grid(stores, tmp_path):
    folders = []
    for head, tokens, seed in (("ap", 32, 1), ("meh", 2, 1), ("glu", 2, 2)):
        config = {
            "model": {**SMALL, "head": head, "expression_heads": tokens},
            "training": {"epochs": 2, "batch_size": 64, "seed": seed},
        }
        folders.append(tmp_path / f"{head}{seed}")
        train(config, *stores, folders[-1], tmp_path / "c.pt", device="cpu", threads=1)
    grid, epochs = collect("dream", folders, open_store(stores[1]))
    assert grid["head"].tolist() == ["AP", "2", "2+GLU"]
    assert grid["seed"].tolist() == [1, 1, 2]
    assert len(epochs) == 6
    for folder, row in zip(folders, grid.itertuples(), strict=True):
        metrics = pd.read_csv(folder / "metrics.tsv", sep="\t")
        assert row.r == pytest.approx(metrics["validation_r"].max())
        assert row.best_epoch == metrics["validation_r"].idxmax() + 1
    (folders[0] / "metrics.tsv").write_text("epoch\tloss\n7\t1\n")
    with pytest.raises(InputError, match=r"ap1: damaged \(KeyError\)"):
        collect("dream", folders, open_store(stores[1]))
    (folders[0] / "metrics.tsv").unlink()
    with pytest.raises(InputError, match=r"metrics\.tsv: missing or empty"):
        collect("dream", folders, open_store(stores[1]))


def test_a_model_without_r_counts_as_zero_and_is_marked(stores, tmp_path):
    config = {"model": {**SMALL, "head": "ap"}, "training": {"epochs": 1, "batch_size": 64}}
    train(config, *stores, tmp_path, tmp_path / "c.pt", device="cpu", threads=1)
    metrics = pd.read_csv(tmp_path / "metrics.tsv", sep="\t")
    metrics[["validation_r", "validation_rho"]] = float("nan")
    metrics.to_csv(tmp_path / "metrics.tsv", sep="\t", index=False)
    grid, _ = collect("dream", [tmp_path], open_store(stores[1]))
    assert (grid["r"][0], grid["rho"][0], grid["collapsed"][0]) == (0.0, 0.0, True)


def test_names_of_heads():
    assert head_of({"head": "ap", "expression_heads": 32}) == "AP"
    assert head_of({"head": "glu", "expression_heads": 32}) == "32+GLU"
