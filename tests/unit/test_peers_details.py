"""CRMnet, LegNet and BHI's model against their descriptions, one by one."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from test_peers_challenge import FLANKS, codes_of, one_thread, small
from torch.nn import functional as F

from proformer.datasets.batches import Batch, both_strands
from proformer.errors import InputError
from proformer.models import crmnet, find_recipe
from proformer.models.blocks import autosome, bhi
from proformer.sequences import ALPHABET, encode, reverse_complement
from proformer.tasks import Task
from proformer.training.config import Training
from proformer.training.optimiser import learning_rate

__all__ = ["one_thread"]  # the fixture is used by every test here


def store(insert, length=34):
    """Codes [1, length], the insert in the middle."""
    return torch.from_numpy(encode(insert.center(length, "N"))[None].copy())


def text(codes):
    return "".join(ALPHABET[code] for code in codes.tolist())


def reads(layer, call):
    """What a layer is given while a call runs."""
    seen = []
    handle = layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
    call()
    handle.remove()
    return seen[0]


def loss_of(model, codes, target, **task):
    return model.loss(Batch(codes, target[:, None, None]), Task(**({"scale": "none"} | task)))


def turned(codes):
    """The same sequences, read from the other strand."""
    return both_strands(codes)[:, codes.shape[1] :]


INSERT = "ACGTNACCATTGACTCAGGGATATCG"
CONSTRUCT = FLANKS[0] + INSERT + FLANKS[1]


def test_crmnet_reads_one_strand_of_the_construct_padded_3_prime():
    model = small("crmnet").eval()
    codes = store(INSERT)
    seen = reads(model.encoder[0][0], lambda: model(codes))[0].argmax(0)
    assert "".join("NACGT"[i] for i in seen.tolist()) == CONSTRUCT.ljust(64, "N")
    other = codes.clone()
    other[:, 34:] = 0
    assert model(other).item() == model(codes).item()
    known = codes_of(3)
    assert not torch.allclose(model(known), model(turned(known)), atol=1e-4)


def test_crmnet_first_position():
    """Positions multiply by sin(111 i / positions): nothing passes the first one, unless repaired."""
    codes = codes_of(2)
    for keys, passes in (({}, False), (find_recipe("crmnet", "repaired")["model"], True)):
        model = small("crmnet", **keys).eval()
        seen = reads(model.blocks[0], lambda model=model: model(codes))
        assert seen[:, 0].any() == passes
        assert seen[:, 1:].any(dim=2).all()
        assert model.positions[5].item() == pytest.approx(np.sin(111 / 16 * 5), abs=1e-5)


def test_crmnet_transformer_blocks_are_parallel_pairs():
    model = small("crmnet").eval()
    x = torch.randn(2, 8, 16)
    before = model.transform(x)
    for pair, same in (((1, 2), True), ((3, 4), True), ((5, 6), True), ((0, 1), False), ((2, 3), False)):
        a, b = pair
        blocks = list(model.blocks)
        blocks[a], blocks[b] = blocks[b], blocks[a]
        swapped = crmnet.CRMnet.transform(type("", (), {"blocks": blocks, "config": model.config})(), x)
        assert torch.allclose(before, swapped, atol=1e-5) == same


def test_wen_group_chains_blocks_and_leaves_the_second_norm():
    keys = {name: find_recipe("crmnet", "wen-group")["model"][name] for name in ("turns", "order", "second_norm")}
    model = small("crmnet", **keys)
    assert model.positions[3].item() == pytest.approx(np.sin(200 / 16 * 3), abs=1e-5)
    norms = [[layer for layer in stage if isinstance(layer, torch.nn.BatchNorm1d)] for stage in model.encoder]
    model.train()(codes_of(4))
    for first, second in norms:
        assert first.running_mean.any()
        assert not second.running_mean.any()
        assert (second.running_var == 1).all()
    model.eval()
    x = expected = torch.randn(2, 8, 16)
    for number, block in enumerate(model.blocks, start=1):
        expected = block(expected) + (expected if number in (3, 5, 7) else 0)
    assert torch.allclose(model.transform(x), expected, atol=1e-5)


@pytest.mark.parametrize("kernel", [4, 5, 11])
def test_crmnet_up_is_the_adjoint_of_down(kernel):
    """TensorFlow's transposed SAME convolution is the gradient of its SAME convolution."""
    down, up = crmnet.Down(3, kernel), crmnet.Up(3, 3, kernel)
    up.weight.data = down[1].weight.data
    down[1].bias.data.zero_(), up.bias.data.zero_()
    x, y = torch.randn(2, 3, 12), torch.randn(2, 3, 6)
    forward = down[1](down[0](x))
    assert forward.shape == y.shape
    assert (forward * y).sum().item() == pytest.approx((x * up(y)).sum().item(), rel=1e-4, abs=1e-4)
    total = kernel - 2  # zeros that TensorFlow adds to an even length, the smaller half in front
    reference = F.conv1d(F.pad(x, (total // 2, total - total // 2)), down[1].weight, stride=2)
    assert torch.allclose(forward, reference, atol=1e-6)


def test_crmnet_schedules():
    rates = {}
    for recipe in ("as-released", "repaired"):
        settings = Training(**find_recipe("crmnet", recipe)["training"])
        rates[recipe] = [learning_rate(settings, step, 4) for step in range(200)]
    assert rates["as-released"][0] == pytest.approx(8e-4)
    assert rates["as-released"][40:] == pytest.approx([8e-3] * 160)
    assert rates["repaired"][39] == pytest.approx(8e-3)
    assert rates["repaired"][-1] < 1e-5


def test_legnet_targets():
    """Interior integers keep their mean; the ends lose what falls beyond the bins."""
    values = torch.tensor([0.0, 3.0, 4.37, 11.5, 17.0])
    found = autosome.bin_probabilities(values)
    edges = np.array([-np.inf, *range(1, 18), np.inf])
    expected = np.diff(norm.cdf(edges, loc=values.double().numpy()[:, None] + 0.5, scale=0.5), axis=1)
    assert found.numpy() == pytest.approx(expected, abs=1e-7)
    means = (found @ torch.arange(18.0)).tolist()
    assert [means[0], means[1], means[4]] == pytest.approx([0.16, 3.0, 16.84], abs=0.005)


def test_legnet_reads_plasmid_and_promoter_on_both_strands():
    model = small("legnet").eval()
    codes = torch.cat([store(INSERT), store(INSERT)])
    extended = (autosome.PLASMID + INSERT + FLANKS[1])[-64:]
    strands = [extended, text(reverse_complement(encode(extended)))]
    seen = reads(model.first.convolution[0], lambda: loss_of(model, codes, torch.tensor([8.0, 8.5])))
    for row, (strand, reverse, single) in enumerate(
        [(strands[0], 0, 1), (strands[1], 1, 1), (strands[0], 0, 0), (strands[1], 1, 0)]
    ):
        one_hot = torch.tensor([[letter == channel for letter in strand] for channel in "AGCT"]).float()
        assert torch.equal(seen[row, :4], one_hot)
        assert set(seen[row, 4].tolist()) == {reverse}
        assert set(seen[row, 5].tolist()) == {single}
    seen = reads(model.first.convolution[0], lambda: model(codes))
    assert not seen[:, 5].any()  # not a singleton at prediction
    repaired = small("legnet", **find_recipe("legnet", "repaired")["model"])
    n = extended.index("N")
    assert reads(repaired.first.convolution[0], lambda: repaired(codes))[0, :4, n].tolist() == [0.25] * 4
    elsewhere = small("legnet", flanks=("GGG", "")).eval()
    seen = reads(elsewhere.first.convolution[0], lambda: elsewhere(codes))[0, :4]
    assert not seen[:, : 64 - 3 - len(INSERT)].any()  # another library: no plasmid


def test_legnet_plasmid_is_the_published_one():
    if not (mirror := os.environ.get("PROFORMER_MIRROR")):
        pytest.skip("PROFORMER_MIRROR is not set")
    files = sorted(Path(mirror).glob("*/de-Boer-Lab/random-promoter-dream-challenge-2022/*/data/plasmid.json"))
    plasmid = json.loads(files[0].read_text()).upper()
    start = plasmid.index("N" * 80)
    assert plasmid[start - 150 : start] == autosome.PLASMID
    left, right = bhi.VECTOR
    assert plasmid[: start + 80 + 13 + len(right)].endswith("N" * 80 + FLANKS[1] + right)
    assert plasmid[:start].endswith(left + FLANKS[0])


def test_legnet_prediction_is_the_mean_over_strands():
    model = small("legnet").eval()
    codes = codes_of(4)
    chances = model.network(model.processor.rows(codes)).softmax(dim=1)
    expected = (chances @ torch.arange(18.0)).view(4, 2).mean(1)
    assert model(codes).flatten().tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    # The strand channel and the plasmid tell strands apart; without them the model cannot.
    assert not torch.allclose(model(codes), model(turned(codes)), atol=1e-5)
    alone = small("legnet", flanks=("", ""), window=34).eval()
    assert not torch.allclose(alone(codes), alone(turned(codes)), atol=1e-6)
    alone.first.convolution[0].weight.data[:, 4] = 0
    assert torch.allclose(alone(codes), alone(turned(codes)), atol=1e-6)


def test_legnet_objective():
    model = small("legnet").eval()
    codes, target = codes_of(4), torch.tensor([3.0, 8.2, 0.0, 16.9])
    loss = loss_of(model, codes, target)
    q = model.network(model.processor.rows(codes, torch.tensor([True, False, True, False]))).softmax(dim=1).double()
    p = autosome.bin_probabilities(target.double()).repeat_interleave(2, 0)
    expected = (torch.xlogy(p, p) - p * q.log()).sum() / 8
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss.prediction.shape == (4, 1, 1)
    assert loss_of(model, codes, target, scale="standardise", mean=(0.0,), sd=(1.0,)).total == loss.total
    for other in ({"scale": "standardise", "mean": (9.0,), "sd": (1.0,)}, {"scale": "log1p"}):
        with pytest.raises(InputError, match="set training: target_mean to 0"):
            loss_of(model, codes, target, **other)


def test_legnet_logits_have_a_floor():
    """SiLU is never below -0.2785, nor is its mean; the optimised model has no such floor."""
    codes = codes_of(20)
    floors = []
    for final in (True, False):
        model = small("legnet", final_activation=final).eval()
        model.final.mapper.bias.data.uniform_(-9, 9)
        floors.append(model.network(model.processor.rows(codes)).min().item())
    assert -0.2785 <= floors[0] < 0
    assert floors[1] < -1


def test_legnet_bilinear_branch():
    layer = autosome.Bilinear(8, 4)
    assert layer.rank == round(0.5 * 8 * 8 * 4 / 20)
    layer.weights.data.uniform_()
    layer.bias.data.uniform_()
    whole = torch.einsum("r,ir,jr,or->ijo", layer.weights, *layer.factors)
    x = torch.randn(3, 8) * 10
    expected = torch.einsum("bi,bj,ijo->bo", x, x, whole) + layer.bias
    assert torch.allclose(layer(x), expected, atol=1e-5)
    big = autosome.Bilinear(64, 32)
    assert big.rank == 410
    whole = torch.einsum("ir,jr,or->ijo", *big.factors)
    assert whole.std().item() == pytest.approx(0.00075, rel=0.2)


def test_legnet_initialisation():
    model = small("legnet", widths=[64, 64])
    inner = model.core.stages[0].block[3]
    assert inner.groups == 128
    assert inner.weight.std().item() == pytest.approx((2 / (7 * 256)) ** 0.5, rel=0.1)
    assert model.core.stages[0].block[6].gate[0].weight.std().item() == pytest.approx(0.001, rel=0.1)
    assert not model.final.mapper.bias.any()


def released_window(sequence, side, shift, window):
    """The released padding, with strings: shift by a nucleotide or two, then pad or cut."""
    left, right = bhi.VECTOR
    if shift < 0:
        sequence = left[shift:] + sequence[:shift]
    elif shift > 0:
        sequence = sequence[shift:] + right[:shift]
    missing = window - len(sequence)
    if missing <= 0:
        return sequence[:window]
    five = {"right": 0, "left": missing, "both": missing // 2}[side]
    three = missing - five
    return (left[-five:] if five else "").rjust(five, "N") + sequence + right[:three].ljust(three, "N")


@pytest.mark.parametrize("length", [1, 20, 33, 34])
@pytest.mark.parametrize("shift", [-2, 0, 1, 2])
def test_bhi_windows(length, shift):
    insert = (INSERT * 2)[:length]
    codes = store(insert)
    for window in (64, 63, 60, 110):
        model = small("bhi", window=window)
        for side, left in (("right", 0.0), ("left", 1.0), ("both", 0.5)):
            found = model.processor.windows(codes, torch.tensor([left]), shift)[0]
            expected = released_window(FLANKS[0] + insert + FLANKS[1], side, shift, window)
            assert text(found[:window]) == expected
            assert text(found[window:]) == text(reverse_complement(encode(expected)))


def test_bhi_sides_are_drawn_anew_in_their_proportions(monkeypatch):
    model, drawn = small("bhi"), []
    monkeypatch.setattr(model.processor, "windows", lambda codes, left: drawn.append(left))
    monkeypatch.setattr(model.processor, "channels", lambda windows: windows)
    monkeypatch.setattr(model, "network", lambda channels: torch.zeros(40_000))
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        loss_of(model, codes_of(20_000, 1), torch.zeros(20_000))
    assert torch.equal(drawn[0], drawn[1])  # a function of the step's seed
    assert not torch.equal(drawn[0], drawn[2])
    shares = [(drawn[0] == side).float().mean().item() for side in (0.0, 1.0, 0.5)]
    assert shares == pytest.approx([0.333, 0.223, 0.444], abs=0.015)


def test_bhi_averages_losses_in_training_and_outputs_at_prediction():
    model = small("bhi", padding=[0.0, 0.0, 1.0]).eval()
    codes, target = codes_of(4), torch.tensor([3.0, -8.2, 0.0, 0.1])
    loss = loss_of(model, codes, target, loss_name="huber")
    strands = model.network(model.processor.channels(model.processor.windows(codes))).view(2, 4).T
    expected = (F.huber_loss(strands[:, 0], target) + F.huber_loss(strands[:, 1], target)) / 2
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss.prediction.flatten().tolist() == pytest.approx(strands.mean(1).tolist(), abs=1e-6)
    model = small("bhi", shifts=2).eval()
    windows = [model.processor.windows(codes, shift=shift) for shift in (-2, -1, 0, 1, 2)]
    outputs = torch.cat([model.network(model.processor.channels(window)).view(2, 4) for window in windows])
    assert model(codes).flatten().tolist() == pytest.approx(outputs.mean(0).tolist(), abs=1e-6)


def test_bhi_is_the_same_on_both_strands():
    """Where nothing but the insert is read; the vector is not its own reverse complement."""
    codes = codes_of(6, top=6).clamp(max=4)
    codes[:, [0, -1]] = 2  # an N at an end is padding
    model = small("bhi", flanks=("", ""), window=34).eval()
    assert torch.allclose(model(codes), model(turned(codes)), atol=1e-6)
    assert not torch.allclose(small("bhi").eval()(codes), small("bhi").eval()(turned(codes)), atol=1e-6)
