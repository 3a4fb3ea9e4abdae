"""What `proformer plan` says, against numbers that are known otherwise."""

import gzip
import json
import math
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from proformer.errors import InputError
from proformer.models import build, resolve
from proformer.planning import rates
from proformer.planning.configuration import read_configuration
from proformer.planning.cost import TRAINING, JobCost, cost, forward_flops, job_costs, kept_bytes
from proformer.planning.data import Amount, count_rows, find, part_rows
from proformer.planning.plan import Item, Plan, PlannedTraining, as_dict, as_rows, as_text, make_plan, read_samples_of
from proformer.points import TrainingJob
from proformer.sources.catalogue import load_catalogue
from proformer.units import as_bytes, as_count, as_hours
from proformer.workflow.commands import training_minutes

STRAIGHT = {"merge_projections": False, "read_rows_only": False}  # as published


def published_flops(
    dim, heads, blocks, length=100, kmer=10, head="meh", expression_heads=32, expression_start="shared"
):
    """FLOPs of a published Proformer's forward pass, both strands: matrix products and convolutions, by hand."""
    strands, tokens = 2 * length, 0 if head == "ap" else expression_heads
    rows = strands + tokens
    feed_forward = 2 * rows * (4 + 2) * dim**2
    convolution = 30 * rows * dim + 2 * rows * dim**2
    attention = 8 * rows * dim**2 * heads + 4 * rows**2 * dim * heads
    stem = 2 * strands * 6 * kmer * dim + (2 * tokens * dim if expression_start == "shared" else 0)
    ends = 2 * tokens * dim + 2 * strands * dim * 6 if tokens else 2 * dim
    ends += 4 * tokens * dim**2 if head == "glu" else 0
    return stem + blocks * (2 * feed_forward + convolution + attention) + ends


@pytest.mark.parametrize(("dim", "heads", "blocks", "gflop"), [(512, 8, 4, "76.35"), (64, 2, 2, "0.413")])
def test_training_flops_are_those_of_the_paper(dim, heads, blocks, gflop):
    shape = {"dim": dim, "heads": heads, "blocks": blocks}
    straight, ours = cost(shape | STRAIGHT), cost(shape)
    digits = len(gflop.partition(".")[2])
    assert f"{TRAINING * published_flops(**shape) / 1e9:.{digits}f}" == gflop
    assert straight.training_flops == pytest.approx(TRAINING * published_flops(**shape), rel=2e-3)  # some nucleotides
    assert 0.5 < ours.training_flops / straight.training_flops < 0.7
    assert ours.parameters == straight.parameters


@settings(max_examples=25, deadline=None)
@hypothesis_given(
    dim=st.integers(1, 24),
    heads=st.integers(1, 4),
    blocks=st.integers(1, 3),
    length=st.integers(2, 30),
    kmer=st.integers(1, 7),
    head=st.sampled_from(["ap", "meh", "glu"]),
    expression_heads=st.integers(1, 9),
    expression_start=st.sampled_from(["shared", "learned"]),
)
def test_what_is_counted_is_the_published_arithmetic(**keys):
    found, expected = cost(keys | STRAIGHT), published_flops(**keys)
    nucleotides = 2 * 2 * keys["length"] * keys["dim"] * 6  # which a prediction does not need, read one and all
    assert expected - nucleotides <= found.forward_flops <= expected
    masked = published_flops(**{**keys, "head": "ap"}) if keys["head"] == "ap" else expected
    assert TRAINING * (masked - nucleotides) <= found.training_flops <= TRAINING * masked


NINE = (
    "proformer", "bhi", "crmnet", "danq", "deepatt", "deepsea", "legnet", "vaishnav_convolutional",
    "vaishnav_transformer",
)  # fmt: skip
RATE = rates.sustained(1)
TINY = {"model": "proformer", "dim": 16, "heads": 2, "blocks": 2}


@pytest.fixture
def tiny(root, monkeypatch, tmp_path):
    """A model of the user's own: a recurrent layer, which torch counts on shapes alone, and a dense one."""
    import proformer.models as models

    (tmp_path / "tinyrnn.py").write_text(
        """
from dataclasses import dataclass
from torch import nn
from proformer.models.base import Model

@dataclass(frozen=True)
class Config:
    length: int = 100
    width: int = 8

class Recurrent(Model):
    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(6, 4)
        self.rnn = nn.LSTM(4, config.width, batch_first=True)
        self.dense = nn.Linear(config.width, 1)

    def forward(self, codes):
        return self.dense(self.rnn(self.embedding(codes.long()))[0].mean(1))[:, :, None]

build = Recurrent
"""
    )
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    return {"model": "tinyrnn", "length": 10, "width": 8}


def test_other_models_are_counted_by_torch(tiny):
    found = cost(tiny)
    assert found.forward_flops == 2 * 10 * 4 * 8 * (4 + 8) + 2 * 8  # four gates at 10 positions, and the dense layer
    assert found.training_flops == TRAINING * found.forward_flops
    assert found.parameters == 6 * 4 + 4 * 8 * (4 + 8 + 2) + 8 + 1
    assert forward_flops(tiny) == found.forward_flops


@pytest.mark.parametrize("model", NINE)
def test_costs_need_shapes_alone(model, monkeypatch):
    """Large models are counted without their memory; a layer that asks a tensor for its value would prevent it."""
    monkeypatch.setattr("proformer.planning.cost.ROWS", {"meta": 512})
    keys = {"model": model} | (TINY if model == "proformer" else {})
    assert cost(keys | {"length": 101}).training_flops > 0


@pytest.mark.parametrize("head", ["ap", "meh", "glu"])
def test_kept_memory_is_that_of_real_tensors(head):
    keys = resolve({**TINY, "head": head, "fuse_feed_forward": False})  # as on a GPU
    codes = torch.zeros(3, 100, dtype=torch.uint8)
    kept = {}
    for device in ("meta", "cpu"):
        with torch.device(device):
            model = build(keys)
        there = codes.to(device)
        three, two = (kept_bytes(model, partial(model, there[:number])) for number in (3, 2))
        kept[device] = three - two
    assert kept["meta"] == pytest.approx(kept["cpu"], rel=0.05)
    assert cost(keys).activation_bytes == pytest.approx(kept["cpu"], rel=0.2)  # with masks and their nucleotides


def job(name="a", nucleotides=30, training=None, recipe="grid", **model):
    model = {"model": "proformer", "blocks": 1, "dim": 8, "heads": 1} | model
    config = {"model": model, "training": training or {}, "recipe": recipe}
    return TrainingJob(name, "grid", "dream", 1, config, {"x": name}, {"length": nucleotides})


def test_costs_are_kept_by_model_recipe_and_length(tmp_path, monkeypatch):
    kept, jobs = tmp_path / "new/costs.json", [job(), job("b", 40), job("c", recipe="final"), job("d", dim=4)]
    first, skipped = job_costs(jobs, kept)
    price = cost(resolve({"kmer": 5, **job().config["model"]}, {"length": 30}))
    assert first["a"] == JobCost(*vars(price).values(), epochs=20, batch_size=512, epoch_rows=0, precision="float32")
    assert len({*first.values()}) == 4
    assert not skipped
    monkeypatch.setattr("proformer.planning.cost._job_cost", None)  # nothing is counted again
    assert job_costs(jobs, kept)[0] == first


def test_epochs_of_a_recipe_count_in_the_time_that_a_training_asks_for():
    legnet = replace(job(), config={"model": {"model": "legnet", "widths": [8, 8]}, "training": {}})
    costs, _ = job_costs([legnet])
    price = costs["a"]
    assert (price.epochs, price.batch_size, price.epoch_rows) == (80, 512, 512_000)
    results = SimpleNamespace(config={"device": "cpu", "threads": 4}, costs=costs)
    minutes = price.training_flops * 512_000 * 80 / 20e9 / 60
    assert training_minutes([legnet], 1, 0.1, results) == 30 + int(minutes) > 60


def test_what_cannot_be_built_is_listed_and_a_run_without_anything_else_refused(monkeypatch):
    monkeypatch.setattr("proformer.models.danq.build", lambda config: 1 / 0)
    danq = job("b")
    danq.config["model"] = {"model": "danq"}
    danq.config.pop("recipe")
    costs, skipped = job_costs([job(), danq])
    assert costs.keys() == {"a"}
    assert skipped == {"b": "ZeroDivisionError: division by zero"}
    with pytest.raises(InputError, match=r"runs: grid: the model cannot be built: ZeroDivisionError"):
        job_costs([danq])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"widht": 3}, "unknown key 'widht'"),
        ({"dim": 0}, "dim is 0"),
        ({"length": 50}, "length is 50, the data set dream has 30"),
        ({"training": {"epoch": 3}}, "unknown key 'epoch'"),
        ({"training": {"select": "speed"}}, "select is 'speed'"),
        ({"recipe": "gird"}, "no recipe 'gird'"),
        ({"model": "moon"}, "no file moon.py"),
    ],
)
def test_wrong_settings_name_their_run(keys, message):
    with pytest.raises(InputError, match=f"^runs: grid: .*{re.escape(message)}"):
        job_costs([job(), job("b", **keys)])


def test_rates_given_sustained_and_assumed():
    assert rates.given(500).speed(1e9) == 500
    assert rates.sustained(3).speed(3e9) == pytest.approx(1000)
    assert rates.assumed("cuda", 1).speed(cost({"model": "proformer"}).training_flops) == pytest.approx(338)


def test_measured_rates_are_interpolated_between_sizes(tmp_path):
    path = tmp_path / "rates.tsv"
    path.write_text("device\ttraining_flops\tsequences_per_second\nx\t1e8\t10000\nx\t1e10\t1000\n")
    rate = rates.measured(path)
    assert rate.speed(1e8) == pytest.approx(10_000)
    assert rate.speed(1e9) == pytest.approx(math.sqrt(1e12 * 1e13) / 1e9)
    assert rate.speed(1e11) == pytest.approx(100)  # no faster than the largest that was measured
    for text, message in (
        ("flops\n1\n", "no column training_flops"),
        ("training_flops\tsequences_per_second\n1\t-3\n", "line 2: expected positive numbers"),
        ("training_flops\tsequences_per_second\n", "found no rows"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            rates.measured(path)


def test_a_run_says_how_fast_the_next_is(stores, tmp_path):
    from proformer.training.run import train

    with pytest.raises(InputError, match="no trained models"):
        rates.measured(tmp_path)
    config = {"model": {"dim": 8, "heads": 1, "blocks": 1, "kmer": 5}, "training": {"epochs": 1, "batch_size": 32}}
    out = tmp_path / "models/dataset~x/point"
    train(config, *stores, out, out / "checkpoint.pt", device="cpu", threads=1)
    measured = float((out / "metrics.tsv").read_text().splitlines()[1].split("\t")[-1])
    model = json.loads((out / "model.json").read_text())["model"]
    assert rates.measured(tmp_path).speed(cost(model).training_flops) == pytest.approx(measured, rel=1e-6)


@pytest.fixture
def config(root, tmp_path):
    """The configuration of some files and further keys, with results where nothing is."""

    def read(*files, **keys):
        (tmp_path / "more.yaml").write_text(yaml.safe_dump({"results": str(tmp_path / "results"), **keys}))
        return read_configuration([*(root / file for file in files), tmp_path / "more.yaml"], root)[0]

    return read


def test_configuration_is_that_of_snakemake(config, root):
    found = config("config/paper.yaml", seeds=[1, 2])
    assert found["seeds"] == [1, 2]  # later files go first
    assert found["device"] == "cuda"  # then those before them
    assert found["simulate"]["train"] == 1100  # then config.yaml
    assert found["datasets"]["dreamfull"]["split"] == "random"  # then the schema's defaults
    for keys, message in (
        ({"result": 1}, "unknown key 'result'; did you mean 'results'"),
        ({"seeds": [-1]}, r"^seeds\.0: found -1, expected a whole number of at least 0"),
    ):
        with pytest.raises(InputError, match=message):
            config(**keys)
    with pytest.raises(InputError, match="no such configuration file"):
        read_configuration(["nowhere.yaml"], root)


def test_rows_are_known_before_anything_is_there(config, tmp_path, root):
    catalogue = load_catalogue()
    paper = config("config/paper.yaml")
    assert count_rows("dream", paper, catalogue) == (6_739_258, "the catalogue")
    assert count_rows("atac", paper, catalogue) == (100_000, "atac.windows.number")
    assert count_rows("dream", config(), catalogue) == (1100, "simulate.train")
    (tmp_path / "mine.tsv").write_text("ACGT\t1\n" * 70)
    with gzip.open(tmp_path / "mine.tsv.gz", "wt") as handle:
        handle.write("ACGT\t1\n" * 80)
    for name, rows in (("mine.tsv", 70), ("mine.tsv.gz", 80)):
        mine = config(datasets={"dream": {"train": str(tmp_path / name)}})
        assert count_rows("dream", mine, catalogue) == (rows, "its lines")
    other = config(datasets={"dream": {"train": "gm12878-atac-1-1"}})
    assert count_rows("dream", other, catalogue)[0] is None


def test_rows_of_several_files_add_up(config):
    both = config(datasets={"dream": {"train": ["dream-train", "dream-train-sample"], "test": "public"}})
    assert count_rows("dream", both, load_catalogue()) == (6_739_258 + 6_370, "the catalogue")
    item = next(item for item in make_plan(both, RATE).items if item.name == "dream")
    assert {"dream-train", "dream-train-sample"} <= {file.name for file in item.files}
    assert "public" not in {file.name for file in item.files}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, (800, 200, "")),
        ({"folds": {"number": 10, "test": 0}}, (800, 100, "")),
        ({"folds": {"number": 10, "test": 0, "validation": 9}}, (800, 100, "")),
        ({"parts": {"file": "parts.txt"}}, (2, 1, "")),
        ({"chromosomes": {"validation": ["I"]}}, (1000, 0, " at most (their chromosomes are not known yet)")),
    ],
)
def test_parts_are_counted_as_they_are_made(keys, expected, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts.txt").write_text("0\n0\n1\n2\n-1\n")
    assert part_rows("dream", config(datasets={"dream": keys}), 1000, "seed~1") == expected


def test_parts_that_are_there_are_counted(config, stores):
    made = config()
    folder = Path(made["results"], "data/dream/seed~1")
    folder.mkdir(parents=True)
    for part, store in zip(("train", "validation"), stores, strict=True):
        (folder / f"{part}.safetensors").symlink_to(store)
    train, validation, _ = part_rows("dream", made, 10**6, "seed~1")
    assert 30 < validation < train < 300


def test_rows_of_a_store_go_first(config, stores):
    made = config()
    place = Path(made["results"], "data/dream/all.safetensors")
    place.parent.mkdir(parents=True)
    place.symlink_to(stores[0].parent / "all.safetensors")
    assert count_rows("dream", made, load_catalogue()) == (300, "its store")


def test_files_in_a_mirror_need_no_download(config, tmp_path):
    catalogue = load_catalogue()
    far = find("dream-train-sample", config(), catalogue)
    assert (far.download, far.disk) == (Amount(760_902), Amount(760_902))
    copy = tmp_path / "mirror" / catalogue["dream-train-sample"].mirror_path
    copy.parent.mkdir(parents=True)
    copy.write_text("x" * 1000)
    near = find("dream-train-sample", config(mirror=str(tmp_path / "mirror")), catalogue)
    assert (near.download, near.disk) == (Amount(0), Amount(1000))
    unknown = find("gm12878-atac-1-1", config(), catalogue)
    assert str(unknown.download) == "?"
    assert str(unknown.download + Amount(2e6)) == "2 MB + ?"


HUMAN = ("human2", "human4", "human6", "human8", "human10", "humanpeaks", "humanlabels")  # rows are not known before


def test_the_paper_costs_what_its_grid_costs(config):
    made = config("config/paper.yaml", atac=None, datasets=dict.fromkeys(HUMAN))
    plan = make_plan(made, rates.sustained(100))
    dream = next(item for item in plan.items if item.name == "dream")
    assert (dream.jobs, len(dream.trainings)) == (72, 72)
    expected = 0
    for dim, heads in ((64, 2), (128, 4), (256, 8)):
        for blocks in (1, 2, 4, 8):
            for tokens in (0, 1, 8, 16, 32, 64):
                head = {"head": "meh", "expression_heads": tokens} if tokens else {"head": "ap"}
                price = cost({"dim": dim, "heads": heads, "blocks": blocks, "kmer": 5, **head})
                expected += 20 * (673_925 * price.training_flops + 134_785 * price.forward_flops)
    assert dream.flops == pytest.approx(expected, rel=1e-9)
    assert dream.device_hours == pytest.approx(expected / 1e14 / 3600, rel=1e-9)
    final = next(item for item in plan.items if item.name == "dreamfull")
    assert [training.devices for training in final.trainings] == [4] * 4 + [1] * 7  # Proformers, then others
    assert final.trainings[0].hours == pytest.approx(final.trainings[0].device_hours / 4)
    assert {47_425_543} <= {training.parameters for training in final.trainings}
    assert "dream-train" not in {file.name for file in final.files}  # the data set before reads the same file
    whole = as_dict(plan)["total"]
    assert whole["flops"] == pytest.approx(sum(item.flops for item in plan.items))
    assert whole["download"]["known"] > 119.5 * (6_739_258 + 71_103 + 30_722_376 + 20_616_659)


def test_seeds_and_packs_are_counted(config):
    keys = {"atac": None, "datasets": dict.fromkeys(("coverage", "coverage_peaks", "coverage_labels"))}  # rows unknown
    one = make_plan(config(**keys), RATE).everything
    three = make_plan(config(**keys, seeds=[1, 2, 3], points_per_job=5), RATE).everything
    assert len(three.trainings) == 3 * len(one.trainings)
    assert three.flops == pytest.approx(3 * one.flops)
    by_dataset = Counter(training.path.partition("/")[0] for training in one.trainings)
    assert three.jobs == 3 * sum(math.ceil(count / 5) for count in by_dataset.values())
    assert three.disk.known > one.disk.known
    assert one.device_hours == pytest.approx(three.device_hours / 3)


def test_small_models_of_ones_own_have_an_estimate_and_ask_for_little(config, tmp_path):
    (tmp_path / "mine.tsv").write_text("ACGT\t1\n" * 1000)
    made = config("config/own.yaml", datasets={"mine": {"train": str(tmp_path / "mine.tsv")}})
    plan = make_plan(made, rates.assumed("cpu", made["threads"]))
    assert plan.everything.jobs == 1
    assert plan.everything.device_hours == pytest.approx(plan.everything.flops / 5e9 / made["threads"] / 3600)
    sizes = [training.host_bytes for training in plan.everything.trainings]
    assert all(0.7e9 <= size < 1.5e9 for size in sizes)
    assert plan.everything.memory == sum(sizes)  # they train side by side


def test_what_is_not_known_is_said(config):
    text = as_text(
        make_plan(config("config/paper.yaml"), rates.assumed("cuda", 1), [dict.fromkeys(SAMPLE, "") | READS])
    )
    for name in ("gm12878-atac-1-1", "stores of human2", "hg38-genome"):
        assert re.search(rf"^sizes that are not known.*{name}", text, re.MULTILINE)
    assert "GPU hours: at 15.5 TFLOP/s, the released training's on an A100" in text
    assert "dream-train 805 MB" in text
    demo = as_text(make_plan(config(), rates.assumed("cpu", 4)))
    assert "CPU hours: at 0.02 TFLOP/s, assumed of the CPU; `proformer benchmark` measures it" in demo
    assert "ON GPU" not in demo


def test_trainings_of_a_benchmark_add_up(config):
    one = PlannedTraining("x", 1, "float32", "float32", 10, 1.0, 1.0, 1.0, 1.0)
    items = tuple(Item(name, 1, (one,) * 360) for name in ("hepg2", "k562", "wtc11"))
    titles = {"human lentiMPRA": ["hepg2", "k562", "wtc11"], "Drosophila": ["starrseq"]}
    text = as_text(Plan(items, rates.assumed("cuda", 1), "GPU", benchmarks=titles))
    assert "\nhuman lentiMPRA: 1,080 trainings, on hepg2, k562, wtc11\n" in text
    assert "Drosophila" not in text
    sample = config("config/sample.yaml")
    rows = [count_rows(name, sample, load_catalogue())[0] for name in ("starrseq", "hepg2")]
    assert rows == [2969, 2940]


def test_the_readme_has_what_the_plan_says_of_the_paper(config, root):
    made = config("config/paper.yaml")
    rows = as_rows(make_plan(made, rates.assumed("cuda", 1), read_samples_of(made, root)))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    readme = (root / "README.md").read_text()
    assert all(line in readme for line in lines[1:]), "README, What the paper costs, wants:\n" + "\n".join(lines)


SAMPLE = ("sample", "read1", "read2", "bam", "fragments", "peaks", "bigwig")
READS = {"sample": "rep1", "read1": "gm12878-atac-1-1", "read2": "gm12878-atac-1-2"}


def test_the_command(proformer, root):
    done = proformer("plan", "--configfile", "config/sample.yaml", "--rate", "100", "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["total"]["download"]["unknown"] == []
    hours = [training["device_hours"] for training in plan["trainings"]]
    assert plan["total"]["device_hours"] == (None if None in hours else pytest.approx(sum(hours)))
    assert plan["rate"] == "100 sequences/s, as given"
    bad = proformer("plan", "--rate", "-1", cwd=root)
    assert bad.returncode == 2
    assert bad.stderr == "proformer plan: error: argument --rate: found '-1', expected a number above 0\n"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (as_bytes(0), "0 B"), (as_bytes(999_600), "1 MB"), (as_bytes(2.94e9), "2.94 GB"), (as_bytes(5e15), "5e+03 TB"),
        (as_hours(0.25), "15 min"), (as_hours(1.04), "1.0 h"), (as_hours(12_345), "12,345 h"),
        (as_count(7), "7"), (as_count(105_415), "105 k"), (as_count(47_425_543), "47.4 M"),
    ],
)  # fmt: skip
def test_units_read_plainly(found, text):
    assert found == text
