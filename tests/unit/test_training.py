"""The training loop: what it minimises, how it resumes, and what stops it."""

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from processes import Started
from safetensors.torch import load_file

from proformer.cli import main
from proformer.datasets.batches import Batch
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.evaluation.collect import collect
from proformer.models import build
from proformer.models.fill_mask import fill_mask_loss
from proformer.models.folder import read_folder
from proformer.models.proformer import Proformer
from proformer.tasks import Task
from proformer.training import checkpoint, validation
from proformer.training.config import Training, digest
from proformer.training.loop import Step
from proformer.training.optimiser import clip, learning_rate, make_optimiser, make_schedule
from proformer.training.run import train

MODEL = {"dim": 8, "heads": 1, "blocks": 1, "kmer": 5, "expression_heads": 4}
CONFIG = {"model": MODEL, "training": {"epochs": 3, "batch_size": 16, "learning_rate": 0.01}}


def run(stores, out, **training):
    config = {"model": MODEL, "training": CONFIG["training"] | training}
    train(config, *stores, out, out / "checkpoint.pt", device="cpu", threads=1)
    return pd.read_csv(out / "metrics.tsv", sep="\t")


def result(out):
    """Everything a run leaves that must not depend on how often it was stopped."""
    metrics = pd.read_csv(out / "metrics.tsv", sep="\t").drop(columns="sequences_per_second")
    return metrics.to_csv(), (out / "model.safetensors").read_bytes(), (out / "model.json").read_bytes()


@pytest.mark.learns
def test_learns_gc_content_and_keeps_the_best_epoch(stores, tmp_path, seed, reaches):
    metrics = run(stores, tmp_path, epochs=8, seed=seed)
    reaches("r", metrics["validation_r"].iloc[-1], 0.8)
    reaches("fall of the mean squared error", 1 - metrics["train_mse"].iloc[-1] / metrics["train_mse"].iloc[0], 0.4)
    made = json.loads((tmp_path / "model.json").read_text())
    assert made["best_epoch"] == metrics["validation_r"].idxmax() + 1
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.learns
def test_without_steps_nothing_is_learned(stores, tmp_path, seed, reaches):
    """What the test above would find of a training that is broken."""
    metrics = run(stores, tmp_path, epochs=8, seed=seed, learning_rate=1e-30)
    reaches("mean squared error left", metrics["train_mse"].iloc[-1] / metrics["train_mse"].iloc[0], 0.7)


def test_validation_r_is_that_of_the_saved_weights(stores, tmp_path):
    from proformer.datasets.batches import DeviceData
    from proformer.models.folder import read_folder
    from proformer.training.validation import predict_all

    metrics = run(stores, tmp_path)
    store = open_store(stores[1])
    data = DeviceData(store, torch.device("cpu"), store.task)
    prediction = predict_all(read_folder(tmp_path).model, data).ravel()
    r = np.corrcoef(prediction, data.batch(slice(None)).target.flatten().numpy())[0, 1]
    assert r == pytest.approx(metrics["validation_r"].max(), abs=1e-9)
    truth = data.batch(slice(None)).target.flatten().numpy()
    batches = [np.corrcoef(prediction[i : i + 16], truth[i : i + 16])[0, 1] for i in range(0, len(truth) - 1, 16)]
    best = metrics.loc[metrics["validation_r"].idxmax()]
    assert best["validation_r_batches"] == pytest.approx(np.mean(batches), abs=1e-6)
    assert best["validation_r_batches"] != pytest.approx(best["validation_r"], abs=1e-4)


def test_same_seed_same_bytes_other_seed_other_weights(stores, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(stores, tmp_path / name, epochs=1, seed=seed)
    assert result(tmp_path / "a") == result(tmp_path / "b")
    assert result(tmp_path / "a")[1] != result(tmp_path / "c")[1]


def command(stores, out, minutes="0.00001"):
    return [
        "train", "--config", json.dumps(CONFIG), "--train", str(stores[0]),
        "--validation", str(stores[1]), "--out", str(out), "--checkpoint-minutes", minutes, "--device", "cpu",
        "--threads", "1",
    ]  # fmt: skip


def wait_for_checkpoint(path, process, seconds=60):
    """Until this process has written a checkpoint (or ended)."""
    before = path.stat().st_mtime_ns if path.exists() else None
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if path.exists() and path.stat().st_mtime_ns != before:
            return
        time.sleep(0.005)


def test_killed_at_random_moments_it_ends_with_the_same_bytes(stores, tmp_path):
    assert main(command(stores, tmp_path / "calm", "1000")) == 0
    random = np.random.default_rng()
    out, kills = tmp_path / "killed", 0
    for _ in range(4):
        process = Started(command(stores, out), quiet=True)
        wait_for_checkpoint(out / "checkpoint.pt", process)
        time.sleep(random.uniform(0, 0.1))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills
    assert main(command(stores, out)) == 0
    assert result(out) == result(tmp_path / "calm")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_on_a_signal_with_a_checkpoint_and_goes_on(stores, tmp_path, number):
    run(stores, tmp_path / "calm")
    process = Started(command(stores, tmp_path / "stopped"))
    wait_for_checkpoint(tmp_path / "stopped" / "checkpoint.pt", process)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 75
    assert not (tmp_path / "stopped" / "model.json").exists()
    run(stores, tmp_path / "stopped")
    assert result(tmp_path / "stopped") == result(tmp_path / "calm")


def test_second_process_of_a_run_waits_and_finds_it_finished(stores, tmp_path):
    first = Started(command(stores, tmp_path), quiet=True)
    wait_for_checkpoint(tmp_path / "checkpoint.pt", first)
    first.send_signal(signal.SIGSTOP)  # as slow as can be
    second = Started(command(stores, tmp_path))
    assert any("another process trains this model: waiting" in line for line in second.stderr)
    first.send_signal(signal.SIGCONT)
    assert first.wait() == 0
    model = [tmp_path / name for name in ("model.safetensors", "model.json", "metrics.tsv")]
    finished = [path.stat().st_mtime_ns for path in model]
    said = second.communicate()[1]
    assert second.returncode == 0, said
    assert "holds this very run, finished" in said
    assert [path.stat().st_mtime_ns for path in model] == finished
    assert set(tmp_path.iterdir()) == {*model, tmp_path / "SHA256SUMS"}
    assert not list(tmp_path.glob("*.lock"))


def test_a_model_older_than_the_code_is_trained_again(stores, tmp_path):
    def trained():
        code = main([*command(stores, tmp_path / "model"), "--since", str(tmp_path / "code.py")])
        return code, (tmp_path / "model/model.safetensors").stat().st_mtime_ns

    (tmp_path / "code.py").touch()
    assert main(command(stores, tmp_path / "model")) == 0
    first = trained()
    assert first[0] == 0
    assert trained() == first
    os.utime(tmp_path / "code.py", (time.time() + 60,) * 2)
    assert trained()[1] > first[1]


def test_other_data_are_another_run(stores, tmp_path):
    """Stores whose headers are the same, but not their numbers."""
    run(stores, tmp_path / "model", epochs=1)
    other = open_store(stores[0])
    with StoreWriter(tmp_path / "train", other.meta) as writer:
        columns = other.columns | {"codes": np.flip(other.codes, axis=0)}
        writer.append(**{name: np.asarray(column) for name, column in columns.items()})
    with pytest.raises(InputError, match="holds the finished model of another run"):
        run((tmp_path / "train", stores[1]), tmp_path / "model", epochs=1)


def test_another_configuration_at_the_same_time_is_refused(stores, tmp_path):
    first = Started(command(stores, tmp_path), quiet=True)
    wait_for_checkpoint(tmp_path / "checkpoint.pt", first)
    first.send_signal(signal.SIGSTOP)
    other = [word.replace('"dim": 8', '"dim": 16') for word in command(stores, tmp_path)]
    second = Started(other)
    said = second.communicate()[1]
    first.kill()
    assert second.returncode == 2
    assert "another configuration trains here; expected another folder" in said


def test_a_finished_model_of_another_configuration_is_kept(stores, tmp_path):
    run(stores, tmp_path, epochs=1)
    before = result(tmp_path)
    with pytest.raises(InputError, match="holds the finished model of another run; expected another folder, or --repl"):
        run(stores, tmp_path, epochs=1, seed=2)
    assert result(tmp_path) == before
    config = {"model": MODEL, "training": CONFIG["training"] | {"epochs": 1, "seed": 2}}
    train(config, *stores, tmp_path, tmp_path / "checkpoint.pt", device="cpu", threads=1, replace_other=True)
    assert result(tmp_path) != before


def test_a_store_or_checkpoint_with_changed_bytes_is_refused(stores, tmp_path):
    checkpoint.save(tmp_path / "c.pt", {"run": "x", "weights": torch.arange(1000.0)})
    data = bytearray((tmp_path / "c.pt").read_bytes())
    at = data.index(torch.arange(1000.0).numpy().tobytes()[:400])
    data[at + 100 : at + 103] = b"\1\2\3"
    (tmp_path / "c.pt").write_bytes(data)
    with pytest.raises(InputError, match=r"c.pt: unreadable"):
        checkpoint.load(tmp_path / "c.pt", "x")
    data = bytearray(stores[0].read_bytes())
    data[-1] ^= 1
    (tmp_path / "train.st").write_bytes(data)
    with pytest.raises(InputError, match=r"train.st: damaged: the column"):
        run((tmp_path / "train.st", stores[1]), tmp_path / "out")


def test_second_process_goes_on_when_the_first_is_killed(stores, tmp_path):
    run(stores, tmp_path / "calm")
    out = tmp_path / "twice"
    first = Started(command(stores, out), quiet=True)
    wait_for_checkpoint(out / "checkpoint.pt", first)
    first.send_signal(signal.SIGSTOP)
    second = Started(command(stores, out))
    assert any("another process trains this model: waiting" in line for line in second.stderr)
    first.kill()
    first.wait()
    second.communicate()
    assert second.returncode == 0
    assert result(out) == result(tmp_path / "calm")


def test_full_disk_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "c.pt"
    checkpoint.save(path, {"run": "x", "weights": torch.arange(10)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"c.pt: checkpoint not written \(.+\); the one before is whole"):
            checkpoint.save(path, {"run": "x", "weights": torch.rand(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoint.load(path, "x")["weights"].tolist() == list(range(10))
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def test_checkpoints_of_other_runs_are_refused(stores, tmp_path):
    process = Started(command(stores, tmp_path), quiet=True)
    wait_for_checkpoint(tmp_path / "checkpoint.pt", process)
    process.kill()
    process.wait()
    with pytest.raises(InputError, match="checkpoint of another configuration or data set"):
        run(stores, tmp_path, learning_rate=0.02)
    with pytest.raises(InputError, match="checkpoint of another configuration or data set"):
        run((stores[1], stores[1]), tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"PK rubbish")
    with pytest.raises(InputError, match="unreadable"):
        run(stores, tmp_path)


def test_checkpoints_of_another_version_are_refused(tmp_path):
    """As they were before learning-rate schedules had a state: nothing of theirs would be found."""
    torch.save({"format": 2, "run": "x", "optimiser": {"state": {}, "rate": 0.1}}, tmp_path / "c.pt")
    with pytest.raises(InputError, match=r"c.pt: checkpoint of another version of proformer; remove it"):
        checkpoint.load(tmp_path / "c.pt", "x")


def test_checkpoints_run_no_code(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    (tmp_path / "c.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match="unreadable"):
        checkpoint.load(tmp_path / "c.pt", "x")


def test_not_finite_loss_stops_with_step_and_batch(stores, tmp_path):
    with pytest.raises(InputError, match=r"the loss is not finite at step \d+; the batch is in"):
        run(stores, tmp_path, learning_rate=1e30, warmup_epochs=0, clip_value=0, clip_norm=0, epochs=5)
    batch = load_file(tmp_path / "checkpoint.not_finite.safetensors")
    assert batch["codes"].shape == (16, 100)
    assert batch["target"].shape == (16, 1, 1)
    assert not (tmp_path / "model.json").exists()


@pytest.mark.parametrize("select", ["pearson", "loss", "spearman"])
@pytest.mark.parametrize("finite", [0, 2])
def test_a_diverged_training_that_is_kept_ends_with_its_best_epoch(stores, tmp_path, monkeypatch, finite, select):
    """The loss is no number after so many epochs."""
    losses, steps = Proformer.loss, iter(range(10**6))
    per_epoch = -(-len(open_store(stores[0])) // 16)

    def loss(self, batch, task):
        found = losses(self, batch, task)
        return replace(found, total=found.total * (1 if next(steps) < finite * per_epoch + 1 else torch.nan))

    monkeypatch.setattr(Proformer, "loss", loss)
    keys = CONFIG["training"] | {"epochs": 5, "select": select}
    config = {"model": MODEL, "training": keys, "diverged": "keep"}
    train(config, *stores, tmp_path / "model", tmp_path / "c.pt", device="cpu", threads=1)
    metrics = pd.read_csv(tmp_path / "model/metrics.tsv", sep="\t")
    assert metrics["epoch"].tolist() == [*range(1, finite + 2)]
    assert metrics["validation_r"].isna().tolist() == [False] * finite + [True]
    trained = read_folder(tmp_path / "model")  # whose numbers are finite
    assert 1 <= trained.description["best_epoch"] <= max(finite, 1)
    grid, epochs = collect("x", [tmp_path / "model"], open_store(stores[1]))
    assert (grid["collapsed"][0], len(epochs)) == (finite == 0, finite + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_early_stopping(stores, tmp_path, monkeypatch):
    scores = iter([0.3, 0.5, 0.4, 0.5, 0.6])
    monkeypatch.setattr(validation, "pearson", lambda prediction, truth: next(scores) if len(truth) > 16 else 0.0)
    metrics = run(stores, tmp_path, epochs=40, patience=2)
    assert metrics["validation_r"].tolist() == [0.3, 0.5, 0.4, 0.5]
    assert json.loads((tmp_path / "model.json").read_text())["best_epoch"] == 2


def test_gpu_asked_for_and_absent(stores, tmp_path, proformer):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = proformer(
        "train", "--train", stores[0], "--validation", stores[1], "--out", tmp_path / "m", "--device", "cuda"
    )
    assert done.returncode == 2
    assert f"torch {torch.__version__}" in done.stderr
    assert "sees no GPU" in done.stderr
    assert "Traceback" not in done.stderr


def test_digest_sees_every_setting():
    assert digest(Training()) == digest(Training())
    assert digest(Training(epsilon=0.5)) != digest(Training())


def test_transformer_schedule_of_the_original():
    settings = Training(schedule="transformer", warmup_steps=12_500, schedule_width=512)
    rates = [learning_rate(settings, step, 100) for step in (0, 12_500, 50_000)]
    assert rates[0] == 0
    assert rates[1:] == pytest.approx([3.952847e-4, 1.976424e-4], rel=1e-6)


def test_cosine_schedule():
    settings = Training(epochs=20, learning_rate=1e-3)
    rates = [learning_rate(settings, step, 10) for step in range(200)]
    assert rates[9] == max(rates) == 1e-3
    assert rates[0] == pytest.approx(1e-4)
    assert rates[105] == pytest.approx(5e-4, rel=1e-6)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 1e-6


def schedule_of(settings, steps_per_epoch, steps):
    """Rate and first beta at every step, as the optimiser sees them; stopped and gone on in the middle."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = make_optimiser(settings, iter([weight]))
    schedule, seen = make_schedule(optimiser, settings, steps_per_epoch), []
    for step in range(steps):
        group = optimiser.param_groups[0]
        seen.append((group["lr"], group["betas"][0]))
        optimiser.step()
        schedule.step()
        if step == steps // 2:
            saved = schedule.state_dict(), optimiser.state_dict()
            optimiser = make_optimiser(settings, iter([weight]))
            schedule = make_schedule(optimiser, settings, steps_per_epoch)
            schedule.load_state_dict(saved[0])
            optimiser.load_state_dict(saved[1])
    return seen


@pytest.mark.parametrize("warmup", [3.0, 2.4])
def test_one_cycle_goes_between_its_three_rates_and_turns_the_first_beta(warmup):
    """Half cosines (Smith & Topin 2019), whether the peak falls on a step or between two."""
    keys = {"schedule": "onecycle", "epochs": 10, "warmup_epochs": warmup, "learning_rate": 0.005}
    settings = Training(optimiser="adamw", warmup_start=2e-4, final_rate=2e-8, **keys)
    peak, last = 7 * warmup - 1, 69
    for step, (rate, beta) in enumerate(schedule_of(settings, 7, 70)):
        progress = step / peak if step <= peak else (last - step) / (last - peak)
        rising, low = 0.5 * (1 - math.cos(math.pi * progress)), 2e-4 if step <= peak else 2e-8
        assert rate == pytest.approx(low + (0.005 - low) * rising, rel=1e-6)
        assert beta == pytest.approx(0.95 - 0.1 * rising, rel=1e-6)


def test_a_run_may_end_before_its_cycle_peaks():
    settings = Training(schedule="onecycle", epochs=2, warmup_epochs=4.0, learning_rate=0.5)
    rates = [rate for rate, _ in schedule_of(settings, 5, 10)]
    assert rates == sorted(rates)
    assert rates[0] == 0
    assert rates[-1] < 0.3


@pytest.mark.parametrize("schedule", ["cosine", "transformer", "warmup", "constant"])
def test_the_optimiser_sees_the_rates_of_its_schedule(schedule):
    settings = Training(schedule=schedule, epochs=2, warmup_steps=4)
    assert schedule_of(settings, 5, 10) == [(learning_rate(settings, step, 5), 0.9) for step in range(10)]


@pytest.mark.parametrize(
    ("keys", "kind", "own"),
    [
        ({"optimiser": "adam"}, torch.optim.Adam, {"betas": (0.9, 0.98), "weight_decay": 0.0}),
        ({"optimiser": "adamw", "weight_decay": 0.3}, torch.optim.AdamW, {"betas": (0.9, 0.98), "weight_decay": 0.3}),
        ({"optimiser": "rmsprop"}, torch.optim.RMSprop, {"alpha": 0.9, "momentum": 0}),
    ],
)
def test_optimisers_are_those_of_torch(keys, kind, own):
    settings = Training(betas=(0.9, 0.98), epsilon=1e-6, **keys)
    optimiser = make_optimiser(settings, iter([torch.nn.Parameter(torch.zeros(1))]))
    assert type(optimiser) is kind
    assert {"eps": 1e-6, "lr": 1.0} | own == {name: optimiser.defaults[name] for name in ("eps", "lr", *own)}


def test_a_training_imports_no_more_than_it_needs(stores, tmp_path):
    """Small trainings are mostly start-up."""
    code = (
        "import sys; from pathlib import Path; from proformer.training.run import train\n"
        "train({'model': {'dim': 4, 'heads': 1, 'blocks': 1}, 'training': {'epochs': 1}}, *map(Path, sys.argv[1:]))\n"
        "print(sorted({'scipy', 'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    paths = [*map(str, stores), str(tmp_path / "out"), str(tmp_path / "c.pt")]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[]", done.stdout


def test_lion():
    """Against the published update rule, with decoupled decay; one-cycle leaves its betas alone."""
    settings = Training(optimiser="lion", schedule="onecycle", betas=(0.9, 0.99), weight_decay=0.1)
    weight, without = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5])), torch.nn.Parameter(torch.ones(2))
    optimiser = make_optimiser(settings, iter([weight, without]))
    schedule = make_schedule(optimiser, settings, 10)
    expected, momentum = weight.detach().clone(), torch.zeros(3)
    for step in range(4):
        weight.grad = torch.tensor([0.3, -0.1, (-1.0) ** step])
        rate = optimiser.param_groups[0]["lr"]
        optimiser.step()
        schedule.step()
        direction = (0.9 * momentum + 0.1 * weight.grad).sign()
        expected = expected * (1 - 0.1 * rate) - rate * direction
        momentum = 0.99 * momentum + 0.01 * weight.grad
        assert weight.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert optimiser.param_groups[0]["betas"] == (0.9, 0.99)
    assert without.tolist() == [1, 1]  # it has no gradient


def test_clipping_is_per_variable_value_then_norm():
    gradients = [torch.tensor([3.0, -0.1]), torch.full((9,), 5.0), torch.tensor([0.1, 0.2])]
    clip(gradients, Training())
    assert gradients[0].tolist() == pytest.approx([0.5, -0.1])
    assert gradients[1].norm() == pytest.approx(1.0)
    assert gradients[2].tolist() == pytest.approx([0.1, 0.2])


def test_clipping_over_all_variables_is_norm_then_value():
    weights = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(9))]
    ours = [torch.tensor([3.0, -0.1]), torch.full((9,), 0.2)]
    for weight, gradient in zip(weights, ours, strict=True):
        weight.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    torch.nn.utils.clip_grad_value_(weights, 0.5)
    clip(ours, Training(clip_over="all"))
    for weight, gradient in zip(weights, ours, strict=True):
        assert gradient.tolist() == pytest.approx(weight.grad.tolist(), rel=1e-4)


def test_fill_mask_loss_counts_masked_positions_alone():
    logits = torch.randn(2, 3, 6, dtype=torch.float64)
    codes = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 4]], dtype=torch.uint8)
    masked = torch.tensor([[True, False, True, False], [False, False, True, False]])
    positions = torch.tensor([[0, 2, 1], [2, 0, 3]])
    p = logits.float().log_softmax(-1)
    expected = -(p[0, 0, 0] + p[0, 1, 2] + p[1, 0, 1]) / (3 + 1)
    assert fill_mask_loss(logits, codes, masked, masked.sum(), positions).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_loss_is_the_sum_of_its_parts_and_the_released_mask_leaks():
    """With strands masked independently the masked base stands on the other strand; with joint masks it does not."""
    torch.manual_seed(0)
    codes = torch.randint(0, 4, (32, 20), dtype=torch.uint8)
    batch, task = Batch(codes, torch.randn(32, 1, 1)), Task(scale="none")
    loss = build({**MODEL, "length": 20, "beta": 0.25}).loss(batch, task)
    assert loss.total.item() == pytest.approx(loss.parts["task"].item() + 0.25 * loss.parts["nucleotides"].item())
    assert loss.parts["nucleotides"].item() == pytest.approx(math.log(6), abs=0.6)
    for keys in ({"head": "ap"}, {"mask_rate": 0.0}):
        loss = build({**MODEL, "length": 20, **keys}).loss(batch, task)
        assert list(loss.parts) == ["task"]
        assert loss.total.item() == loss.parts["task"].item()


def test_tensorboard_is_optional_and_named_when_missing(stores, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="needs the package tensorboard"):
        train(CONFIG, *stores, tmp_path, tmp_path / "c.pt", device="cpu", threads=1, tensorboard=tmp_path / "log")


@pytest.mark.learns
def test_bf16_learns_too(stores, tmp_path, seed, reaches, monkeypatch):
    monkeypatch.setattr("proformer.training.run.has_bf16", lambda device: True)  # emulated where it is not there
    reaches("r", run(stores, tmp_path, epochs=8, precision="bf16", seed=seed)["validation_r"].max(), 0.8)


@pytest.mark.learns
def test_rewrites_train_alike(stores, tmp_path, seed, reaches):
    tables = []
    for name, on in (("straight", False), ("rewrites", True)):
        config = {
            "model": MODEL | {"merge_projections": on, "read_rows_only": on},
            "training": CONFIG["training"] | {"learning_rate": 0.003, "seed": seed},
        }
        train(config, *stores, tmp_path / name, tmp_path / name / "c.pt", device="cpu", threads=1)
        tables.append(pd.read_csv(tmp_path / name / "metrics.tsv", sep="\t"))
    for column in ("train_loss", "validation_loss", "validation_r"):
        reaches(f"difference of {column}, negated", -(tables[0][column] - tables[1][column]).abs().max(), -5e-3)


def test_on_a_cpu_the_codes_are_the_file_itself(stores, recwarn):
    from proformer.datasets.batches import DeviceData

    store = open_store(stores[0])
    data = DeviceData(store, torch.device("cpu"), store.task)
    assert data.codes.data_ptr() == store.codes.ctypes.data
    assert np.array_equal(data.codes.numpy(), store.codes)
    assert not [w for w in recwarn if "writable" in str(w.message)]


def test_compile_is_for_gpus_and_changes_nothing_on_a_cpu(stores, tmp_path):
    run(stores, tmp_path / "plain", epochs=1)
    run(stores, tmp_path / "compiled", epochs=1, compile=True)
    assert result(tmp_path / "plain")[:2] == result(tmp_path / "compiled")[:2]


def test_the_model_compiles_whole_with_the_same_gradients():
    """What a GPU replays as one graph: no break in it, and the gradients of the eager step."""
    codes, target = torch.randint(0, 4, (8, 20), dtype=torch.uint8), torch.randn(8, 1, 1)
    gradients = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = build({**MODEL, "length": 20, "blocks": 2})
        model.table_width = lambda masked, model=model: model.most_masked  # as on a GPU
        step = Step(model, Task(scale="none"))
        if compiled:
            step = torch.compile(step, backend="aot_eager", fullgraph=True, dynamic=False)
        torch.manual_seed(1)
        step(Batch(codes, target))[0].backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))
