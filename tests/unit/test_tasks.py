"""Tasks, their losses and their metrics, each against an implementation that is not ours."""

import json
from dataclasses import asdict, replace
from typing import get_args

import numpy as np
import pytest
import torch
from scipy import special, stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics

from proformer.errors import InputError
from proformer.evaluation.metrics import METRICS, measure
from proformer.evaluation.streaming import Streamed
from proformer.losses import LOSSES
from proformer.tasks import Kind, LossName, MetricName, Task

RANDOM = np.random.default_rng(7)
SHAPE = N, T, P = 40, 3, 16
TWO = Task(kind="values", names=("a", "b"), mean=(1.0, -2.0), sd=(2.0, 0.5))


def tensors(*arrays):
    return [torch.tensor(array, dtype=torch.float64) for array in arrays]


def loss(name, output, target, **keys):
    kind = {"bce": "binary", "kl": "bins", "multinomial": "counts and profile"}.get(name, "profile")
    task = Task(kind=kind, names=("a", "b", "c"), loss_name=name, scale="none", **keys)
    return task.loss(*tensors(output, target)).item()


def test_tables_name_what_tasks_may_name():
    assert set(LOSSES) == set(get_args(LossName))
    assert set(METRICS) == set(get_args(MetricName))


def test_losses_of_numbers():
    x, y = RANDOM.normal(size=SHAPE), 2 * RANDOM.normal(size=SHAPE)
    assert loss("mse", x, y) == pytest.approx(np.mean((x - y) ** 2))
    assert loss("huber", x, y) == pytest.approx(special.huber(1, x - y).mean())
    by_task = [stats.pearsonr(x[:, t].ravel(), y[:, t].ravel()).statistic for t in range(T)]
    assert loss("pearson", x, y) == pytest.approx(-np.mean(by_task), abs=1e-6)
    assert np.std(by_task) > 0.005
    assert loss("pearson_mse", x, y) == pytest.approx(-np.mean(by_task) + 1e-3 * np.mean((x - y) ** 2), abs=1e-6)


def test_losses_of_counts():
    rate, count = RANDOM.gamma(2, 2, SHAPE), RANDOM.poisson(3, SHAPE)
    exact = -stats.poisson.logpmf(count, rate) - special.gammaln(count + 1)
    assert loss("poisson", rate, count) == pytest.approx(exact.mean(), rel=1e-6)
    logits, totals = RANDOM.normal(size=SHAPE), count.sum(axis=2)
    output = np.concatenate([RANDOM.normal(size=(N, T, 1)), logits], axis=2)
    task = Task(kind="counts and profile", names=("a", "b", "c"))
    target = task.transform(torch.tensor(count, dtype=torch.float64)).numpy()
    shapes = [
        stats.multinomial.logpmf(count[i, t], totals[i, t], special.softmax(logits[i, t]))
        for i in range(N)
        for t in range(T)
    ]
    number = np.mean((output[..., 0] - np.log1p(totals)) ** 2)
    assert loss("multinomial", output, target) == pytest.approx(number - np.mean(shapes), rel=1e-5)
    assert loss("multinomial", output, target, count_weight=3.0) == pytest.approx(
        3 * number - np.mean(shapes), rel=1e-5
    )


def test_squared_error_with_a_little_of_the_multinomial():
    x, count = RANDOM.normal(size=SHAPE), RANDOM.poisson(300, SHAPE)
    shapes = [
        stats.multinomial.logpmf(count[i, t], count[i, t].sum(), special.softmax(x[i, t]))
        for i in range(N)
        for t in range(T)
    ]
    expected = np.mean((x - count) ** 2) - 1e-7 * np.sum(shapes) / N
    assert loss("multinomial_mse", x, count) == pytest.approx(expected, rel=1e-6)
    assert abs(np.sum(shapes)) / N > 1


def test_losses_of_probabilities():
    logits, label = RANDOM.normal(size=SHAPE), RANDOM.integers(0, 2, SHAPE)
    p = special.expit(logits)
    assert loss("bce", logits, label) == pytest.approx(-np.mean(np.log(np.where(label, p, 1 - p))))
    bins = special.softmax(RANDOM.normal(size=SHAPE), axis=2)
    bins[:, :, 0] = 0
    exact = special.rel_entr(bins, special.softmax(logits, axis=2)).sum(axis=2).mean()
    assert loss("kl", logits, bins) == pytest.approx(exact)


REFERENCES = {
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "r2": lambda x, y: stats.linregress(x, y).rvalue ** 2,
    "mse": lambda x, y: np.sum((x - y) ** 2) / len(x),
    "poisson_nll": lambda x, y: np.mean(-stats.poisson.logpmf(y, x) - special.gammaln(y + 1)),
    "jensen_shannon": jensenshannon,
}


def values(labels=False):
    """Predictions with ties and truths, [N, T, P]; truths of the first task agree best."""
    x = np.round(RANDOM.gamma(2, 2, SHAPE), 1) + 0.1
    y = RANDOM.poisson(x * np.array([1, 0.5, 0.1])[:, None] + 1)
    return x, (y > 3).astype(float) if labels else y.astype(float)


def by_sequence(name, x, y):
    return np.nanmean(METRICS[name].rows(x, y), axis=0)


@pytest.mark.parametrize("name", REFERENCES)
def test_metrics_per_task_over_all_positions_and_per_sequence(name):
    x, y = values()
    whole = [REFERENCES[name](x[:, t].ravel(), y[:, t].ravel()) for t in range(T)]
    single = [np.mean([REFERENCES[name](x[i, t], y[i, t]) for i in range(N)]) for t in range(T)]
    assert measure(name, x, y) == pytest.approx(whole, rel=1e-6)
    assert by_sequence(name, x, y) == pytest.approx(single, rel=1e-6)


def sklearn_area(name, score, label):
    if name == "auroc" or not label.any():  # scikit-learn's recall without positives is 1; ours is undefined, too
        return metrics.roc_auc_score(label, score)
    precision, recall, _ = metrics.precision_recall_curve(label, score)
    return metrics.auc(recall, precision)


@pytest.mark.parametrize("name", ["auroc", "aupr"])
@pytest.mark.filterwarnings("ignore")  # of sequences of one label
def test_metrics_of_labels_agree_with_scikit_learn(name):
    x, y = values(labels=True)
    whole = [sklearn_area(name, x[:, t].ravel(), y[:, t].ravel()) for t in range(T)]
    single = [np.nanmean([sklearn_area(name, x[i, t], y[i, t]) for i in range(N)]) for t in range(T)]
    assert measure(name, x, y) == pytest.approx(whole)
    assert by_sequence(name, x, y) == pytest.approx(single)


def test_constant_sequences_are_left_out_of_the_mean_and_nan_is_named():
    x, y = values()
    rest = by_sequence("pearson", x[1:], y[1:])
    x[0] = 1.0
    assert by_sequence("pearson", x, y) == pytest.approx(rest)
    assert np.isnan(METRICS["pearson"].rows(x[:1], y[:1])).all()
    x[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="1 NaN"):
        measure("mse", x, y)


def test_streamed_metrics_are_those_of_the_whole():
    x, y = values()
    streamed = Streamed(("pearson", "r2", "mse", "poisson_nll", "spearman", "jensen_shannon"))
    for part in np.split(np.arange(N), [3, 4, 30]):
        streamed.update(x[part], y[part])
    for name, found in streamed.values().items():
        whole = by_sequence if name in ("spearman", "jensen_shannon") else measure
        assert found == pytest.approx(whole(name, x, y), rel=1e-12)


def test_standardised_targets_come_back():
    target = torch.tensor(RANDOM.normal(size=(5, 2, 1)) + 3, dtype=torch.float32)
    scaled = TWO.transform(target)
    assert scaled.dtype == torch.float32
    assert scaled[:, 1].numpy() == pytest.approx((target[:, 1].numpy() + 2) / 0.5)
    assert TWO.restore(scaled).dtype == torch.float64
    assert TWO.restore(scaled).numpy() == pytest.approx(target.numpy(), rel=1e-6)
    with pytest.raises(InputError, match="proformer split"):
        replace(TWO, mean=(), sd=()).transform(target)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_goes_to_the_units_of_its_loss_and_back(kind):
    """A perfect output restores the target, its loss is the least around it, and its reverse is the target reversed."""
    target = torch.tensor(RANDOM.poisson(4, (6, 2, 8)) + 1.0)
    if kind == "bins":
        target /= target.sum(dim=2, keepdim=True)
    if kind == "binary":
        target = torch.tensor(RANDOM.uniform(0.1, 0.9, (6, 2, 8)))
    task = Task(kind=kind, names=("a", "b"), mean=(4.0, 5.0), sd=(1.0, 2.0))
    scaled = task.transform(target)
    perfect = {"bins": torch.log, "binary": torch.logit}.get(kind, lambda x: x)(scaled)
    if kind == "counts and profile":
        perfect = torch.cat([scaled[..., :1], scaled[..., 1:].log()], dim=2)
    assert torch.allclose(task.restore(perfect), target)
    compared = task.predicted(perfect), task.measured(scaled)
    assert torch.allclose(*compared)
    best = task.loss(perfect, scaled)
    torch.manual_seed(0)
    assert all(task.loss(perfect + 0.1 * torch.randn_like(perfect), scaled) > best for _ in range(5))
    backward = target.flip(2) if "profile" in kind else target
    assert torch.equal(task.reverse(scaled), task.transform(backward))
    assert torch.equal(task.reverse(task.reverse(perfect)), perfect)


def test_tracks_of_single_strands_change_places():
    task = Task(kind="profile", names=("plus", "minus", "both"), partners=(1, 0, 2))
    values = torch.arange(12.0).reshape(1, 3, 4)
    assert task.reverse(values)[0].tolist() == [[7, 6, 5, 4], [3, 2, 1, 0], [11, 10, 9, 8]]


def test_logarithms_of_signals():
    task = Task(kind="profile", names=("a",), scale="log1p", loss_name="mse")
    target = torch.tensor([[[0.0, 3.0]]])
    assert task.restore(task.transform(target)).flatten().tolist() == pytest.approx([0, 3])


def test_a_task_survives_json():
    assert Task.read("a", json.loads(json.dumps(asdict(TWO)))) == TWO
    hash(Task.read("a", json.loads(json.dumps(asdict(TWO)))))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "number"}, "kind is 'number', expected one of value"),
        ({"loss_name": "l1"}, "loss_name is 'l1'"),
        ({"metrics": ["r"]}, r"metrics is \['r'\], expected a list of one of pearson"),
        ({"scale": "sqrt"}, "scale is 'sqrt'"),
        ({"names": ["a", "b"], "mean": [1.0]}, "found 1 mean for 2 tasks"),
        ({"kind": "binary", "loss_name": "mse"}, "does not fit"),
        ({"kind": "value", "loss_name": "bce"}, "does not fit"),
        ({"loss_name": "poisson"}, "at least 0"),
        ({"kind": "bins", "scale": "log1p"}, "not scaled"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_impossible_tasks_are_named(keys, message):
    with pytest.raises(InputError, match=f"here: .*{message}"):
        Task.read("here", keys)


def test_outputs_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"\[4, 1\] numbers for targets of \[4, 2, 1\]"):
        TWO.loss(torch.zeros(4, 1), torch.zeros(4, 2, 1))
