"""Matrix products by the other library: the same numbers for every shape, stride, type, and their gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proformer.datasets.batches import Batch
from proformer.models import build
from proformer.models.fill_mask import most_masked
from proformer.tasks import Task
from proformer.training import products

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")


@pytest.fixture(autouse=True)
def everything_counts_as_large(monkeypatch):
    monkeypatch.setattr(products, "_LEAST_WORK", 0)
    monkeypatch.setattr(products, "_LEAST_SIDE", 1)
    yield
    products.use_onednn(products.onednn_is_faster())


def with_and_without(function):
    results = []
    for fast in (False, True):
        products.use_onednn(fast)
        results.append(function())
    return results


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 3), st.integers(0, 2**30))
def test_products_of_any_shape_and_stride(m, k, n, strides, seed):
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(k, m, generator=generator).t() if strides & 1 else torch.randn(m, k, generator=generator)
    b = torch.randn(n, k, generator=generator).t() if strides & 2 else torch.randn(k, n, generator=generator)
    for function in (
        lambda: a @ b,
        lambda: torch.addmm(torch.arange(n, dtype=torch.float32), a, b),
        lambda: torch.stack([a, 2 * a]) @ torch.stack([b, b + 1]),
        lambda: a.double() @ b.double(),
        lambda: a[::2, ::3] @ b[::3, ::2],  # with gaps
        lambda: a[:, :1].expand(m, k) @ b[:1].expand(k, n),
    ):
        straight, fast = with_and_without(function)
        assert fast.dtype == straight.dtype
        assert torch.allclose(fast, straight, rtol=1e-5, atol=1e-4)


def test_it_is_used(monkeypatch):
    seen = []
    product = products._product
    monkeypatch.setattr(products, "_product", lambda *operands: seen.append(1) or product(*operands))
    products.use_onednn(True)
    torch.nn.functional.linear(torch.randn(2, 3, 4), torch.randn(5, 4), torch.randn(5))
    assert seen
    products.use_onednn(False)
    torch.randn(3, 4) @ torch.randn(4, 5)
    assert len(seen) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_training_step_has_the_same_loss_and_gradients(seed):
    random = np.random.default_rng(seed)
    keys = {"length": 20, "dim": int(random.integers(2, 40)), "heads": int(random.integers(1, 4)), "blocks": 2}
    codes = torch.from_numpy(random.integers(0, 5, (6, 20), dtype=np.uint8))
    batch = Batch(codes, torch.from_numpy(random.standard_normal((6, 1, 1)).astype(np.float32)))

    def step():
        torch.manual_seed(seed)
        model = build(keys | {"expression_heads": 4})
        loss = model.loss(batch, Task(scale="none"))
        loss.total.backward()
        return [loss.total.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]

    for straight, fast in zip(*with_and_without(step), strict=True):
        assert torch.allclose(fast, straight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("rate", "joint"), [(0.05, False), (0.05, True), (0.5, False), (0.9, False), (0.0, False)])
def test_masks_fit_into_a_table_of_fixed_width(rate, joint):
    from scipy.stats import binom

    width = most_masked(200, rate, joint)
    length, count = (100, width // 2) if joint else (200, width)
    assert binom.sf(count, length, rate) < 1e-15
    assert count == 0 or binom.sf(count - 1, length, rate) >= 1e-15


@pytest.mark.parametrize("mask", ["independent", "joint"])
def test_the_width_of_the_table_changes_nothing(mask, monkeypatch):
    model = build({"length": 20, "dim": 8, "heads": 2, "blocks": 2, "expression_heads": 4, "mask": mask}).double()
    batch = Batch(torch.randint(0, 4, (16, 20), dtype=torch.uint8), torch.ones(16, 1, 1))
    losses, gradients = [], []
    for width in (model.table_width, lambda masked: 40):
        monkeypatch.setattr(model, "table_width", width)
        torch.manual_seed(3)
        model.zero_grad()
        loss = model.loss(batch, Task(scale="none"))
        loss.total.backward()
        losses.append(loss.total.detach())
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 26\n", True),  # Zen 5
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 25\n", False),  # Zen 4
        ("vendor_id\t: GenuineIntel\ncpu family\t: 6\n", False),
        ("", False),
    ],
)
def test_only_processors_with_units_of_512_bits_gain(tmp_path, text, wide):
    (tmp_path / "cpuinfo").write_text(text)
    assert products._has_wide_units(tmp_path / "cpuinfo") is wide


def test_no_cpuinfo_is_no_wide_unit(tmp_path):
    assert not products._has_wide_units(tmp_path / "cpuinfo")
