"""Proformer against its description: sizes, outputs, initialisation, original weights, exact rewrites."""

import math

import numpy as np
import pytest
import torch
from keras_reference import forward, random_arrays

from proformer.datasets.batches import both_strands
from proformer.errors import InputError
from proformer.models import build, resolve, rewrites
from proformer.models.folder import read_folder, write_folder
from proformer.models.layers import FeedForward, SeparableConv
from proformer.models.original import load_original

SIZES = {
    (64, 2): {1: 105_415, 2: 193_415, 4: 369_415, 8: 721_415},
    (128, 4): {1: 514_695, 2: 994_567, 4: 1_954_311, 8: 3_873_799},
    (256, 8): {1: 3_031_303, 2: 5_992_967, 4: 11_916_295, 8: 23_762_951},
    (512, 8): {1: 11_960_839, 4: 47_425_543},
}
REWRITES = ("merge_projections", "read_rows_only", "convolve_in_place", "fuse_feed_forward")
SMALL = {"length": 13, "kmer": 5, "dim": 12, "heads": 3, "blocks": 2, "expression_heads": 4}


def count(model):
    return sum(p.numel() for p in model.parameters())


def codes_of(length, batch=3, seed=0):
    return torch.randint(0, 6, (batch, 2 * length), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("dim", "heads", "blocks", "size"), [(*w, b, n) for w, sizes in SIZES.items() for b, n in sizes.items()]
)
def test_parameter_counts_of_the_original(dim, heads, blocks, size):
    with torch.device("meta"):
        model = build({"model": "proformer", "dim": dim, "heads": heads, "blocks": blocks, "expression_heads": 32})
    assert count(model) == size


def test_heads_add_what_they_should():
    d = 12
    sizes = {head: count(build({**SMALL, "head": head})) for head in ("ap", "meh", "glu")}
    assert sizes["meh"] - sizes["ap"] == 2 * d + 6 * d + 6  # the tokens' dense layer of a zero, and the nucleotides
    assert sizes["glu"] - sizes["meh"] == d * 2 * d + 2 * d
    assert count(build({**SMALL, "expression_start": "learned"})) - sizes["meh"] == (4 - 2) * d


@pytest.mark.parametrize("head", ["ap", "meh", "glu"])
def test_outputs(head):
    model, codes = build({**SMALL, "head": head}), codes_of(13, batch=5)
    expression, logits = model.both(codes)
    assert expression.shape == (5,)
    assert logits is None if head == "ap" else logits.shape == (5, 26, 6)
    forward = codes[:, :13].clamp(max=4)
    assert model(forward).shape == (5, 1, 1)
    assert torch.allclose(model(forward).flatten(), model.both(both_strands(forward))[0], atol=1e-5)


@pytest.mark.parametrize("head", ["ap", "meh", "glu"])
@pytest.mark.parametrize(("length", "kmer", "tokens"), [(13, 5, 4), (20, 10, 1), (9, 1, 20)])
def test_original_weights_give_the_original_outputs(head, length, kmer, tokens):
    config = {**SMALL, "length": length, "kmer": kmer, "expression_heads": tokens, "head": head}
    arrays = random_arrays(length, kmer, 12, 3, 2, head)
    codes = codes_of(length)
    expected = [forward(row, arrays, kmer, 2, head, tokens) for row in codes.numpy()]
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        for on in (True, False):
            model = build(config | dict.fromkeys(REWRITES, on)).to(dtype)
            expression, logits = load_original(model, arrays).both(codes)
            assert expression.detach().numpy() == pytest.approx([e for e, _ in expected], abs=tolerance, rel=tolerance)
            if head != "ap":
                reference = np.stack([logit for _, logit in expected])
                assert logits.detach().numpy() == pytest.approx(reference, abs=tolerance, rel=tolerance)


def test_original_weights_are_checked_by_name_and_shape():
    model, arrays = build(SMALL), random_arrays(13, 5, 12, 3, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for change, message in (
        (lambda a: a.pop("blocks.1.attn.key.kernel"), r"'blocks\.1\.attn\.key\.kernel' is missing"),
        (lambda a: a.update({"blocks.2.ln.gamma": np.ones(12)}), r"'blocks\.2\.ln\.gamma' has no place"),
        (lambda a: a.update({"kmer_dense.kernel": np.ones((12, 30))}), r"kmer_dense\.kernel has shape \(12, 30\)"),
    ):
        wrong = dict(arrays)
        change(wrong)
        with pytest.raises(InputError, match=message):
            load_original(model, wrong)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_import_weights_from_a_file(tmp_path, proformer):
    arrays = random_arrays(13, 5, 12, 3, 2)
    np.savez(tmp_path / "original.npz", **arrays)
    config = "{length: 13, kmer: 5, dim: 12, heads: 3, blocks: 2, expression_heads: 4}"
    done = proformer(
        "import-weights", "--weights", tmp_path / "original.npz", "--config", config, "--out", tmp_path / "model"
    )
    assert done.returncode == 0, done.stderr
    codes = codes_of(13)
    expression = read_folder(tmp_path / "model").model.both(codes)[0]
    expected = [forward(row, arrays, 5, 2, tokens=4)[0] for row in codes.numpy()]
    assert expression.detach().numpy() == pytest.approx(expected, abs=1e-5, rel=1e-5)
    (tmp_path / "original.npz").write_bytes(b"not arrays")
    done = proformer("import-weights", "--weights", tmp_path / "original.npz", "--out", tmp_path / "other")
    assert (done.returncode, (tmp_path / "other").exists()) == (2, False)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("head", ["ap", "meh", "glu"])
def test_rewrites_are_exact_in_outputs_and_gradients(head, seed, dtype, tolerance, monkeypatch):
    monkeypatch.setattr(rewrites, "_ROWS", 13 if seed % 2 else 1024)  # more than one part
    monkeypatch.setattr(rewrites, "_SCORES", 1 if seed % 2 else 1 << 18)
    random = np.random.default_rng(seed)
    config = {
        "length": int(random.integers(5, 30)), "kmer": int(random.integers(1, 12)), "dim": int(random.integers(2, 24)),
        "heads": int(random.integers(1, 5)), "blocks": int(random.integers(1, 4)), "head": head,
        "expression_heads": int(random.integers(1, 9)),
    }  # fmt: skip
    codes = codes_of(config["length"], batch=4, seed=seed)
    positions = torch.from_numpy(random.integers(0, 2 * config["length"], (4, int(random.integers(1, 9)))))

    def same(a, b, scale=1.0):
        return (a - b).abs().max().item() <= tolerance * max(scale, a.abs().max().item())

    results = []
    for on in (False, True):
        keys = dict.fromkeys(REWRITES, on)
        torch.manual_seed(seed)
        model = build(config | keys).to(dtype)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn(p.shape, dtype=torch.float64).to(dtype))  # biases too
        expression, logits = model.both(codes, positions)
        (expression.square().sum() + (0 if logits is None else logits.square().sum())).backward()
        gradients = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()}
        results.append((expression, logits, gradients))
        assert same(expression, model.both(codes)[0])
        assert same(expression, model.both(codes, positions[:, :0])[0])
    (a, la, ga), (b, lb, gb) = results
    assert same(a, b)
    assert la is None or same(la, lb)
    largest = max(gradient.abs().max().item() for gradient in ga.values())
    for name, gradient in ga.items():
        assert same(gradient, gb[name], largest), name


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_parts_with_their_own_gradients_are_exact_beside_their_twins(rows, monkeypatch):
    monkeypatch.setattr(rewrites, "_ROWS", rows)
    monkeypatch.setattr(rewrites, "_SCORES", 30 * rows)
    monkeypatch.setattr(rewrites, "_SUMS", 90 * rows)
    torch.manual_seed(rows)
    straight, fused = FeedForward(6, 0.0).double(), rewrites.FusedFeedForward(6, 0.0).double()
    torch.nn.init.normal_(straight.ln.weight)
    fused.load_state_dict(straight.state_dict())
    queries, x = torch.randn(4, 10, 6, dtype=torch.float64), torch.randn(4, 7, 6, dtype=torch.float64)
    conv, in_rows = SeparableConv(6, 0.0).double(), rewrites.RowsConv(6, 0.0).double()
    in_rows.load_state_dict(conv.state_dict())
    for a, b, operands in (
        (conv, in_rows, (x,)),
        (conv, in_rows, (x.transpose(0, 1),)),
        (straight, fused, (x,)),
        (straight, fused, (x.transpose(0, 1),)),
        (lambda q, v: (q @ v.transpose(1, 2)).softmax(2) @ v, rewrites.attend, (queries, x)),
    ):
        results = []
        for function in (a, b):
            owner = function if isinstance(function, torch.nn.Module) else torch.nn.Identity()
            owner.zero_grad()
            leaves = [operand.clone().requires_grad_() for operand in operands]
            out = function(*leaves)
            (out * torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view(out.shape)).sum().backward()
            with torch.inference_mode():
                assert torch.allclose(function(*operands), out, rtol=1e-12, atol=1e-12)
            results.append([out, *(t.grad for t in (*leaves, *owner.parameters()))])
        for one, other in zip(*results, strict=True):
            assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)


def test_the_straight_path_has_second_derivatives_and_rewrites_say_that_they_have_none():
    for on in (False, True):
        block = build(SMALL | dict.fromkeys(REWRITES, on)).double().core[0]
        x = torch.randn(2, 7, 12, dtype=torch.float64, requires_grad=True)
        (first,) = torch.autograd.grad(block(x).square().sum(), x, create_graph=True)
        if on:
            with pytest.raises(RuntimeError, match="differentiable"):
                first.sum().backward()
        else:
            first.sum().backward()
            assert x.grad.abs().max() > 0


def test_dead_parameters_are_where_the_original_has_them():
    """The expression dense kernel reads a zero; what a key bias adds cancels in the softmax."""
    model = build({**SMALL, "merge_projections": False}).double()
    expression, logits = model.both(codes_of(13))
    (expression.sum() + logits.square().sum()).backward()
    dead = {n for n, p in model.named_parameters() if p.grad.abs().max() < 1e-12}
    expected = {"stem.expression_embedding.weight"} | {f"core.{i}.attn.key.bias" for i in range(2)}
    assert dead == expected


def test_initialisation_is_that_of_keras():
    model = build({"dim": 512, "heads": 8, "blocks": 1})
    attention = model.core[0].attn
    for module, limit in ((attention.query, 0.00475), (attention.output, math.sqrt(6 / 8192))):
        assert module.weight.abs().max().item() == pytest.approx(limit, rel=2e-3)
        assert not module.bias.any()
    assert model.core[0].ff1.dense1.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (5 * 512)), rel=1e-3)
    assert model.core[0].conv.depthwise.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (15 * 513)), rel=1e-2)


def test_expression_tokens_start_equal_unless_learned():
    for start, distinct in (("shared", 1), ("learned", 4)):
        rows = build({**SMALL, "expression_start": start}).stem(codes_of(13))[0, :4]
        assert len(torch.unique(rows, dim=0)) == distinct


def test_wrong_length_of_codes():
    with pytest.raises(ValueError, match="codes have 20 positions, this model reads 26"):
        build(SMALL)(codes_of(10)[:, :10])


def test_model_folder_round_trip(tmp_path):
    model = build({**SMALL, "merge_projections": False})
    write_folder(tmp_path, model.state_dict(), {"model": resolve(SMALL), "task": {}})
    codes = codes_of(13)
    assert torch.allclose(read_folder(tmp_path).model.both(codes)[0], model.both(codes)[0], atol=1e-6)


def test_damaged_model_folders(tmp_path):
    with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
        read_folder(tmp_path)
    write_folder(tmp_path, build(SMALL).state_dict(), {"model": {**SMALL, "blocks": 3}, "task": {}})
    with pytest.raises(InputError, match=r"does not belong to model\.json"):
        read_folder(tmp_path)
    write_folder(tmp_path, build(SMALL).state_dict(), {"model": SMALL, "task": {}})
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-10])
    with pytest.raises(InputError, match="damaged"):
        read_folder(tmp_path)


def test_the_model_of_the_readme_is_one_file(root, tmp_path, monkeypatch, stores):
    """The README's example, copied from the page, trains and predicts."""
    import re

    import proformer.models
    from proformer.training.run import train

    code = re.search(r"```python\n# src/proformer/models/tiny.py\n(.*?)```", (root / "README.md").read_text(), re.S)[1]
    (tmp_path / "tiny.py").write_text(code)
    monkeypatch.setattr(proformer.models, "__path__", [*proformer.models.__path__, str(tmp_path)])
    config = {"model": {"model": "tiny", "channels": 8}, "training": {"epochs": 2, "batch_size": 32}}
    train(config, *stores, tmp_path / "out", tmp_path / "checkpoint.pt", device="cpu", threads=1)
    assert count(read_folder(tmp_path / "out").model) == 5 * 8 * 9 + 8 + 8 + 1
