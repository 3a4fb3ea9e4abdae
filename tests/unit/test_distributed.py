"""Several processes train one model: the same numbers as one process, and the same behaviour when something fails."""

import json
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from processes import finish, script, start_ranks
from safetensors.torch import load_file

from proformer.cli import main
from proformer.errors import InputError
from proformer.training.distributed import ONE, Ranks, find_ranks, meeting_point
from proformer.training.run import train

MODEL = {"dim": 8, "heads": 1, "blocks": 2, "kmer": 5, "expression_heads": 4}
TRAINING = {"epochs": 3, "batch_size": 15, "learning_rate": 0.01}
TOLERANCE = 1e-5  # of every metric: sums of float32 in another order, after three epochs of this model (seen: 2e-7)


def start(world, stores, out, training=None, minutes="1000", second=None, model=None, before=(), program=main, **more):
    """Ranks that train one model; rank 1 may be given stores of its own."""
    config = {"model": MODEL | (model or {}), "training": TRAINING | (training or {}), **more}
    config = yaml.safe_dump(config, default_flow_style=True)

    def words_of(rank):
        train, validation = second if second and rank == 1 else stores
        return [
            *before, "train", "--config", config, "--train", train, "--validation", validation, "--out", out,
            "--device", "cpu", "--threads", "1", "--checkpoint-minutes", minutes,
        ]  # fmt: skip

    return start_ranks(world, words_of, program)


def train_alone(stores, out, training=None, model=None):
    config = {"model": MODEL | (model or {}), "training": TRAINING | (training or {})}
    train(config, *stores, out, out / "checkpoint.pt", device="cpu", threads=1)
    return out


def metrics(out):
    return pd.read_csv(out / "metrics.tsv", sep="\t").drop(columns="sequences_per_second").to_numpy()


def wait_for(path, process, seconds=60):
    deadline = time.monotonic() + seconds
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.fixture(scope="module")
def calm(stores, tmp_path_factory):
    """An undisturbed run of one process."""
    return train_alone(stores, tmp_path_factory.mktemp("calm"))


@pytest.mark.parametrize(
    ("world", "model", "training"),
    [
        (2, {}, {}),
        (3, {"head": "ap"}, {}),  # 227 rows: the last batch has 2, fewer than ranks
        (3, {"mask": "joint"}, {"batch_size": 14, "schedule": "transformer", "schedule_width": 8, "warmup_steps": 400}),
    ],
)
def test_ranks_train_as_one_process(world, model, training, stores, tmp_path):
    codes, said = finish(start(world, stores, tmp_path / "ranks", training, model=model))
    assert codes == [0] * world, said
    assert "".join(said).count("epoch   3/3") == 1  # rank 0 speaks for all
    train_alone(stores, tmp_path / "one", training, model)
    np.testing.assert_allclose(metrics(tmp_path / "ranks"), metrics(tmp_path / "one"), rtol=0, atol=TOLERANCE)
    ranks, one = (load_file(tmp_path / name / "model.safetensors") for name in ("ranks", "one"))
    for name, value in one.items():
        np.testing.assert_allclose(ranks[name], value, rtol=0, atol=1e-4, err_msg=name)
    made = [json.loads((tmp_path / name / "model.json").read_text()) for name in ("ranks", "one")]
    assert [description["made_by"].pop("processes") for description in made] == [world, 1]
    assert made[0] == made[1]
    assert not (tmp_path / "ranks" / "checkpoint.pt").exists()


def test_one_rank_told_to_stop_stops_all_and_one_process_goes_on(stores, tmp_path, calm):
    processes = start(2, stores, tmp_path, minutes="0.00001")
    wait_for(tmp_path / "checkpoint.pt", processes[0])
    processes[1].send_signal(signal.SIGTERM)
    codes, said = finish(processes)
    assert codes == [75, 75], said
    assert not (tmp_path / "model.json").exists()
    train_alone(stores, tmp_path)
    np.testing.assert_allclose(metrics(tmp_path), metrics(calm), rtol=0, atol=TOLERANCE)


def test_what_one_process_began_two_finish(stores, tmp_path, calm):
    (process,) = start(1, stores, tmp_path, minutes="0.00001")
    wait_for(tmp_path / "checkpoint.pt", process)
    process.send_signal(signal.SIGTERM)
    assert finish([process])[0] == [75]
    codes, said = finish(start(2, stores, tmp_path))
    assert codes == [0, 0], said
    np.testing.assert_allclose(metrics(tmp_path), metrics(calm), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_rank_ends_the_others_and_leaves_a_good_checkpoint(victim, stores, tmp_path, calm):
    processes = start(2, stores, tmp_path, minutes="0.00001")
    wait_for(tmp_path / "checkpoint.pt", processes[0])
    processes[victim].kill()
    codes, said = finish(processes, seconds=300)
    assert (codes[victim], codes[1 - victim]) == (-signal.SIGKILL, 2)
    last = said[1 - victim].splitlines()[-1]
    assert f"rank {1 - victim} of 2 lost another process" in last
    assert "Traceback" not in said[1 - victim]
    train_alone(stores, tmp_path)
    np.testing.assert_allclose(metrics(tmp_path), metrics(calm), rtol=0, atol=TOLERANCE)


def test_ranks_agree_on_early_stopping(stores, tmp_path):
    processes = start(2, stores, tmp_path, {"epochs": 40, "learning_rate": 1e-30, "patience": 2, "batch_size": 100})
    codes, said = finish(processes)
    assert codes == [0, 0], said
    r = pd.read_csv(tmp_path / "metrics.tsv", sep="\t")["validation_r"]
    assert len(r) == r.idxmax() + 1 + 2 < 40


OTHER_SCORES = """
import itertools, sys
from proformer.cli import main
from proformer.training import loop
from proformer.training.distributed import find_ranks
first, validate, better = find_ranks().first, loop.validate, itertools.count()
loop.validate = lambda *given: validate(*given) | {"validation_r": 0.0 if first else float(next(better))}
sys.exit(main(sys.argv[1:]))
"""


def test_ranks_whose_scores_differ_stop_together(stores, tmp_path):
    """As on processors of different kinds, which round differently: for rank 1, each epoch is the best."""
    (tmp_path / "train.py").write_text(OTHER_SCORES)
    keys = {"epochs": 8, "patience": 2, "batch_size": 100}
    codes, said = finish(start(2, stores, tmp_path / "out", keys, before=[tmp_path / "train.py"], program=script))
    assert codes == [0, 0], said
    assert len(metrics(tmp_path / "out")) == 1 + 2


@pytest.mark.learns
def test_with_dropout_ranks_differ_no_more_than_seeds(stores, tmp_path, seed, reaches):
    model, keys = {"dropout": 0.1}, {"seed": seed}
    codes, said = finish(start(2, stores, tmp_path / "ranks", keys, model=model))
    assert codes == [0, 0], said
    losses = []
    for other in range(seed, seed + 6):
        out = train_alone(stores, tmp_path / str(other), keys | {"seed": other}, model)
        losses.append(pd.read_csv(out / "metrics.tsv", sep="\t")[["train_loss", "validation_loss"]].iloc[-1])
    ranks = pd.read_csv(tmp_path / "ranks" / "metrics.tsv", sep="\t").iloc[-1]
    for name, one in pd.DataFrame(losses).items():
        reaches(f"sd of seeds, less difference: {name}", 4 * one.std() - abs(ranks[name] - one.iloc[0]), 0)


def test_ranks_agree_on_a_loss_that_is_not_finite(stores, tmp_path):
    wild = {"learning_rate": 1e30, "warmup_epochs": 0, "clip_value": 0, "clip_norm": 0}
    codes, said = finish(start(2, stores, tmp_path, wild))
    assert codes == [2, 2]
    assert "the loss is not finite at step" in said[0]
    assert said[1] == ""
    assert load_file(tmp_path / "checkpoint.not_finite.safetensors")["codes"].shape == (15, 100)
    codes, said = finish(start(2, stores, tmp_path / "kept", wild, diverged="keep"))
    assert codes == [0, 0], said
    assert "ended with the best epoch before it" in said[0]
    assert pd.read_csv(tmp_path / "kept/metrics.tsv", sep="\t")["validation_r"].isna().iloc[-1]


def test_a_checkpoint_of_another_run_is_refused_once(stores, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"rubbish")
    codes, said = finish(start(2, stores, tmp_path))
    assert codes == [2, 2]
    assert "unreadable" in said[0]
    assert said[1] == ""


def test_ranks_with_other_data_are_refused(stores, tmp_path):
    codes, said = finish(start(2, stores, tmp_path, second=(stores[1], stores[1])))
    assert codes == [2, 2]
    assert "rank 1: other settings or data than those of rank 0" in said[1]


def test_fewer_rows_than_processes(stores, tmp_path):
    codes, said = finish(start(2, stores, tmp_path, {"batch_size": 1}))
    assert codes == [2, 2]
    assert "batch_size is 1, expected a row for each of 2 processes" in said[0]


ONE_STEP = """
import copy, sys
import torch
from torch import nn
from proformer.datasets.batches import Batch
from proformer.models import build
from proformer.models.base import Model
from proformer.tasks import Task
from proformer.training.distributed import find_ranks
from proformer.training.loop import Step

class Net(Model):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(4, 5, 3), nn.BatchNorm1d(5), nn.SiLU(), nn.Flatten(), nn.BatchNorm1d(90), nn.Linear(90, 6)
        )
        self.unused = nn.Parameter(torch.ones(3))
    def forward(self, codes):
        return self.layers(nn.functional.one_hot(codes.long(), 6)[..., :4].double().transpose(1, 2)).view(-1, 2, 3)
    def penalty(self):
        return self.layers[0].weight.square().sum()

torch.set_num_threads(1)
ranks, total, cpu = find_ranks(), int(sys.argv[1]), torch.device("cpu")
small = {"length": 20, "kmer": 5, "dim": 8, "heads": 1, "blocks": 2, "expression_heads": 4}
cases = [(small | keys | {"head": head}, loss) for head in ("ap", "meh", "glu") for keys, loss in (
    ({}, "mse"), ({"mask": "joint", "beta": 0.5}, "mse"), ({"mask_rate": 0.0}, "huber")
)]
cases += [(None, "mse"), ({"model": "legnet", "length": 20, "window": 30, "widths": [8, 8]}, "mse")]
with ranks.joined(cpu):
    for keys, loss in cases:
        torch.manual_seed(total)
        one = (build(keys) if keys else Net()).double()
        target = torch.randn(total, *((1, 1) if keys else (2, 3)))
        batch = Batch(torch.randint(0, 5, (total, 20), dtype=torch.uint8), target)
        shared, task = copy.deepcopy(one), Task(scale="none", loss_name=loss)
        torch.manual_seed(5)
        whole = one.loss(batch, task)
        whole.total.backward()
        step = ranks.parallel(Step(shared, task), cpu)
        for _ in range(2):  # the first backward pass tells which parameters take part
            shared.zero_grad()
            shared.load_state_dict(one.state_dict(), strict=False)
            part, weight = ranks.part(batch, 5)
            value, prediction, parts = step(part)
            (value * weight).backward()
        assert len(part) == (total if total < ranks.world else len(range(total)[ranks.rows(total)]))
        close = dict(rtol=1e-5, atol=1e-7)  # predictions and losses are float32
        torch.testing.assert_close(ranks.mean(value.detach(), weight), whole.total.detach(), **close)
        torch.testing.assert_close(ranks.gather(prediction, total), whole.prediction, **close)
        for (name, a), b in zip(one.named_parameters(), shared.parameters(), strict=True):
            if a.grad is None:
                assert b.grad is None or not b.grad.any(), name
            else:
                torch.testing.assert_close(b.grad, a.grad, msg=lambda text: f"{keys} {name}: {text}", **close)
open(f"{sys.argv[2]}/{ranks.rank}", "w").write(str(ranks.world))
"""


@pytest.mark.parametrize("total", [19, 2])
def test_a_step_of_three_ranks_is_that_of_one_process(total, tmp_path):
    """One step in float64 up to the prediction: no drift over many steps can hide a wrong weight."""
    (tmp_path / "step.py").write_text(ONE_STEP)
    (tmp_path / "done").mkdir()
    words = [tmp_path / "step.py", total, tmp_path / "done"]
    codes, said = finish(start_ranks(3, lambda rank: words, script))
    assert codes == [0, 0, 0], said
    assert {file.name: file.read_text() for file in (tmp_path / "done").iterdir()} == dict.fromkeys("012", "3")


@given(total=st.integers(1, 600), world=st.integers(1, 16))
def test_rows_of_all_ranks_are_the_batch(total, world):
    ranks = [Ranks(rank, world) for rank in range(world)]
    covered = [row for rank in ranks for row in range(total)[rank.rows(total)]]
    assert covered == list(range(total)) * (1 if total >= world else world)
    sizes = {len(range(total)[rank.rows(total)]) for rank in ranks}
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 0


SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_JOB_NODELIST": "gpu[07-08]",
}
STEP = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "gpu[07-08]"}


def test_ranks_are_found_where_a_launcher_put_them(monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    torchrun = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
    assert find_ranks({}) == ONE
    assert find_ranks(torchrun) == Ranks(5, 8, 1)
    assert find_ranks(SLURM) == ONE  # a batch script is one process, whatever was asked for
    assert find_ranks(SLURM | STEP | {"SLURM_STEP_NUM_TASKS": "1"}) == ONE
    assert find_ranks(SLURM | STEP | torchrun) == Ranks(5, 8, 1)  # torchrun in a step
    assert "MASTER_ADDR" not in os.environ
    assert find_ranks(SLURM | STEP | {"SLURM_PROCID": "3", "SLURM_LOCALID": "1"}) == Ranks(3, 4, 1)
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == ("gpu07", "16711")
    monkeypatch.setenv("MASTER_ADDR", "chosen")
    find_ranks(SLURM | STEP)
    assert os.environ["MASTER_ADDR"] == "chosen"
    with pytest.raises(InputError, match="found RANK=x, WORLD_SIZE=2, LOCAL_RANK=None"):
        find_ranks({"RANK": "x", "WORLD_SIZE": "2"})


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu07", "gpu07"),
        ("gpu[07-09,12],big1", "gpu07"),
        ("big1,gpu[07-09]", "big1"),
        ("rack[2,4]node[11-12]", "rack2node11"),
        ("gpu-a[003].lab", "gpu-a003.lab"),
    ],
)
def test_meeting_point_is_on_the_first_node(nodes, first):
    assert meeting_point({"SLURM_STEP_NODELIST": nodes, "SLURM_JOB_ID": "99999999"})[0] == first


def test_steps_of_a_job_meet_at_different_ports_below_the_ephemeral_ones():
    ports = {
        meeting_point({"SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)})[1]
        for job in range(1_000_000, 1_000_020)
        for step in range(5)
    }
    assert len(ports) == 100
    assert 12_000 <= min(ports) <= max(ports) < 32_768
