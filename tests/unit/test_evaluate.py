"""Predictions of several tasks and positions against measurements, and the verbs that lead there."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from proformer.cli import main
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.evaluation.evaluate import evaluate
from proformer.sequences import encode

RANDOM = np.random.default_rng(3)
N, T, P = 60, 2, 8
SEQUENCES = ["".join(row) for row in RANDOM.choice(list("ACGT"), (N, 20))]
TRUTH = RANDOM.gamma(2, 2, (N, T, P)).astype(np.float32)
PREDICTED = (TRUTH + RANDOM.normal(0, [[1], [4]], (N, T, P))).astype(np.float32)
TASK = {"kind": "profile", "names": ["leaf", "root"], "bin": 4, "metrics": ["pearson", "spearman", "mse"]}


def store(path, values, sequences=SEQUENCES, group=None, task=TASK):
    with StoreWriter(path, {"task": task}) as writer:
        codes = np.stack([encode(sequence) for sequence in sequences])
        writer.append(codes=codes, target=values, group=np.arange(len(values)) if group is None else group)
    return path


def table(path, values, sequences=SEQUENCES, names=("leaf", "root")):
    frame = pd.DataFrame({"name": range(len(values)), "sequence": sequences})
    frame[[*names]] = values
    frame.to_csv(path, sep="\t", index=False)
    return path


def text(path, values, sequences=SEQUENCES, heading="sequence\tleaf\troot\n"):
    rows = ("\t".join([sequence, *map(str, row)]) for sequence, row in zip(sequences, values.tolist(), strict=True))
    path.write_text(heading + "".join(f"{row}\n" for row in rows))
    return path


def latin_1(path):
    path.write_bytes("sequence\tprediction\nACGT\t1.5 µg\n".encode("latin-1"))
    return path


@pytest.fixture
def stores(tmp_path):
    return store(tmp_path / "p.safetensors", PREDICTED), store(tmp_path / "t.safetensors", TRUTH)


def test_profiles_are_scored_per_task_over_all_positions_and_per_sequence(stores):
    found = evaluate(*stores, samples=0).set_index(["task", "metric", "over"])["value"]
    assert len(found) == 2 * 3 * 2
    for t, task in enumerate(TASK["names"]):
        x, y = PREDICTED[:, t].astype(float), TRUTH[:, t].astype(float)
        assert found[task, "pearson", "all"] == pytest.approx(stats.pearsonr(x.ravel(), y.ravel())[0])
        assert found[task, "spearman", "all"] == pytest.approx(stats.spearmanr(x.ravel(), y.ravel())[0])
        single = np.mean([stats.spearmanr(a, b)[0] for a, b in zip(x, y, strict=True)])
        assert found[task, "spearman", "sequence"] == pytest.approx(single)
        assert found[task, "mse", "sequence"] == pytest.approx(found[task, "mse", "all"])


def test_tables_and_text_files_give_what_stores_give(tmp_path):
    x, y = PREDICTED[:, :, :1], TRUTH[:, :, :1]
    whole = evaluate(store(tmp_path / "p.safetensors", x), store(tmp_path / "t.safetensors", y), ["r2", "spearman"])
    files = table(tmp_path / "p.tsv", x[:, :, 0]), text(tmp_path / "t.txt", y[:, :, 0])
    plain = evaluate(*files, ["r2", "spearman"])
    pd.testing.assert_frame_equal(plain, whole)
    assert plain["task"].tolist() == ["leaf", "leaf", "root", "root"]
    unnamed = text(tmp_path / "t.txt", y[:, :, 0], heading="")
    pd.testing.assert_frame_equal(evaluate(files[0], unnamed, ["r2", "spearman"]), whole)


@pytest.mark.parametrize("metric", ["pearson", "spearman", "auroc", "aupr", "poisson_nll"])
def test_intervals_are_those_of_sequences_drawn_again(tmp_path, metric):
    """The same draws by hand: whole groups of sequences, with all their positions."""
    group, labels = np.repeat(np.arange(N // 3), 3), (TRUTH[:, :1] > 3).astype(np.float32)
    files = (store(tmp_path / f"{i}.safetensors", np.abs(values), group=group, task={**TASK, "names": ["leaf"]})
             for i, values in enumerate((PREDICTED[:, :1], labels)))  # fmt: skip
    found = evaluate(*files, [metric], samples=200, seed=4).set_index("over")
    draws = {"all": [], "sequence": []}
    for families in np.random.default_rng(4).integers(0, N // 3, (200, N // 3)):
        rows = np.concatenate([np.flatnonzero(group == family) for family in families])
        x, y = np.abs(PREDICTED[rows, :1]).astype(float), labels[rows].astype(float)
        for over, values in draws.items():
            values.append(float(measured(metric, x, y, over)))
    for over, values in draws.items():
        assert found.loc[over, ["low", "high"]].tolist() == pytest.approx(np.quantile(values, [0.025, 0.975]).tolist())


def measured(metric, x, y, over):
    from proformer.evaluation.metrics import METRICS

    return METRICS[metric].rows(x.ravel(), y.ravel()) if over == "all" else np.nanmean(METRICS[metric].rows(x, y))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: store(folder / "p.safetensors", PREDICTED[1:], SEQUENCES[1:]), r"p\.safetensors, row 0: found"),
        (lambda folder: store(folder / "p.safetensors", PREDICTED[:-1], SEQUENCES[:-1]), "found 59 predictions"),
        (lambda folder: store(folder / "p.safetensors", PREDICTED[:, :, :4]), "2 tasks and 4 positions, expected 2 ta"),
        (lambda folder: store(folder / "p.safetensors", PREDICTED, task={**TASK, "names": ["a", "b"]}), "tasks a, b"),
        (lambda folder: table(folder / "p.tsv", PREDICTED[:, :, 0]), "2 tasks and 1 positions"),
        (lambda folder: table(folder / "p.tsv", [["x", 1.0]] * N), r"line 2: found 'x', '1\.0', expected a finite"),
        (lambda folder: table(folder / "p.tsv", np.empty((N, 0)), names=()), "no column 'prediction'"),
        (lambda folder: folder / "none.tsv", "no such file"),
        (lambda folder: latin_1(folder / "p.tsv"), r"p\.tsv: found no table \('utf-8' codec"),
    ],
)
def test_what_does_not_belong_together_is_named(stores, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        evaluate(change(tmp_path), stores[1])


def test_metrics_that_are_not_known_are_named(stores, capsys):
    words = ["evaluate", "--predictions", str(stores[0]), "--truth", str(stores[1])]
    assert main([*words, "--metrics", "accuracy"]) == 2
    assert "expected one of pearson" in capsys.readouterr().err


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Two tasks, the shares of G+C and of A: prepared and split by the verbs."""
    folder = tmp_path_factory.mktemp("toy")
    random = np.random.default_rng(1)
    shares = random.uniform(0.1, 0.7, 700)
    rows = [random.choice(list("ACGT"), 40, p=[0.8 - s, s / 2, s / 2, 0.2]) for s in shares]
    lines = [f"{''.join(row)}\t{(np.isin(row, ['G', 'C'])).mean()}\t{5 * (row == 'A').mean()}\n" for row in rows]
    (folder / "toy.tsv").write_text("sequence\tgc\ta\n" + "".join(lines))
    stores = [str(folder / f"{part}.safetensors") for part in ("all", "train", "validation", "test")]
    for words in (
        ["prepare", "--sequences", str(folder / "toy.tsv"), "--out", stores[0], "--length", "40"],
        ["split", "--store", stores[0], "--out", *stores[1:], "--fractions", "0.7", "0.15", "0.15"],
    ):
        assert main(words) == 0, words[0]
    return stores[1:]


@pytest.mark.learns
def test_two_tasks_from_end_to_end(toy, tmp_path, seed, reaches):
    train, validation, test = toy
    point = tmp_path / "models/dataset~toy/model~danq_seed~1"
    config = "{model: {model: danq, outputs: 2, length: 40, filters: 16, kernel: 5, pool: 4, units: 4, dense: [16], "
    config += "dropout: 0, recurrent_dropout: 0}, "
    config += f"training: {{epochs: 8, batch_size: 16, learning_rate: 0.01, seed: {seed}}}}}"
    assert main(["train", "--config", config, "--train", train, "--validation", validation, "--out", str(point)]) == 0
    scores = []
    for name in ("p.tsv", "p.safetensors"):
        assert main(["predict", "--model", str(point), "--sequences", test, "--out", str(tmp_path / name)]) == 0
        words = ["--columns", "dataset=toy", "run=danq", "seed=1", "evaluation=test", "--out", str(tmp_path / "e.tsv")]
        assert main(["evaluate", "--predictions", str(tmp_path / name), "--truth", test, *words]) == 0
        scores.append(pd.read_csv(tmp_path / "e.tsv", sep="\t"))
    assert scores[0].columns.tolist() == [
        "dataset", "run", "seed", "evaluation", "task", "metric", "over", "value", "low", "high", "n"
    ]  # fmt: skip
    assert scores[0]["value"].tolist() == pytest.approx(scores[1]["value"].tolist(), rel=1e-4)
    for task in ("gc", "a"):
        row = scores[0][(scores[0]["task"] == task) & (scores[0]["metric"] == "pearson")].iloc[0]
        reaches(f"r of {task}", row["value"], 0.5)
        assert row["low"] < row["value"] < row["high"]
        assert row["n"] == len(open_store(test))
