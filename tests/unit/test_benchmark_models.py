"""Models of the benchmarks on other data: sizes, published weights, strands, and the frozen model of the bias."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from proformer.datasets.batches import Batch, DeviceData, reverse_complement
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.evaluation.metrics import METRICS
from proformer.models import build, find_recipe
from proformer.models.folder import write_folder
from proformer.models.keras import load_layers
from proformer.predict import load
from proformer.sequences import encode
from proformer.tasks import Task
from proformer.training.config import read_job
from proformer.training.run import train

TINY_BIAS = {"filters": 4, "layers": 2}
TINY = {
    "model": "chrombpnet",
    "length": 60,
    "target": 20,
    "kernel": 5,
    "profile_kernel": 9,
    "filters": 6,
    "layers": 2,
}
ADAPTERS = ["AGGACCGGATCAACT", "CATTGCGTGAACCGA"]
PROGRAMMES = ["Dev_log2_enrichment", "Hk_log2_enrichment"]


def codes_of(length, number=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 4, (number, length), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(
    ("model", "recipe", "keys", "trained", "frozen"),
    [
        ("deepstarr", "as-released", {}, 622_722, 0),
        ("mprann", "script", {}, 3_957_751, 0),
        ("mpra_legnet", "as-released", {}, 1_322_465, 0),
        ("mpra_legnet", "example", {}, 857_825, 0),
        ("composed", "dream-cnn", {"length": 200, "flanks": ADAPTERS}, 1_945_857, 0),
        ("composed", "dream-rnn", {"length": 200, "flanks": ADAPTERS}, 4_203_393, 0),
        ("composed", "dream-attn", {"length": 200, "flanks": ADAPTERS}, 4_619_521, 0),
        ("composed", "dream-cnn", {"length": 249, "tasks": 2}, 1_962_754, 0),
        ("composed", "dream-rnn", {"length": 249, "tasks": 2}, 4_285_826, 0),
        ("composed", "dream-attn", {"length": 249, "tasks": 2}, 4_690_434, 0),
        ("chrombpnet", "bias", {}, 217_730, 0),
        ("chrombpnet", "without-bias", {}, 6_377_986, 0),
        ("chrombpnet", "as-released", {}, 6_377_986, 217_730),
        ("chrombpnet", "dream-cnn", {}, 1_929_986, 217_730),
        ("chrombpnet", "dream-rnn", {}, 4_138_882 + 2 * 4 * 320, 217_730),  # torch's LSTM: two bias vectors a gate
    ],
)
def test_parameter_counts(model, recipe, keys, trained, frozen):
    with torch.device("meta"):
        built = build({"model": model} | find_recipe(model, recipe)["model"] | keys)
    counts = [p.numel() for p in built.parameters() if p.requires_grad]
    assert (sum(counts), sum(p.numel() for p in built.parameters()) - sum(counts)) == (trained, frozen)
    read_job({"model": {"model": model, **keys}, "recipe": recipe})


def test_attention_on_long_windows_is_refused_with_the_reason():
    with pytest.raises(InputError, match=r"2114 positions; core block unlock_dna expects at most 1024 .* 2,114"):
        build({"model": "chrombpnet"} | find_recipe("chrombpnet", "dream-attn")["model"])


def test_deepstarr_of_the_authors_scores_as_published(tmp_path, proformer, mirrored):
    weights = mirrored("*/evanseitz/squid-manuscript/*/examples/examples_DeepSTARR/*/deepstarr.model.h5")
    file = mirrored("*/de-Boer-Lab/*/*/benchmarks/drosophila/data/sample_test.txt")
    done = proformer("import-weights", "--model", "deepstarr", "--weights", weights, "--out", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    done = proformer("predict", "--model", tmp_path / "model", "--sequences", file, "--out", tmp_path / "p.tsv")
    assert done.returncode == 0, done.stderr
    predicted, measured = pd.read_csv(tmp_path / "p.tsv", sep="\t"), pd.read_csv(file, sep="\t")
    assert list(predicted) == ["name", "sequence", *PROGRAMMES]
    r = [np.corrcoef(predicted[task], measured[task])[0, 1] for task in PROGRAMMES]
    assert r == pytest.approx([0.715, 0.739], abs=0.0006)


def test_deepatt_of_the_authors_predicts_what_they_published(tmp_path, proformer, mirrored):
    weights = mirrored("*/1edv/evolution/*/manuscript_code/model/benchmarking_models/DeepAtt_model.h5")
    table = pd.read_csv(mirrored("*/1edv/evolution/*/manuscript_code/model/results_summary/Random_test_DeepAtt*.csv"))
    done = proformer("import-weights", "--model", "deepatt", "--weights", weights, "--out", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    found = load(tmp_path / "model", "cpu").predict(table["sequence"].tolist())[:, 0]
    assert np.abs(found - table["Predicted Expression"]).max() < 1e-5


def test_keras_layers_that_do_not_fit_are_listed():
    layers = [torch.nn.Conv1d(4, 3, 2), torch.nn.Linear(3, 1)]
    arrays = {
        "a/kernel": torch.ones(2, 4, 3),
        "a/bias": torch.ones(3),
        "b/kernel": torch.ones(4, 1),
        "b/bias": torch.ones(1),
    }
    before = layers[0].weight.clone()
    with pytest.raises(InputError, match=r"b/kernel has shape \(4, 1\), expected \(3, 1\)"):
        load_layers(layers, arrays)
    with pytest.raises(InputError, match="found 2 layers with weights, expected 1"):
        load_layers(layers[:1], arrays)
    assert torch.equal(layers[0].weight, before)


def test_mprann_reads_both_strands_of_the_insert_between_fixed_adapters():
    built = build({"model": "mprann", "length": 40, "window": 70, "filters": [8, 8, 8, 4], "dense": [6, 5]}).eval()
    codes = codes_of(40)
    assert torch.allclose(built(codes), built(reverse_complement(codes)), atol=1e-6)
    one, other = built.strands(codes).detach().chunk(2)
    assert (one - other).abs().max() > 1e-6
    loss = built.loss(Batch(codes, torch.zeros(4, 1, 1)), Task(scale="none"))
    assert float(loss.total.detach()) == pytest.approx(float((torch.cat([one, other]) ** 2).mean()), rel=1e-5)


def test_mpra_legnet_shifts_and_turns_in_training_alone():
    built = build({"model": "mpra_legnet", "length": 40, "widths": [8, 8, 8], "head": 8, "shift": 3})
    codes = codes_of(40, 64)
    seen, _ = built.processor.examples(Batch(codes, torch.zeros(64, 1, 1)), Task(scale="none"))
    whole = built.processor.construct(codes)
    fixed = [built.processor.encode(strand) for strand in (whole, reverse_complement(whole))]
    same = [(seen == strand).flatten(1).all(1).float().mean().item() for strand in fixed]
    assert [0 < share < 0.4 for share in same] == [True, True]  # of four shifts and two strands
    read = list(built.eval().processor.inputs(codes))
    assert all(torch.equal(strand, expected) for strand, expected in zip(read, fixed, strict=True))


@pytest.mark.parametrize("layers", [1, 3])
def test_bpnet_is_the_padded_and_trimmed_network_of_the_original(layers):
    """Zero-padded convolutions, trimmed at the end, as bpnet-lite has them: the same numbers."""
    net = build({**TINY, "layers": layers}).eval()
    codes = codes_of(60)
    x = F.one_hot(codes.long(), 4).float().transpose(1, 2)
    x = F.conv1d(x, net.first.weight, net.first.bias, padding=2).relu()
    for number, layer in enumerate(net.dilated, 1):
        x = x + F.conv1d(x, layer.weight, layer.bias, padding=2**number, dilation=2**number).relu()
    trim = (60 - 20) // 2
    profile = net.final.profile
    logits = F.conv1d(x, profile.weight, profile.bias, padding=4)[:, 0, trim:-trim]
    cut = 2 + sum(2**number for number in range(1, layers + 1))
    counts = net.final.counts(x[:, :, cut:-cut].mean(2))
    assert torch.allclose(net(codes), torch.cat([counts, logits], 1)[:, None], atol=1e-5)


def test_the_published_sizes_compute_what_bpnet_lite_computes():
    """All weights are carried over; 2,114 bp to a profile of 1,000 and log(1 + counts)."""
    pytest.importorskip("bpnetlite", reason="bpnet-lite, or tangermeme, is not installed (make testtools explain)")
    from bpnetlite import BPNet, ChromBPNet

    ours = build({"model": "chrombpnet", **find_recipe("chrombpnet", "as-released")["model"]}).eval()
    parts = []
    for net, layers in ((ours.bias, 4), (ours.accessibility, 8)):
        part = BPNet(net.config.filters, layers, n_outputs=1, n_control_tracks=0, verbose=False)
        pairs = [(part.iconv, net.first), *zip(part.rconvs, net.dilated, strict=True)]
        for theirs, own in [*pairs, (part.fconv, net.final.profile), (part.linear, net.final.counts)]:
            theirs.load_state_dict(own.state_dict())
        parts.append(part)
    codes = codes_of(2114)[:2]
    with torch.no_grad():
        logits, counts = ChromBPNet(*parts).eval()(F.one_hot(codes.long(), 4).float().transpose(1, 2))
        found = ours(codes)[:, 0]
    assert found[:, 1:].numpy() == pytest.approx(logits[:, 0].numpy(), abs=1e-4)
    assert found[:, :1].numpy() == pytest.approx(counts.numpy(), abs=1e-4)


def test_logits_of_the_bias_are_added_and_counts_joined():
    model, codes = build({**TINY, "bias": TINY_BIAS}).eval(), codes_of(60)
    both, one, other = model(codes), model.accessibility(codes), model.bias(codes)
    assert torch.allclose(both[..., 1:], one[..., 1:] + other[..., 1:])
    assert torch.allclose(both[..., 0].exp(), one[..., 0].exp() + other[..., 0].exp(), rtol=1e-4)


def profiles(folder, length=60, positions=20, rows=40):
    """A store of windows, every other one a peak, and the folder of a bias model."""
    random = np.random.default_rng(0)
    task = Task("counts and profile", ("cuts",), bin=1, mean=(0.0,), sd=(1.0,))
    layout = {"length": length, "flanks": ["", ""], "too_long": "error", "wrong_flank": "error"}
    with StoreWriter(folder / "all.safetensors", {"task": asdict(task), "layout": layout}) as store:
        store.append(
            codes=random.integers(0, 4, (rows, length), dtype=np.uint8),
            target=random.poisson(1.0, (rows, 1, positions)).astype(np.float32),
            group=np.arange(rows),
            region_set=np.arange(rows) % 2,
        )
    keys = {**TINY, **TINY_BIAS}
    write_folder(folder / "bias", build(keys).state_dict(), {"model": keys, "task": asdict(task), "layout": layout})
    return DeviceData(open_store(folder / "all.safetensors"), torch.device("cpu"), task)


def test_bias_model_stays_and_its_counts_fit_closed_windows(tmp_path):
    data = profiles(tmp_path)
    model = build({**TINY, "bias": TINY_BIAS, "bias_weights": str(tmp_path / "bias")})
    model.fit(data)
    closed = data.batch(data.where("region_set", 1))
    gap = (closed.target[..., 0] - model.bias(closed.codes)[..., 0]).mean()
    assert float(gap) == pytest.approx(0, abs=1e-5)
    before = {name: value.clone() for name, value in model.bias.state_dict().items()}
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    model.loss(data.batch(slice(0, 8)), data.task).total.backward()
    optimiser.step()
    assert all(torch.equal(value, before[name]) for name, value in model.bias.state_dict().items())
    assert all(p.grad is not None for p in model.accessibility.parameters())


SITE = encode("TGACTCAG")  # accessible chromatin lies around it
PLANTED = {"model": "chrombpnet", "length": 68, "target": 40, "kernel": 9, "profile_kernel": 9, "layers": 2}


def planted(rows, seed, open_windows):
    """Codes [n, 68], true accessibility [n, 40] and the enzyme's preference [n, 40], both with a mean of about 1."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (rows, 68), dtype=np.uint8)
    accessible = np.ones((rows, 40))
    if open_windows:
        starts, columns = random.integers(22, 39, rows), np.arange(len(SITE))
        site = np.where(random.random(rows)[:, None] < 0.5, SITE, SITE[::-1] ^ 3)
        codes[np.arange(rows)[:, None], starts[:, None] + columns] = site
        distance = np.arange(14, 54) - (starts[:, None] + 3.5)
        accessible = 0.2 + 5 * np.exp(-(distance**2) / 18)
    # As strong on the other strand: G before a cut, C behind it.
    preferred = np.exp(1.5 * (codes[:, 12:52] == 2) + 1.5 * (codes[:, 16:56] == 1))
    return codes, accessible, preferred


def cuts(folder, name, number, seed):
    """A store of open and closed windows with cuts where chromatin is open and the enzyme likes to cut."""
    random, task = (
        np.random.default_rng(seed),
        Task("counts and profile", ("cuts",), bin=1, mean=(1.0,), sd=(1.0,), count_weight=10.0),
    )
    meta = {"task": asdict(task), "layout": {"length": 68, "flanks": ["", ""]}}
    with StoreWriter(folder / f"{name}.safetensors", meta) as store:
        for region_set, of_window in ((0, 200.0), (1, 80.0))[name.startswith("closed") :]:
            codes, accessible, preferred = planted(number, seed + region_set, region_set == 0)
            rate = accessible * preferred
            counts = random.poisson(of_window * rate / rate.sum(axis=1, keepdims=True))
            columns = {"group": np.arange(number), "region_set": np.full(number, region_set)}
            store.append(codes=codes, target=counts[:, None].astype(np.float32), **columns)
    return folder / f"{name}.safetensors"


@pytest.mark.learns
def test_bias_removal_uncovers_the_planted_accessibility(tmp_path, seed, reaches):
    stores = {
        name: cuts(tmp_path, name, number, 100 * seed + place)
        for place, (name, number) in enumerate(
            {"closed": 400, "closed_validation": 100, "all": 400, "all_validation": 100}.items()
        )
    }

    def trained(name, data, **keys):
        training = {"epochs": 12, "batch_size": 32, "learning_rate": 0.005, "patience": None, "seed": seed}
        recipe = {"bias": "bias", "plain": "without-bias"}.get(name, "as-released")
        config = {"model": PLANTED | keys, "recipe": recipe, "training": training}
        files = (stores[data], stores[f"{data}_validation"])
        train(config, *files, tmp_path / name, tmp_path / "checkpoint.pt", device="cpu", threads=1)
        return load(tmp_path / name, "cpu").module

    small = {"filters": 8, "layers": 2}
    bias = trained("bias", "closed", **small)
    whole = trained("chrombpnet", "all", filters=8, bias=small, bias_weights=str(tmp_path / "bias"))
    plain = trained("plain", "all", filters=8)
    codes, accessible, preferred = planted(200, 100 * seed + 50, True)
    distance = {}
    with torch.no_grad():
        for name, model in {"own": whole.accessibility, "whole": whole, "plain": plain, "bias": bias}.items():
            profile = model(torch.from_numpy(codes))[:, 0, 1:].softmax(dim=1).double().numpy()
            for truth, values in {"accessibility": accessible, "cuts": accessible * preferred}.items():
                distance[name, truth] = float(np.median(METRICS["jensen_shannon"].rows(profile, values)))
    for other in ("whole", "plain", "bias"):
        gain = distance[other, "accessibility"] - distance["own", "accessibility"]
        reaches(f"nearer to accessibility than {other}", gain, 0.2)
    reaches("whole nearer to cuts", distance["own", "cuts"] - distance["whole", "cuts"], 0.2)


def test_a_bias_model_of_other_windows_is_refused(tmp_path):
    data = profiles(tmp_path)
    with pytest.raises(InputError, match=r"bias: found a bias model whose length is 60, expected 64"):
        build({**TINY, "length": 64, "bias": TINY_BIAS, "bias_weights": str(tmp_path / "bias")}).fit(data)
    with pytest.raises(InputError, match="found no bias_weights"):
        build({**TINY, "bias": TINY_BIAS}).fit(data)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"filters": 5}, "expected a chrombpnet of bias"),
        ({"layers": 3}, "expected a chrombpnet of bias"),
        ({"length": 64}, "found a bias model whose length is 64, expected 60"),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_a_refused_bias_model_leaves_nothing_behind(tmp_path, proformer, keys, message, before):
    data = profiles(tmp_path)
    bias = build(made := {**TINY, **TINY_BIAS, **keys})
    write_folder(tmp_path / "bias", bias.state_dict(), {"model": made, "task": asdict(data.task), "layout": {}})
    out = tmp_path / "models/chrombpnet"
    if before:
        out.mkdir(parents=True)
    model = {**TINY, "bias": TINY_BIAS, "bias_weights": str(tmp_path / "bias")}
    config = json.dumps({"model": model, "training": {"epochs": 1}})
    stores = ["--train", tmp_path / "all.safetensors", "--validation", tmp_path / "all.safetensors"]
    done = proformer("train", *stores, "--out", out, "--config", config)
    assert (done.returncode, re.search(message, done.stderr) is not None) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    assert out.exists() == before
    assert not list(tmp_path.glob("models/**/*.*"))
    assert before or not (tmp_path / "models").exists()
    proformer("train", *stores, "--out", out, "--config", config, "--checkpoint", tmp_path / "kept.pt")
    assert json.loads((tmp_path / "kept.progress.json").read_text())["state"] == "failed"  # for `proformer status`


def test_a_window_too_short_for_the_convolutions():
    with pytest.raises(InputError, match="length is 1000, expected at least 2114 for 8 dilated"):
        build({"model": "chrombpnet", "length": 1000})
