"""Scores of models of coverage against plain restatements, on models that know how the coverage was made."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut
from scipy import stats
from sklearn import metrics
from torch import nn

from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.evaluation import profiles
from proformer.evaluation.judgement import Judgement
from proformer.evaluation.profile_claims import report_card
from proformer.evaluation.profile_examples import examples
from proformer.evaluation.profile_shifts import starts
from proformer.evaluation.profile_tables import supplements
from proformer.evaluation.profile_windows import HeldOut
from proformer.models.base import Model
from proformer.models.folder import TrainedModel
from proformer.tasks import Task

N, WINDOW, LENGTH, STEP = 90, 48, 32, 2
TASKS = ("gc", "a")
PLAN = Judgement(bins=(2, 4, 8, 32), thresholds=(0, 1.5), shifts=4, shifted_windows=1000)
RANDOM = np.random.default_rng(5)


class Letters(Model):
    """Coverage of G and C, and of A, in bins; `wrong` is added to every second sequence, `ramp` along positions."""

    def __init__(self, size=2, wrong=0.0, ramp=0.0):
        super().__init__()
        self.size, self.wrong, self.ramp = size, wrong, nn.Parameter(torch.tensor(ramp))

    def forward(self, codes):
        both = (
            torch.stack([(codes == 1) | (codes == 2), codes == 0], 1).float().unflatten(2, (-1, self.size)).mean(3) * 4
        )
        odd = (codes[:, :1].float().sum(1) % 2)[:, None, None]
        return both + self.wrong * odd + self.ramp * torch.arange(both.shape[2])


class Level(Letters):
    """The same coverage everywhere."""

    def forward(self, codes):
        return torch.ones_like(super().forward(codes))


class Logits(Letters):
    """The same, as one number a sequence."""

    def forward(self, codes):
        return super().forward(codes).mean(2, keepdim=True)


def trained(model, kind="profile", **keys):
    task = Task(kind, TASKS, bin=getattr(model, "size", None) if kind == "profile" else None)
    point = {"run": "basenji", "dataset": "coverage", "axes": {"loss": "Poisson", **keys}}
    data = {"windows": {"rows": "tiles", "threshold": 2}}
    about = {
        "point": point,
        "layout": {"length": LENGTH},
        "training": {"seed": 1},
        "data": data,
        "parameters": 1,
        "best_epoch": 1,
    }
    return TrainedModel(model.eval(), about, task)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("profiles") / "test.safetensors"
    codes = RANDOM.integers(0, 5, (N, WINDOW)).astype(np.uint8)
    codes[:, 20] = RANDOM.integers(0, 2, N)
    with torch.no_grad():
        target = Letters()(torch.from_numpy(codes)).numpy()
    label = (target.mean(2) + RANDOM.normal(0, 0.3, (N, 2)) > 1.6).astype(np.uint8)
    meta = {"task": asdict(Task("profile", TASKS, bin=STEP)), "layout": {"length": WINDOW, "flanks": ["", ""]}}
    with StoreWriter(path, meta | {"compared": ["noisy"]}) as writer:
        noisy = (target + RANDOM.normal(0, 1, target.shape)).astype(np.float32)
        writer.append(codes=codes, target=target, group=np.arange(N), label=label, compared_0=noisy)
    return open_store(path)


def value(table, task="gc", **where):
    rows = table
    for column, wanted in ({"task": task} | where).items():
        rows = rows[rows[column] == wanted]
    assert len(rows) == 1
    return rows["value"].item()


def pair(store, model, by=1, task=0):
    """Predictions and truths of the middles, in bins of so many of the model's positions: [N, P]."""
    start = (WINDOW - LENGTH) // 2
    x = model(torch.from_numpy(np.array(store.codes[:, start : start + LENGTH]))).detach().double().numpy()[:, task]
    y = np.asarray(store.target[:, task, start // STEP : (start + LENGTH) // STEP], np.float64)
    y = y.reshape(N, x.shape[1], -1).mean(2)
    return tuple(values.reshape(N, -1, by).mean(2) for values in (x, y))


def test_scores_at_own_and_coarser_bins_are_those_of_plain_formulas(store):
    model = Letters(4, wrong=3.0)
    table = profiles.judge(trained(model), "m", store, PLAN)
    x, y = pair(store, model)
    own = {"how": "own bins", "bp": 4, "subset": "all"}
    assert value(table, **own, over="all", metric="pearson") == pytest.approx(
        stats.pearsonr(x.ravel(), y.ravel()).statistic
    )
    assert value(table, **own, over="all", metric="mse") == pytest.approx(np.mean((x - y) ** 2))
    factor = y.sum() / x.sum()
    assert value(table, **own, over="all", metric="scaled_mse") == pytest.approx(np.mean((factor * x - y) ** 2))
    nll = np.mean(factor * x - y * np.log(factor * x + 1e-7))
    assert value(table, **own, over="all", metric="scaled_poisson_nll") == pytest.approx(nll, abs=1e-4)
    single = np.nanmean(
        [stats.pearsonr(*rows).statistic for rows in zip(x, y, strict=True) if min(map(np.std, rows)) > 0]
    )
    assert value(table, **own, over="sequence", metric="pearson") == pytest.approx(single)
    coarse = [values.ravel() for values in pair(store, model, 2)]
    found = value(table, how="bins", bp=8, over="all", metric="pearson", subset="all")
    assert found == pytest.approx(stats.pearsonr(*coarse).statistic)
    box = [np.lib.stride_tricks.sliding_window_view(values, 2, axis=1).mean(2).ravel() for values in (x, y)]
    found = value(table, how="smoothed", bp=8, over="all", metric="pearson", subset="all")
    assert found == pytest.approx(stats.pearsonr(*box).statistic)
    assert set(table.loc[table["how"] == "bins", "bp"]) == {4, 8, 32}


def test_subsets_are_windows_above_a_threshold_or_with_a_peak(store):
    model = Letters(2, wrong=1.0)
    table = profiles.judge(trained(model), "m", store, PLAN)
    x, y = pair(store, model)
    label = np.asarray(store.columns["label"]).any(axis=1)
    for subset, rows in {"peaks": label, "above 1.5": np.asarray(store.target).max(axis=(1, 2)) > 1.5}.items():
        expected = stats.pearsonr(x[rows].ravel(), y[rows].ravel()).statistic
        found = value(table, how="own bins", subset=subset, over="all", metric="pearson")
        assert found == pytest.approx(expected)
    n = table[(table["subset"] == "peaks") & (table["how"] == "own bins")]["n"]
    assert (n <= label.sum()).all()


def test_windows_are_told_apart_by_coverage_and_by_logits(store):
    truth = np.asarray(store.columns["label"])[:, 0]
    for model, kind in ((Letters(8), "profile"), (Logits(8), "binary")):
        table = profiles.judge(trained(model, kind), "m", store, PLAN)
        x, y = (values.mean(1) for values in pair(store, Letters(8)))
        where = {"how": "windows", "subset": "all"}
        assert value(table, **where, metric="auroc") == pytest.approx(metrics.roc_auc_score(truth, x))
        assert value(table, **where, metric="pearson") == pytest.approx(stats.pearsonr(x, y).statistic)
    assert set(table["how"]) == {"windows"}


def test_a_test_part_of_labels_alone_tells_how_well_they_are_predicted(store, tmp_path):
    label = np.asarray(store.columns["label"])
    meta = {"task": asdict(Task("binary", TASKS)), "layout": {"length": LENGTH, "flanks": ["", ""]}}
    with StoreWriter(tmp_path / "labels", meta) as writer:
        codes = store.codes[:, 8:40]
        writer.append(codes=codes, target=label[:, :, None].astype(np.float32), group=np.arange(N), label=label)
    alone = open_store(tmp_path / "labels")
    table = profiles.judge_all({"a": trained(Logits(8), "binary")}, alone, PLAN)
    x = pair(store, Letters(8))[0].mean(1)
    assert value(table, metric="auroc") == pytest.approx(metrics.roc_auc_score(label[:, 0], x))
    assert np.isnan(value(table, metric="pearson"))
    assert set(report_card(table)["verdict"]) == {"cannot decide"}
    assert examples({}, table, alone, PLAN).empty
    assert len(supplements(table)[4]) == 1


def test_predictions_that_move_with_the_sequence_do_not_vary_and_others_do(store):
    steady = profiles.judge(trained(Level(2)), "m", store, PLAN)
    assert value(steady, how="shifts", metric="variation") == pytest.approx(0, abs=1e-6)
    model = Letters(2, ramp=0.1)
    table = profiles.judge(trained(model), "m", store, PLAN)
    test = HeldOut(store, LENGTH)
    at = starts(test, PLAN)
    assert len(set(at)) == 4
    scores, robust = [], []
    for row in np.flatnonzero(np.asarray(store.columns["label"])[:, 0]):
        seen = []
        for start in at:
            codes = torch.from_numpy(np.array(store.codes[row : row + 1, start : start + LENGTH]))
            whole = np.full(WINDOW, np.nan)
            whole[start : start + LENGTH] = model(codes)[0, 0].detach().numpy().repeat(2)
            seen.append(whole[WINDOW - LENGTH : LENGTH])
        scores.append(np.std(seen, axis=0).mean() / np.mean(seen))
        truth = np.asarray(store.target[row, 0]).repeat(2)[WINDOW - LENGTH : LENGTH]
        robust.append(stats.pearsonr(np.mean(seen, axis=0), truth).statistic)
    assert value(table, how="shifts", metric="variation") == pytest.approx(np.mean(scores), rel=1e-4)
    assert value(table, how="shifts", metric="robust_pearson") == pytest.approx(np.nanmean(robust), rel=1e-4)


def test_all_models_and_further_tracks_are_in_one_table(store):
    models = {"a": trained(Letters(2)), "b": trained(Logits(8), "binary")}
    table = profiles.judge_all(models, store, PLAN)
    noisy = table[table["model"] == "noisy"]
    y, x = np.asarray(store.target)[:, 0, 4:20].ravel(), np.asarray(store.columns["compared_0"])[:, 0, 4:20].ravel()
    found = value(noisy, how="own bins", subset="all", over="all", metric="pearson")
    assert found == pytest.approx(stats.pearsonr(x, y).statistic, rel=1e-5)
    shown = examples(models, table, store, PLAN)
    assert set(shown["kind"]) == {"track", "shift", "label"}
    assert shown["model"].unique().tolist() == ["basenji Poisson"]
    assert {number: len(part) for number, part in supplements(table).items()} == {2: 1, 3: 0, 4: 2, 5: 20}


def test_models_of_other_tasks_lengths_or_bins_are_refused(store):
    with pytest.raises(InputError, match="m: found the tasks x, y"):
        profiles.judge(replace(trained(Letters(2)), task=Task("profile", ("x", "y"), bin=2)), "m", store, PLAN)
    with pytest.raises(InputError, match="m: found bins of 1 bp, expected several of the test part's 2"):
        profiles.judge(replace(trained(Letters(2)), task=Task("profile", TASKS, bin=1)), "m", store, PLAN)
    other = trained(Letters(2))
    other.description["layout"] = {"length": 16}
    with pytest.raises(InputError, match="b: found a model that reads 16 bp, expected 32"):
        profiles.judge_all({"a": trained(Letters(2)), "b": other}, store, PLAN)


def made_up(**means):
    """Scores of eight tasks: a mean for each loss, and a little noise that all share."""
    rows = []
    for loss, mean in means.items():
        for task in range(8):
            for metric, sign in (("pearson", 1), ("scaled_mse", -1)):
                about = {
                    "model": loss,
                    "kind": "profile",
                    "run": "basenji",
                    "dataset": "d",
                    "loss": loss,
                    "folder": loss,
                }
                about |= {"trained_on": "threshold 2", "trained_bp": 32, "seed": 1, "subset": "all", "how": "own bins"}
                rows.append(
                    about | {"bp": 32, "over": "all", "task": task, "metric": metric, "value": sign * mean + task / 50}
                )
    return pd.DataFrame(rows)


def test_claims_are_supported_contradicted_or_left_open():
    def verdict(**means):
        return report_card(made_up(**means)).set_index("claim")["verdict"]["1.1"]

    assert verdict(Poisson=0.6, MSE=0.5, r=0.4) == "supports"
    assert verdict(Poisson=0.5, MSE=0.6, r=0.4) == "contradicts"
    assert verdict(Poisson=0.1, MSE=0.05) == "cannot decide"  # little was learned
    card = report_card(made_up(Poisson=0.6, MSE=0.5), simulated=True).set_index("claim")["verdict"]
    assert card["1.1"] == "as simulated: yes"
    assert card["4.1"] == "as simulated: cannot decide"


def test_every_figure_is_drawn_from_the_tables(store):
    from proformer.evaluation.profile_claims import published
    from proformer.figures import gopher

    models = {
        "a": trained(Letters(2)),
        "b": trained(Letters(4, wrong=1.0), loss="MSE"),
        "c": trained(Logits(8), "binary"),
    }
    table = profiles.judge_all(models, store, PLAN).assign(augmentation="RC")
    shown = examples(models, table, store, PLAN)
    drawn = [gopher.tracks(shown), gopher.shifts(shown), gopher.labels(shown)]
    drawn += [draw(table) for draw in (gopher.losses, gopher.resolutions, gopher.lines, gopher.thresholds)]
    drawn += [gopher.robustness(table), gopher.both(table), gopher.both(table, "aupr")]
    drawn += [gopher.resolutions(table, "smoothed")]
    printed = (
        published().replace({"trained_bp": {"": np.nan}, "bp": {"": np.nan}}).astype({"trained_bp": float, "bp": float})
    )
    drawn += [gopher.resolutions(printed[printed["figure"] == "2c"])]
    for figure, numbers in drawn:
        assert len(numbers)
        assert_nothing_is_cut(figure)
        assert_no_two_texts_overlap(figure)
    r = drawn[3][1].set_index(["loss", "trained_bp"])["pearson"]
    expected = value_mean(table, "basenji MSE")
    assert r["MSE", 4] == pytest.approx(expected)
    with pytest.raises(InputError, match="found no rows with"):
        gopher.shifts(shown[shown["kind"] == "track"])


def value_mean(table, model):
    where = {"model": model, "how": "own bins", "subset": "all", "over": "all", "metric": "pearson"}
    return np.mean([value(table, task=task, **where) for task in TASKS])
