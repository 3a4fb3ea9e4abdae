"""Splitting by chromosome: no contig, no stretch and no sequence straddles the parts."""

from dataclasses import asdict

import numpy as np
import pytest

from proformer.datasets.parts import split
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.tasks import Task


def windows(folder, sizes, seed=0, copies=0):
    random = np.random.default_rng(seed)
    contig = np.repeat(np.arange(len(sizes)), sizes)
    key = random.integers(0, 2**62, len(contig))
    key[-copies or len(key) :] = key[:copies]
    with StoreWriter(
        folder / "all.safetensors", {"task": asdict(Task()), "contigs": [f"chr{i}" for i in range(len(sizes))]}
    ) as writer:
        writer.append(
            codes=random.integers(0, 4, (len(contig), 100)).astype(np.uint8),
            target=random.normal(size=(len(contig), 1, 1)).astype(np.float32),
            group=key,
            contig=contig,
            start=random.integers(0, 100_000, len(contig)),
        )
    return folder / "all.safetensors"


def parts(store, folder, fractions=(0.9, 0.1), seed=1, block=None):
    outs = [folder / "train.safetensors", folder / "validation.safetensors"]
    split(store, outs, fractions, seed, "chromosome", block)
    return [open_store(out) for out in outs]


@pytest.mark.parametrize("seed", range(5))
def test_chromosomes_stay_together_and_fractions_are_near(tmp_path, seed):
    sizes = [900, 700, 600, 500, 300, 200, 150, 100, 80, 60]
    train, validation = parts(windows(tmp_path, sizes), tmp_path, seed=seed)
    here, there = (set(np.asarray(part.columns["contig"]).tolist()) for part in (train, validation))
    assert not here & there
    assert here | there == set(range(10))
    assert len(train) + len(validation) == sum(sizes)
    assert 0.05 < len(validation) / sum(sizes) < 0.2


def test_seeds_draw_other_chromosomes(tmp_path):
    store = windows(tmp_path, [100] * 20)
    drawn = {tuple(np.unique(parts(store, tmp_path, seed=seed)[1].columns["contig"])) for seed in range(5)}
    assert len(drawn) > 1
    assert all(len(contigs) == 2 for contigs in drawn)


def test_two_chromosomes_make_two_parts(tmp_path):
    train, validation = parts(windows(tmp_path, [500, 400]), tmp_path)
    assert (len(train), len(validation)) == (500, 400)


def test_a_small_fraction_of_chromosomes_trains(tmp_path):
    train, validation = parts(windows(tmp_path, [100] * 20), tmp_path, (0.5, 0.1))
    assert (len(train), len(validation)) == (1000, 200)


def test_copies_of_training_sequences_leave_the_validation(tmp_path):
    train, validation = parts(windows(tmp_path, [100] * 10, copies=300), tmp_path, (0.8, 0.2))
    assert not set(train.columns["group"].tolist()) & set(validation.columns["group"].tolist())


def test_stretches_of_one_chromosome_do_not_touch(tmp_path):
    train, validation = parts(windows(tmp_path, [4000]), tmp_path, block=10_000)
    starts = [np.asarray(part.columns["start"]) for part in (train, validation)]
    assert not set(starts[0] // 10_000) & set(starts[1] // 10_000)
    assert abs(starts[0][:, None] - starts[1]).min() >= 100
    assert 0.05 < len(validation) / 4000 < 0.2


def test_one_chromosome_or_none_is_refused(tmp_path, stores):
    with pytest.raises(InputError, match=r"all windows lie on 1 contig.* block length"):
        parts(windows(tmp_path, [50]), tmp_path)
    with pytest.raises(InputError, match="has no column contig"):
        parts(stores[0], tmp_path)
    assert not (tmp_path / "train.safetensors").exists()
