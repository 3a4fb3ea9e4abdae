"""The peers of Vaishnav et al. 2022: sizes, strands, defects as told, and that they learn."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from proformer.datasets.batches import Batch, DeviceData, both_strands
from proformer.datasets.parts import split
from proformer.datasets.prepare import Layout, prepare
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.models import build, find, find_recipe
from proformer.models.dropout import dropout
from proformer.models.keras import ActivatedAttention, BiLSTM, glorot_normal, he_normal, max_pool_same
from proformer.predict import load
from proformer.tasks import Task
from proformer.training.config import read_job
from proformer.training.run import train
from proformer.training.validation import predict_all

L = 40
TINY = {
    "deepsea": {"filters": [8, 8, 8], "dense": [16, 8]},
    "danq": {"filters": 12, "kernel": 9, "units": 6, "dense": [16, 8]},
    "deepatt": {"filters": 16, "kernel": 10, "units": 8, "width": 16, "heads": 4},
    "vaishnav_convolutional": {"filters": 8, "kernel": 10, "dense": 16},
    "vaishnav_transformer": {"motifs": 12, "filters": 8, "kernel": 10, "heads": 4, "dense": 16, "convolutions": 1},
}
MODELS = list(TINY)


def tiny(model, **keys):
    torch.manual_seed(1)
    return build({"model": model, "length": L, "window": L + 6, **TINY[model], **keys})


def strands(batch=4, high=4, seed=0):
    return torch.randint(0, high, (batch, L), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def loss_of(built, codes, target):
    return built.loss(Batch(codes, target[:, None, None]), Task(scale="none"))


@pytest.mark.parametrize(
    ("model", "recipe", "keys", "size", "fixed"),
    [
        ("deepsea", "as-released", {}, 7_204_769, 0),
        ("deepsea", "original", {}, 37_785_051, 0),
        ("deepsea", "upstream", {"outputs": 919}, 61_723_119, 0),
        ("danq", "as-released", {}, 2_825_729, 0),
        ("danq", "original", {}, 5_228_411, 0),
        ("danq", "upstream", {"outputs": 919}, 46_926_479, 0),
        ("deepatt", "as-released", {}, 84_273, 0),
        ("deepatt", "original", {}, 156_745, 0),
        ("deepatt", "upstream", {"outputs": 919}, 7_808_057, 0),
        ("vaishnav_convolutional", "as-released", {}, 17_168_641, 0),
        ("vaishnav_convolutional", "as-released", {"deep": "pointwise"}, 17_168_641 - 9_502_720, 0),
        ("vaishnav_convolutional", "repaired", {}, 17_168_641, 0),
        ("vaishnav_transformer", "as-released", {}, 3_369_937, 1_792),
        ("vaishnav_transformer", "app", {}, 1_295_505, 1_280),
    ],
)
def test_parameter_counts(model, recipe, keys, size, fixed):
    with torch.device("meta"):
        built = build({"model": model} | find_recipe(model, recipe)["model"] | keys)
    assert sum(p.numel() for p in built.parameters()) == size
    assert sum(b.numel() for name, b in built.named_buffers() if "running" in name) == fixed


@pytest.mark.parametrize("model", MODELS)
def test_recipes_are_valid_and_the_released_one_comes_first(model):
    names = list(find(model).RECIPES)
    assert names[:2] == ["as-released", "repaired"]
    for name in names:
        read_job({"model": model, "recipe": name})
    assert find_recipe(model)["model"].get("unknown", 1) == 1
    released = find_recipe(model)["training"]
    scaler = (0, 1) if model == "vaishnav_convolutional" else (9.359, 13.720)  # mean, variance
    assert (released["target_mean"], released["target_sd"] ** 2) == pytest.approx(scaler, rel=1e-3)
    assert find_recipe(model, "repaired")["model"]["unknown"] == 0.25


@pytest.mark.parametrize("model", MODELS)
def test_outputs_of_one_many_and_unknown_sequences(model):
    built = tiny(model, flanks=["ACG", "TT"]).eval()
    codes = torch.cat([strands(), strands(2, high=5, seed=1), torch.full((1, L), 4, dtype=torch.uint8)])
    together = built(codes)
    assert together.shape == (7, 1, 1)
    assert torch.isfinite(together).all()
    assert torch.allclose(built(codes[:1]), together[:1], atol=1e-5)
    loss = loss_of(built.train(), codes[:1], together[:1].detach().flatten() + 1)
    assert 0 < loss.total < math.inf
    with pytest.raises(ValueError, match=f"codes have {L - 2} positions, this model reads {L}"):
        built(codes[:, 2:])


@pytest.mark.parametrize("model", MODELS)
def test_bf16_and_gradients_of_every_parameter(model):
    built, codes, target = tiny(model), strands(16), torch.randn(16)
    losses = []
    for on in (False, True):
        built.zero_grad()
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            losses.append(loss_of(built, codes, target).total)
        losses[-1].backward()
        assert all(torch.isfinite(p.grad).all() for p in built.parameters())
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.1)


@pytest.mark.parametrize("model", MODELS)
def test_dropout_in_training_alone(model):
    built, codes = tiny(model), strands()
    torch.manual_seed(0)
    assert not torch.equal(built(codes), built(codes))
    built.eval()
    assert torch.equal(built(codes), built(codes))


@pytest.mark.parametrize("model", MODELS)
def test_unknown_nucleotides_as_released_and_repaired(model):
    """N is all four channels at once, or a quarter of each; M is none."""
    codes = torch.tensor([[0, 1, 2, 3, 4, 5]], dtype=torch.uint8)
    for unknown in (1.0, 0.25):
        found = tiny(model, unknown=unknown).window.encode(codes)[0].T
        assert found.tolist() == [*torch.eye(4).tolist(), [unknown] * 4, [0.0] * 4]


@pytest.mark.parametrize("model", MODELS)
def test_reads_the_last_nucleotides_of_the_construct(model):
    """The same window from an insert between flanks and from whole constructs."""
    built = tiny(model, flanks=["CATC", "GGTT"], window=L).eval()
    whole = tiny(model, window=L).eval()
    inserts = strands()
    before, after = (torch.tensor(part, dtype=torch.uint8).expand(4, -1) for part in ([1, 0, 3, 1], [2, 2, 3, 3]))
    constructs = torch.cat([before, inserts, after], dim=1)[:, -L:]
    assert torch.allclose(built(inserts), whole(constructs), atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_not_one_is_strand_symmetric(model):
    built = tiny(model, window=L).eval()
    forward, reverse = both_strands(strands(8)).chunk(2, dim=1)
    assert (built(forward) - built(reverse)).abs().max() > 1e-3


def test_convolutional_branches_change_places_with_the_strands():
    built, turned = (tiny("vaishnav_convolutional", window=L).eval() for _ in range(2))
    with torch.no_grad():
        for a, b in zip(turned.forward_branch.parameters(), built.reverse_branch.parameters(), strict=True):
            a.copy_(b)
        for a, b in zip(turned.reverse_branch.parameters(), built.forward_branch.parameters(), strict=True):
            a.copy_(b)
        turned.joined[0].weight.copy_(built.joined[0].weight.roll(8, dims=1))
    forward, reverse = both_strands(strands()).chunk(2, dim=1)
    assert torch.allclose(built(forward), turned(reverse), atol=1e-5)


@pytest.mark.parametrize("kernel", [9, 10])
def test_transformer_motifs_are_read_both_ways(kernel):
    """The reverse map of a sequence is the forward map of its complement, mirrored (an even width shifts it by one)."""
    built = tiny("vaishnav_transformer", window=L, kernel=kernel).eval()
    codes = both_strands(strands())
    forward, reverse = (built.motifs(built.window.encode(part)).chunk(2, dim=1) for part in codes.chunk(2, dim=1))
    shift = 1 - kernel % 2
    assert torch.allclose(forward[1][:, :, : L - shift], reverse[0].flip(2)[:, :, shift:], atol=1e-5)
    assert not torch.allclose(forward[1], forward[0], atol=1e-2)


def test_dead_taps_change_neither_outputs_nor_gradients():
    """Against the released convolutions, literally: 30×1 over an axis of length 1 with SAME padding."""
    layer = find("vaishnav_convolutional").Deep(5, find("vaishnav_convolutional").Config(filters=6)).double()
    results = []
    for literal in (False, True):
        x = torch.randn(3, 5, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
        layer.zero_grad()
        if literal:
            y = F.conv2d(F.pad(x[:, :, None], (0, 0, 14, 15)), layer.weight[..., None], layer.bias).squeeze(2)
        else:
            y = layer(x)
        y.square().sum().backward()
        results.append((y, x.grad, layer.weight.grad.clone(), layer.bias.grad.clone()))
    for ours, released in zip(*results, strict=True):
        assert torch.allclose(ours, released, atol=1e-12)
    alive = results[1][2].abs().amax(dim=(0, 1)).nonzero().flatten().tolist()
    assert alive == [14]


def test_convolutional_starts_as_released_and_the_repair_keeps_the_scale():
    for deep, expected in (("dead", 0.08796), ("pointwise", 0.08796), ("sequence", math.sqrt(2 / (64 * 10)))):
        built = tiny("vaishnav_convolutional", deep=deep, filters=64)
        assert built.joined[2].weight.std().item() == pytest.approx(expected, rel=0.05)
        assert built.dense[0][0].weight.std().item() == pytest.approx(0.08796, rel=0.02)
        assert built.joined[2].bias.unique().tolist() == pytest.approx([0.1])


def test_dead_weights_are_penalised_all_the_same():
    built = tiny("vaishnav_convolutional")
    weights = [p for p in built.parameters() if p.dim() > 1]
    assert len(weights) == 9
    assert built.penalty().item() == pytest.approx(1e-4 * sum(w.abs().mean().item() for w in weights), rel=1e-5)
    loss = loss_of(built, strands(), torch.randn(4))
    assert loss.total.item() == pytest.approx(loss.parts["task"].item() + built.penalty().item(), rel=1e-6)


def test_transformer_penalty_leaves_recurrent_weights_out():
    built = tiny("vaishnav_transformer")
    kernels = {n: p for n, p in built.named_parameters() if p.dim() > 1 and n not in ("lstm.recurrent", "lstm.bias")}
    assert built.penalty().item() == pytest.approx(
        1e-4 * sum(p.square().sum().item() for p in kernels.values()), rel=1e-5
    )
    assert "lstm.kernel" in kernels
    assert sum("attention" in name for name in kernels) == 2 * 4


def test_deepsea_limits_norms_and_penalises_activity():
    built = tiny("deepsea").eval()
    with torch.no_grad():
        built.convolutions[0].weight.mul_(50)
    codes, target = strands(), torch.randn(4)
    before = built.convolutions[0].weight.clone()
    built(codes)
    assert torch.equal(built.convolutions[0].weight, before)  # a forward pass changes nothing
    built.after_step()
    norms = built.convolutions[0].weight.norm(dim=2)  # over the width, Keras' first axis
    assert norms.max().item() == pytest.approx(0.9, rel=1e-5)
    assert built.convolutions[1].weight.norm(dim=2).max() < 0.8
    loss = loss_of(built, codes, target)
    activity = built.features(codes).abs().sum(1).mean()
    expected = F.mse_loss(loss.prediction.flatten(), target).item() + 1e-8 * activity.item()
    assert loss.parts["task"].item() == pytest.approx(expected, rel=1e-6)
    assert loss.total.item() == pytest.approx(expected + built.penalty().item(), rel=1e-6)
    loss.total.backward()
    assert built.convolutions[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("model", ["deepsea", "danq", "deepatt"])
def test_labels_of_upstream_are_logits(model):
    keys = {"attention": "category", "gates": "logistic"} if model == "deepatt" else {}
    built = tiny(model, outputs=7, **keys).eval()
    labels = built(strands())
    assert labels.shape == (4, 7, 1)
    assert (labels < 0).any()
    task = Task("binary", names=tuple("abcdefg"))
    loss = built.loss(Batch(strands(), torch.ones(4, 7, 1)), task)
    assert loss.parts["task"].item() >= -labels.sigmoid().log().mean().item() * (1 - 1e-5)
    with pytest.raises(InputError, match=r"the model gives \[4, 7, 1\] numbers for targets of \[4, 1, 1\]"):
        loss_of(built, strands(), torch.zeros(4))


def test_lstm_against_its_equations():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    for gates, sigma in (
        ("hard", lambda v: np.clip(0.2 * v + 0.5, 0, 1)),
        ("logistic", lambda v: 1 / (1 + np.exp(-v))),
    ):
        layer = BiLSTM(3, 4, gates).double()
        kernel, recurrent, bias = (p.detach().numpy() for p in (layer.kernel, layer.recurrent, layer.bias))
        expected = np.zeros((2, 5, 8))
        for direction, times in enumerate((range(5), reversed(range(5)))):
            h = c = np.zeros((2, 4))
            for t in times:
                z = x[:, t].numpy() @ kernel[direction].T + h @ recurrent[direction].T + bias[direction]
                i, f, g, o = np.split(z, 4, axis=1)
                c = sigma(f) * c + sigma(i) * np.tanh(g)
                h = sigma(o) * np.tanh(c)
                expected[:, t, 4 * direction : 4 * direction + 4] = h
        assert layer(x).detach().numpy() == pytest.approx(expected, abs=1e-12)
        assert layer._steps(x).detach().numpy() == pytest.approx(expected, abs=1e-12)


def test_lstm_starts_as_in_keras():
    layer = BiLSTM(30, 20, "hard", he_normal)
    assert layer.bias.sum() == 2 * 20
    assert layer.bias[:, 20:40].min() == 1
    assert torch.allclose(layer.recurrent[0].T @ layer.recurrent[0], torch.eye(20), atol=1e-5)


def test_lstm_input_dropout_is_one_mask_for_all_times():
    """Without recurrence, cell states of a constant input grow by the same factor at every step."""
    layer = BiLSTM(3, 4, "hard", dropout=0.5).double()
    layer.recurrent.data.zero_()
    x = torch.randn(2, 1, 3, dtype=torch.float64).expand(-1, 6, -1)
    torch.manual_seed(0)
    dropped = layer(x)
    assert not torch.allclose(dropped, layer.eval()(x))
    # A mask for these time steps is a mask for their mirror image: the directions differ by their own masks alone.
    layer.train()
    layer.kernel.data[1] = layer.kernel.data[0]
    torch.manual_seed(0)
    masks = dropout(torch.ones(2, 2, 4, 1, 3, dtype=torch.float64), 0.5)[:, :, :, 0].permute(1, 2, 0, 3)
    z = torch.einsum("dgbi,bi,gui->dbgu", masks, x[:, 0], layer.kernel[0].view(4, 4, 3)) + layer.bias[0].view(4, 4)
    i, f, g, o = z.unbind(2)
    c, states = torch.zeros_like(i), []
    for _ in range(6):
        c = (0.2 * f + 0.5).clamp(0, 1) * c + (0.2 * i + 0.5).clamp(0, 1) * g.tanh()
        states.append((0.2 * o + 0.5).clamp(0, 1) * c.tanh())
    forward, backward = torch.stack(states, dim=2)
    torch.manual_seed(0)
    assert torch.allclose(layer(x), torch.cat([forward, backward.flip(1)], dim=2), atol=1e-12)


def test_attention_against_loops():
    torch.manual_seed(0)
    layer, x = ActivatedAttention(6, 6, 4, 2).double(), torch.randn(2, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        for dense in (layer.query, layer.key, layer.value, layer.output):
            dense.bias.normal_()
    found = layer(x, x)
    for b in range(2):
        q, k, v = ((x[b] @ d.weight.T + d.bias).clamp(min=0) for d in (layer.query, layer.key, layer.value))
        heads = []
        for part in (slice(0, 2), slice(2, 4)):
            heads.append((q[:, part] @ k[:, part].T / math.sqrt(2)).softmax(1) @ v[:, part])
        expected = (torch.cat(heads, 1) @ layer.output.weight.T + layer.output.bias).clamp(min=0)
        assert torch.allclose(found[b], expected, atol=1e-12)


@pytest.mark.parametrize(("width", "size"), [(110, 3), (250, 4), (7, 7), (8, 5), (6, 1)])
def test_pooling_pads_as_tensorflow_does(width, size):
    x = torch.randn(2, 3, width, generator=torch.Generator().manual_seed(width))
    steps = -(-width // size)
    before = max(steps * size - width, 0) // 2
    expected = [x[:, :, max(s * size - before, 0) : s * size - before + size].amax(2) for s in range(steps)]
    assert torch.equal(max_pool_same(x, size), torch.stack(expected, dim=2))


def test_normal_initialisers_have_the_variance_and_the_ends_of_keras():
    weight = torch.empty(400, 50, 8)
    torch.manual_seed(0)
    for initialise, variance in ((he_normal, 2 / 400), (glorot_normal, 2 / (400 + 3200))):
        initialise(weight)
        assert weight.var().item() == pytest.approx(variance, rel=0.02)
        assert weight.abs().max().item() == pytest.approx(2 * math.sqrt(variance) / 0.8796, rel=0.01)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": "deepsea", "pools": [3]}, "as many numbers each"),
        ({"model": "deepsea", "filters": [8, 0, 8]}, r"filters is \[8, 0, 8\], expected a list of whole numbers"),
        ({"model": "danq", "dropout": 1.0}, "dropout is 1.0, expected a number of at least 0 and below 1"),
        ({"model": "danq", "window": 27}, "window is 27, too short for kernel 26 and pool 3"),
        ({"model": "deepatt", "heads": 5}, "width is 32, not a multiple of 5 heads"),
        ({"model": "vaishnav_transformer", "filters": 30}, "filters is 30, not a multiple of 8 heads"),
        ({"model": "vaishnav_convolutional", "unknown": "N"}, "unknown is 'N', expected a number of at least 0"),
    ],
)
def test_impossible_configs(keys, message):
    with pytest.raises(InputError, match=message):
        build(keys)


@pytest.fixture(scope="module")
def motif_file(tmp_path_factory):
    """Constructs of 37 to 40 nt between flanks; half of them hold TGACTCA near either end, which adds 3."""
    random, rows = np.random.default_rng(0), []
    for row in range(480):
        insert = "".join(random.choice(list("ACGT"), random.integers(37, L + 1)))
        if row % 2:
            for start in (6 + random.integers(2), 26 + random.integers(2)):
                insert = insert[:start] + "TGACTCA" + insert[start + 7 :]
        rows.append(f"CAT{insert}GGT\t{10 + 3 * (row % 2) + random.normal(0, 0.1)}\n")
    path = tmp_path_factory.mktemp("motif") / "all.txt"
    path.write_text("".join(rows))
    return path


@pytest.fixture(scope="module")
def motif_stores(motif_file):
    folder = motif_file.parent
    prepare(motif_file, folder / "all.safetensors", Layout(length=L, flanks=("CAT", "GGT")))
    parts = (folder / "train.safetensors", folder / "validation.safetensors")
    split(folder / "all.safetensors", parts, (0.8, 0.2), seed=1)
    return parts


LEARNS = {
    "deepsea": ("repaired", {}, {"epochs": 8, "learning_rate": 0.005}),
    "danq": ("repaired", {}, {"epochs": 12, "learning_rate": 0.003, "schedule": "cosine"}),
    "deepatt": ("repaired", {}, {"epochs": 12, "learning_rate": 0.005}),
    "vaishnav_convolutional": ("repaired", {}, {"epochs": 6, "learning_rate": 0.003}),
    "vaishnav_transformer": ("repaired", {}, {"epochs": 10, "learning_rate": 0.005, "schedule": "cosine"}),
    # The released initialisation (sd 0.1 whatever the width) needs width to let anything through.
    "vaishnav_convolutional, dead": (
        "as-released",
        {"filters": 96, "dense": 64},
        {"epochs": 12, "learning_rate": 0.002},
    ),
}


def learn(name, parts, out, **more):
    """The r of every epoch on the validation part."""
    (recipe, keys, training), model = LEARNS[name], name.split(",")[0]
    config = {
        "model": {"model": model, "window": L + 6, **TINY[model], **keys},
        "recipe": recipe,
        "training": {"batch_size": 16, "keep": "best", **training, **more},
    }
    train(config, *parts, out, out / "checkpoint.pt", device="cpu", threads=1)
    return pd.read_csv(out / "metrics.tsv", sep="\t")["validation_r"]


@pytest.mark.learns
@pytest.mark.parametrize("name", LEARNS)
def test_without_steps_no_motif_is_learned(name, motif_stores, tmp_path, seed, reaches):
    still = {"epochs": 1, "warmup_epochs": 0, "learning_rate": 1e-30}
    reaches(f"{name}, r negated", -learn(name, motif_stores, tmp_path, seed=seed, **still)[0], -0.7)


@pytest.mark.learns
@pytest.mark.parametrize("name", LEARNS)
def test_learns_a_planted_motif_and_comes_back_from_its_folder(name, motif_stores, motif_file, tmp_path, seed, reaches):
    best = learn(name, motif_stores, tmp_path, seed=seed).max()
    reaches(f"{name}, r", best, 0.7)
    trained = load(tmp_path)
    assert trained.description["model"]["flanks"] == ["CAT", "GGT"]
    assert trained.predict_file(motif_file, tmp_path / "predictions.tsv", 100) == 480
    predictions = pd.read_csv(tmp_path / "predictions.tsv", sep="\t")["prediction"]
    truth = pd.read_csv(motif_file, sep="\t", header=None)[1]
    reaches(f"{name}, r of all rows", np.corrcoef(predictions, truth)[0, 1], 0.7)
    assert predictions.mean() == pytest.approx(truth.mean(), rel=0.5)  # in the units of the file, not around 0
    validation = DeviceData(open_store(motif_stores[1]), torch.device("cpu"), trained.task)
    r = np.corrcoef(predict_all(trained.model, validation).ravel(), validation.target.numpy().ravel())[0, 1]
    assert r == pytest.approx(best, abs=1e-6)
