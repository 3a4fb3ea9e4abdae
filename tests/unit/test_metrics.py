from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from proformer.errors import InputError
from proformer.evaluation.metrics import METRICS, codes, pearson, score, spearman
from proformer.evaluation.streaming import PearsonAccumulator

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=1000)
Y = 0.6 * X + RANDOM.normal(size=1000)


def test_agrees_with_scipy_ties_included():
    x = np.round(X, 1)
    assert pearson(x, Y) == pytest.approx(stats.pearsonr(x, Y).statistic, abs=1e-14)
    assert spearman(x, Y) == pytest.approx(stats.spearmanr(x, Y).statistic, abs=1e-14)


@given(st.lists(st.lists(st.integers(-3, 3), min_size=8, max_size=8), min_size=4, max_size=4))
def test_metrics_of_codes_are_those_of_what_they_stand_for(rows):
    x, y = np.array(rows, dtype=float).reshape(2, 2, -1)  # tied heavily
    coded = METRICS["spearman"].rows(codes(x), codes(y))
    assert coded == pytest.approx(METRICS["spearman"].rows(x, y), nan_ok=True)
    for sample, rho in enumerate(coded):
        if min(np.ptp(x[sample]), np.ptp(y[sample])):
            assert rho == pytest.approx(stats.spearmanr(x[sample], y[sample])[0], abs=1e-9)
        else:
            assert math.isnan(rho)
    for name in ("auroc", "aupr"):
        label = (y > 0).astype(float)
        assert METRICS[name].rows(codes(x), label) == pytest.approx(METRICS[name].rows(x, label), nan_ok=True)


def test_score():
    result = score([1.0, 2.0, 4.0], [1.0, 3.0, 3.5])
    r = np.corrcoef([1, 2, 4], [1, 3, 3.5])[0, 1]
    assert result == pytest.approx({"n": 3, "pearson": r, "spearman": 1.0, "r2": r * r, "mse": 1.25 / 3})
    assert score([], [])["n"] == 0


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9 / 3])
def test_constant_is_undefined_not_zero(constant):
    flat = np.full(1000, constant, dtype=np.float64)
    assert math.isnan(pearson(flat, Y))
    assert math.isnan(spearman(Y, flat))
    accumulator = PearsonAccumulator()
    for part in np.array_split(np.arange(1000), 37):
        accumulator.update(flat[part], Y[part])
    assert math.isnan(accumulator.value)
    assert math.isnan(pearson([1.0], [2.0]))


@pytest.mark.parametrize("function", [pearson, spearman, score])
def test_bad_input_is_named(function):
    with pytest.raises(InputError, match=r"\(3,\) and \(2,\)"):
        function([1, 2, 3], [1, 2])
    with pytest.raises(InputError, match="second array: found 1 NaN"):
        function([1, 2, 3], [1, 2, np.nan])
    with pytest.raises(InputError, match="first array"):
        function([1, np.inf, 3], [1, 2, 3])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 1000), max_size=6), st.floats(-1e6, 1e6), st.booleans())
def test_streaming_equals_whole_however_it_is_cut(cuts, offset, tensors):
    accumulator = PearsonAccumulator()
    for part in np.split(np.arange(1000), sorted(cuts)):
        x, y = X[part] + offset, Y[part]
        accumulator.update(*(map(torch.from_numpy, (x, y)) if tensors else (x, y)))
        accumulator = PearsonAccumulator(**json.loads(json.dumps(accumulator.state())))
    assert accumulator.n == 1000
    assert accumulator.value == pytest.approx(stats.pearsonr(X, Y).statistic, abs=1e-9)


def test_torch_batches_of_low_precision_with_gradients():
    x = torch.tensor(X, dtype=torch.bfloat16, requires_grad=True).reshape(10, 100)
    y = torch.tensor(Y, dtype=torch.float32).reshape(10, 100)
    accumulator, resumed = PearsonAccumulator(), PearsonAccumulator()
    for a, b in zip(x, y, strict=True):
        accumulator.update(a, b)
        resumed = PearsonAccumulator(**json.loads(json.dumps(resumed.state()))).update(a, b)
    assert not accumulator.product.requires_grad
    assert resumed.state() == accumulator.state()  # to the last bit: a resumed training ends with the same numbers
    expected = stats.pearsonr(x.detach().double().flatten(), y.double().flatten()).statistic
    assert accumulator.value == pytest.approx(expected, abs=1e-12)
    assert all(type(number) in (int, float) for number in accumulator.state().values())


def test_diverged_batch_makes_the_value_nan_and_shapes_must_agree():
    accumulator = PearsonAccumulator().update(X, Y).update([np.nan, 1.0], [1.0, 2.0])
    assert math.isnan(accumulator.value)
    with pytest.raises(InputError, match="equal shapes"):
        PearsonAccumulator().update(np.zeros((4, 1)), np.zeros(4))  # would broadcast to 4 x 4
