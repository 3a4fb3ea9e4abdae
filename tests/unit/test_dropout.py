"""Dropout of our own on a CPU."""

import pytest
import torch

from proformer.models.dropout import Dropout, dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("p", [0.05, 0.3, 0.9])
def test_a_share_is_dropped_and_the_mean_stays(p, dtype):
    x = torch.ones(250, 1001, 4, dtype=dtype)
    dropped = dropout(x, p)
    assert dropped.dtype == dtype
    kept = dropped != 0
    error = 5 * (p * (1 - p) / x.numel()) ** 0.5  # of the share, five standard errors
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=error + 1 / 65536)
    assert dropped[kept].float().unique().item() == pytest.approx(1 / (1 - p), rel=1e-4 if dtype.itemsize > 2 else 0.01)


def test_neighbours_are_dropped_independently():
    kept = (dropout(torch.ones(1_000_000), 0.5) != 0).double() - 0.5
    for lag in (1, 2, 3, 4, 8, 64):
        assert abs((kept[lag:] * kept[:-lag]).mean().item()) < 0.25 * 5 / 1000


@pytest.mark.parametrize("shape", [(3,), (5, 7), (2, 3, 5)])
def test_any_layout_has_the_gradient_of_its_mask(shape):
    whole = torch.rand(shape, dtype=torch.float64) + 1
    for x in (
        whole,
        whole.T if whole.ndim == 2 else whole.movedim(0, -1),
        whole[..., ::2],
        whole[:1].expand(4, *shape[1:]),
    ):
        x = x.detach().requires_grad_()
        dropped = dropout(x, 0.5)
        dropped.sum().backward()
        assert dropped.shape == x.shape
        assert torch.equal(x.grad, dropped.detach() / x.detach())


def test_dropout_in_place_and_switched_off():
    layer, x = Dropout(0.5, inplace=True), torch.ones(1000)
    torch.manual_seed(1)
    assert layer(x) is x
    assert 0 in x
    torch.manual_seed(1)
    assert torch.equal(dropout(torch.ones(1000), 0.5), x)
    assert layer.eval()(x) is x
    assert torch.equal(dropout(x, 0.0), x)
    assert not dropout(x, 1.0).any()
    assert dropout(torch.ones(0, 4), 0.5).shape == (0, 4)
