"""One table of everything that was measured."""

import json
import re

import pandas as pd
import pytest

from proformer.cli import main
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.evaluation.compare import compare, learning_curves
from proformer.sequences import decode
from proformer.training.run import train

POINTS = ("dataset~dream/run~grid_width~8-1_head~4_seed~1", "dataset~dream/run~mine-2.0_seed~3")
WHO = ({"run": "grid", "axes": {"width": "8/1", "head": 4}}, {"run": "mine-2.0", "axes": {}})


@pytest.fixture
def results(stores, tmp_path):
    for path, seed, who in zip(POINTS, (1, 3), WHO, strict=True):
        config = {
            "point": {**who, "dataset": "dream", "seed": seed},
            "model": {"dim": 8, "heads": 1, "blocks": 1, "kmer": 5, "expression_heads": 4},
            "training": {"epochs": 2, "batch_size": 16, "seed": seed},
        }
        train(config, *stores, tmp_path / "models" / path, tmp_path / "x.pt", device="cpu", threads=1)
    store = open_store(stores[1])
    rows = list(zip(map(decode, store.codes[:20]), store.target[:20, 0, 0], strict=True))
    (tmp_path / "native.txt").write_text("".join(f"{text}\t{value}\n" for text, value in rows))
    table = pd.DataFrame({"sequence": [text for text, _ in rows], "prediction": [-float(value) for _, value in rows]})
    (tmp_path / "predictions" / POINTS[1]).mkdir(parents=True)
    table.to_csv(tmp_path / "predictions" / POINTS[1] / "native.tsv", sep="\t", index=False)
    (tmp_path / "scores.tsv").write_text(
        "model\tsubset\tmeasure\tvalue\tn\tlow\thigh\nMine (seed 3)\tall\tpearson_score\t0.78\t71103\t0.77\t0.79\n"
    )
    return tmp_path


def gather(results):
    truth = {"dream/native": results / "native.txt", "other/native": results / "no such file"}
    return compare(results, None, truth, [results / "scores.tsv"], {POINTS[1]: "Mine (seed 3)"})


def test_everything_is_one_row_per_model_set_metric_and_seed(results):
    table = gather(results)
    assert not table.duplicated(["dataset", "run", "width", "head", "seed", "evaluation", "metric"]).any()
    mine = table[table["run"] == "mine-2.0"].set_index(["evaluation", "metric"])
    assert set(table["precision"]) == {"float32"}
    assert set(zip(table["run"], table["width"].fillna(""), strict=True)) == {("mine-2.0", ""), ("grid", "8/1")}
    assert set(table["model"]) == {"proformer"}
    assert mine.loc[("native", "pearson"), ["value", "n", "seed"]].tolist() == [pytest.approx(-1), 20, 3]
    assert mine.loc[("dream all", "pearson_score"), ["value", "low", "high", "n"]].tolist() == [0.78, 0.77, 0.79, 71103]
    metrics = pd.read_csv(results / "models" / POINTS[1] / "metrics.tsv", sep="\t")
    assert mine.loc[("validation", "pearson"), "value"] == metrics["validation_r"].max()
    seconds = (mine["n_train"].iloc[0] / metrics["sequences_per_second"]).sum()
    assert mine["training_minutes"].iloc[0] == pytest.approx(seconds / 60)
    made = json.loads((results / "models" / POINTS[1] / "model.json").read_text())
    assert mine["parameters"].iloc[0] == made["parameters"]
    assert json.loads(mine["config"].iloc[0]) == {"model": made["model"], "training": made["training"]}
    others = table[table["run"] != "mine-2.0"]
    assert set(others["evaluation"]) == {"validation"}


def test_the_command_writes_everything_and_prints_a_part(results, capsys):
    written = results / "tables/comparison.tsv"
    where = ["compare", "--results", str(results)]
    truth = ["--truth", f"dream/native={results}/native.txt"]
    assert main([*where, "--out", str(written), *truth]) == 0
    capsys.readouterr()
    assert main([*where, "--evaluation", "native"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"mine-2.0 +proformer +3 +native +20 +expression +pearson +-1", printed)
    assert "validation" not in printed
    assert main([*where, "--metric", "accuracy", "--out", str(results / "none.tsv"), *truth]) == 2
    assert not (results / "none.tsv").exists()
    assert "there are pearson, spearman" in capsys.readouterr().err


def test_every_epoch_of_every_model_is_there(results):
    table = learning_curves(results)
    assert set(table["part"]) == {"training", "validation"}
    mine = table[(table["run"] == "mine-2.0") & (table["metric"] == "pearson") & (table["part"] == "training")]
    assert set(table["width"].dropna()) == {"8/1"}
    metrics = pd.read_csv(results / "models" / POINTS[1] / "metrics.tsv", sep="\t")
    assert mine["value"].tolist() == metrics["train_r"].tolist()
    assert mine["epoch"].tolist() == [1, 2]


def test_every_task_of_a_test_set_has_its_row(results):
    """The folder says two tasks; the predictions of one are those of the other turned round."""
    folder = results / "models" / POINTS[1]
    made = json.loads((folder / "model.json").read_text())
    made["task"] |= {"kind": "values", "names": ["leaf", "root"], "mean": [0, 0], "sd": [1, 1]}
    (folder / "model.json").write_text(json.dumps(made))
    rows = [line.split("\t") for line in (results / "native.txt").read_text().splitlines()]
    (results / "native.txt").write_text("".join(f"{text}\t{value}\t{value}\n" for text, value in rows))
    table = pd.DataFrame({"sequence": [text for text, _ in rows], "leaf": [float(value) for _, value in rows]})
    path = results / "predictions" / POINTS[1] / "native.tsv"
    table.assign(root=-table["leaf"]).to_csv(path, sep="\t", index=False)
    found = gather(results).set_index(["run", "evaluation", "metric", "task"])["value"]["mine-2.0"].sort_index()
    assert found["native", "pearson"].to_dict() == pytest.approx({"leaf": 1, "root": -1})
    assert found["validation", "spearman"].index.tolist() == ["mean"]


def test_a_model_that_is_not_finished_is_named(results):
    with pytest.raises(InputError, match=r"dim~9.*no trained model"):
        compare(results, [POINTS[0], "dataset~dream/dim~9"])
    with pytest.raises(InputError, match="no trained models"):
        compare(results / "elsewhere")


@pytest.mark.parametrize(("name", "text"), [("model.json", "{"), ("model.json", "[]"), ("metrics.tsv", "x\ty\n1\t2\n")])
def test_a_damaged_training_hides_no_other(results, capsys, name, text):
    (results / "models" / POINTS[0] / name).write_text(text)
    assert len(set(gather(results)["run"])) == len(POINTS) - 1
    learning_curves(results)
    assert capsys.readouterr().err.count("left out: ") == 2
    with pytest.raises(InputError, match=r"damaged|found no"):
        compare(results, POINTS)


def test_a_training_under_two_names_is_listed_once(results):
    import shutil

    shutil.copytree(results / "models" / POINTS[1], results / "models/dataset~dream/dim~8_seed~3")
    table = gather(results)
    assert set(table["run"]) == {"mine-2.0", "grid"}
