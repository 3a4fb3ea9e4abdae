"""Where there is no bf16 arithmetic, bf16 is float32: in trainings, their records, plans and rates."""

import json
import os
import platform
import subprocess
import sys

import pandas as pd
import pytest
import torch
from processes import finish, script, start_ranks

from proformer.planning import benchmark, rates
from proformer.planning.configuration import read_configuration
from proformer.planning.plan import as_dict, as_text, make_plan
from proformer.training import loop, run
from proformer.training.device import NO_BF16, has_bf16

CONFIG = {
    "model": {"dim": 8, "heads": 1, "blocks": 1, "kmer": 5, "expression_heads": 4},
    "training": {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "precision": "bf16"},
}
CPU = torch.device("cpu")


def train(stores, out, monkeypatch, there, config=CONFIG, minutes=10.0):
    monkeypatch.setattr(run, "has_bf16", lambda where: there)
    run.train(config, *stores, out, out / "c.pt", device="cpu", threads=1, checkpoint_minutes=minutes)
    metrics = pd.read_csv(out / "metrics.tsv", sep="\t").drop(columns="sequences_per_second")
    return metrics.to_csv(), json.loads((out / "model.json").read_text())


def test_without_it_a_training_is_that_in_float32(stores, tmp_path, monkeypatch, capsys):
    plain = {"model": CONFIG["model"], "training": CONFIG["training"] | {"precision": "float32"}}
    expected, _ = train(stores, tmp_path / "float32", monkeypatch, False, plain)
    assert NO_BF16 not in capsys.readouterr().err
    found, made = train(stores, tmp_path / "bf16", monkeypatch, False)
    assert found == expected
    assert capsys.readouterr().err.splitlines().count(NO_BF16) == 1
    assert (made["training"]["precision"], made["made_by"]["precision"]) == ("bf16", "float32")


def test_with_it_products_are_in_bf16(stores, tmp_path, monkeypatch, capsys):
    without, _ = train(stores, tmp_path / "without", monkeypatch, False)
    capsys.readouterr()
    found, made = train(stores, tmp_path / "with", monkeypatch, True)
    assert found != without
    assert made["made_by"]["precision"] == "bf16"
    assert NO_BF16 not in capsys.readouterr().err


def test_a_run_goes_on_where_there_is_none(stores, tmp_path, monkeypatch):
    update, steps = loop.Run._update, iter(range(1000))

    def stop(self, batch):
        if next(steps) == 3:
            raise KeyboardInterrupt
        return update(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "_update", stop)
        with pytest.raises(KeyboardInterrupt):
            train(stores, tmp_path, patch, True, minutes=0)
    _, made = train(stores, tmp_path, monkeypatch, False)
    assert made["made_by"]["precision"] == "bf16, then float32"


def test_processes_agree(stores, tmp_path):
    """One of two has none: both compute in float32."""
    (tmp_path / "mixed.py").write_text(
        "import os, sys\n"
        "from proformer.cli import main\n"
        "from proformer.training import run\n"
        "run.has_bf16 = lambda device: os.environ['RANK'] == '0'\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = [tmp_path / "mixed.py", "train", "--train", stores[0], "--validation", stores[1], "--threads", "1"]
    words += ["--config", json.dumps(CONFIG), "--device", "cpu", "--out", tmp_path / "out"]
    codes, said = finish(start_ranks(2, lambda rank: words, script))
    assert codes == [0, 0], said
    assert "".join(said).count(NO_BF16) == 1
    assert json.loads((tmp_path / "out/model.json").read_text())["made_by"]["precision"] == "float32"


@pytest.mark.parametrize(
    ("lacks", "expected"),
    [
        ({}, True),
        ({"instructions": False}, False),  # AVX-512 of before 2020: oneDNN takes bf16 and emulates it
        ({"onednn": False}, False),
        ({"kernels": "AVX2"}, False),  # as ATEN_CPU_CAPABILITY=avx2 has it
        ({"limit": "avx512_core_vnni"}, False),
        ({"limit": "AVX512_CORE_AMX"}, True),
        ({"machine": "aarch64", "instructions": False, "kernels": "DEFAULT"}, True),
        ({"machine": "aarch64", "onednn": False}, False),
    ],
)
def test_what_has_it(lacks, expected, monkeypatch):
    has = {"instructions": True, "onednn": True, "kernels": "AVX512", "limit": "", "machine": "x86_64"} | lacks
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has["onednn"])
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has["instructions"])
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: has["kernels"])
    monkeypatch.setattr(platform, "machine", lambda: has["machine"])
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", has["limit"])
    assert has_bf16(CPU) == expected


@pytest.mark.parametrize("there", [False, True])
def test_a_gpu_is_asked_for_its_own(there, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: there and not including_emulation)
    assert has_bf16(torch.device("cuda")) == there


@pytest.mark.parametrize("switch", [{"ATEN_CPU_CAPABILITY": "avx2"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"}])
@pytest.mark.skipif(platform.machine() != "x86_64", reason="these switches are those of x86")
def test_switched_off_it_is_not_there(switch, root):
    code = "import torch; from proformer.training.device import has_bf16; print(has_bf16(torch.device('cpu')))"
    environment = os.environ | {"PYTHONPATH": str(root / "src")} | switch
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("there", [False, True])
def test_the_plan_knows(there, monkeypatch, root):
    monkeypatch.chdir(root)
    monkeypatch.setattr("proformer.training.device.has_bf16", lambda where: there)
    config, _ = read_configuration([])
    config |= {"atac": None, "runs": {"grid": config["runs"]["grid"]}}
    config["runs"]["grid"]["training"]["precision"] = "bf16"
    plan = make_plan(config, rates.sustained(1))
    on_dream = [training for training in as_dict(plan)["trainings"] if "dataset~dream/" in training["path"]]
    assert {training["computed_in"] for training in on_dream} == {"bf16" if there else "float32"}
    assert (f"asked for by {len(on_dream)} trainings; this processor has none" in as_text(plan)) != there
    on_gpus = make_plan(config | {"device": "cuda"}, rates.sustained(1))
    assert {training.computed_in for training in on_gpus.everything.trainings} >= {"bf16"}


@pytest.mark.parametrize("there", [False, True])
def test_rates_are_those_of_what_is_computed(there, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "has_bf16", lambda where: there)
    table = benchmark.measure("cpu", 1, [(8, 1, 1)], "bf16")
    assert table["precision"].tolist() == ["bf16" if there else "float32"]
    assert (NO_BF16 in capsys.readouterr().err) != there
