"""Splits by chromosome names, folds and files, empty parts, and stores of several tasks."""

import shlex
import tracemalloc
from contextlib import chdir
from dataclasses import asdict
from typing import ClassVar

import numpy as np
import pytest
import yaml

from proformer.datasets import draws
from proformer.datasets import parts as drawing
from proformer.datasets.parts import split
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.planning.configuration import read_configuration
from proformer.planning.data import has_test_part
from proformer.tasks import Task
from proformer.workflow.commands import split_commands

ROWS, NAMES = 600, ["chr1", "chr2", "chr3", "chr4"]
GROUP = np.arange(ROWS) // 2 % 250  # pairs, and 100 copies further down


@pytest.fixture
def store(tmp_path):
    random = np.random.default_rng(1)
    target = random.normal(size=(ROWS, 2, 8)).astype(np.float32) * np.array([1, 3])[:, None].astype(np.float32)
    with StoreWriter(
        tmp_path / "all", {"task": asdict(Task("profile", ("a", "b"), bin=4)), "contigs": NAMES}
    ) as writer:
        writer.append(
            target=target,
            codes=random.integers(0, 4, (ROWS, 32)).astype(np.uint8),
            group=GROUP,
            contig=np.arange(ROWS) // 150,
            start=np.arange(ROWS) * 10,
        )
    return tmp_path / "all"


def parts(store, number=3, **how):
    outs = [store.with_name(f"part{i}") for i in range(number)]
    counts = split(store, outs, **how)
    opened = [open_store(out) for out in outs]
    assert counts["rows"].tolist() == [len(part) for part in opened]
    groups = [set(np.asarray(part.columns["group"]).tolist()) for part in opened]
    assert not any(groups[a] & groups[b] for a in range(number) for b in range(a))
    return opened


def contigs(part):
    return sorted(set(np.asarray(part.columns["contig"]).tolist()))


def test_named_chromosomes_and_the_rest(store):
    assert list(map(contigs, parts(store, chromosomes=[["chr1", "chr4"], ["chr2"], ["chr3"]]))) == [[0, 3], [1], [2]]
    train, validation, _ = parts(store, chromosomes=[[], ["chr2"], ["chr3"]])
    assert contigs(train) == [0, 3]
    assert len(validation) == 150  # no copies of it elsewhere
    for names, message in (
        ([["chr9"], ["chr1"], []], "no chromosome 'chr9'"),
        ([["chr1"], ["chr1"], []], "two parts"),
    ):
        with pytest.raises(InputError, match=message):
            parts(store, chromosomes=names)


@pytest.mark.parametrize("nested", [None, 4])
def test_every_row_is_tested_in_one_fold(store, nested):
    tested, validated = [], []
    for fold in range(5):
        train, validation, test = parts(store, folds=(5, fold, nested), seed=3)
        assert len(train) + len(validation) + len(test) == ROWS
        assert len(train) > len(validation)
        tested += np.asarray(test.columns["start"]).tolist()
        validated.append(frozenset(np.asarray(validation.columns["group"]).tolist()))
    assert sorted(tested) == list(range(0, 10 * ROWS, 10))
    assert len(set(validated)) == 5
    with pytest.raises(InputError, match="at least 3"):
        parts(store, folds=(2, 0, nested))


def test_a_file_says_the_parts_and_must_keep_groups_whole(store, tmp_path):
    given = np.where(GROUP < 100, 0, np.where(GROUP < 200, 1, -1))
    np.savetxt(tmp_path / "parts.txt", given, fmt="%d")
    train, validation = parts(store, 2, file=tmp_path / "parts.txt")
    assert len(train) == (given == 0).sum()
    assert np.array_equal(validation.target, open_store(store).target[given == 1])
    given[0] = 1
    np.savetxt(tmp_path / "parts.txt", given, fmt="%d")
    with pytest.raises(InputError, match="one group"):
        parts(store, 2, file=tmp_path / "parts.txt")
    np.savetxt(tmp_path / "parts.txt", given[1:], fmt="%d")
    with pytest.raises(InputError, match="599 lines, expected one for each of 600"):
        parts(store, 2, file=tmp_path / "parts.txt")
    (tmp_path / "parts.txt").write_text("train\n")
    with pytest.raises(InputError, match="expected a whole number"):
        parts(store, 2, file=tmp_path / "parts.txt")


@pytest.mark.parametrize("by", ["random", "chromosome"])
def test_a_validation_part_may_be_empty(store, by):
    train, validation = parts(store, 2, fractions=(1, 0), by=by)
    assert (len(train), len(validation)) == (ROWS, 0)
    assert validation.target.shape == (0, 2, 8)
    assert validation.codes.shape == (0, 32)


def test_moments_are_per_task_and_of_the_training_part(store):
    train, validation = parts(store, 2, fractions=(0.7, 0.3))
    target = np.asarray(train.target, dtype=np.float64)
    assert train.task.mean == pytest.approx(target.mean(axis=(0, 2)))
    assert train.task.sd == pytest.approx(target.std(axis=(0, 2)))
    assert validation.task == train.task


def test_a_store_without_a_task_is_refused_in_one_line(tmp_path):
    with StoreWriter(tmp_path / "old") as writer:
        writer.append(codes=np.zeros((2, 5), np.uint8), target=np.zeros(2, np.float32), key=np.zeros(2, np.int64))
    with pytest.raises(InputError, match=r"`proformer prepare` makes it anew$"):
        open_store(tmp_path / "old")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"chromosomes": {"validation": ["chr2"], "test": ["chr3", "chr4"]}},
            {"chromosomes": [["chr1"], ["chr2"], ["chr3", "chr4"]]},
        ),
        ({"folds": {"number": 5, "test": 1, "validation": 3}}, {"folds": (5, 1, 3)}),
        ({"parts": {"file": "parts.txt", "test": True}}, {"file": "parts.txt"}),
    ],
)
def test_a_configuration_splits_by_names_folds_and_files(store, proformer, tmp_path, root, keys, expected):
    np.savetxt(tmp_path / "parts.txt", GROUP % 3, fmt="%d")
    dataset = {"train": "x.tsv", **keys}
    (tmp_path / "own.yaml").write_text(
        yaml.safe_dump({"demo": False, "results": "r", "runs": {}, "datasets": {"x": dataset}})
    )
    settings = read_configuration([tmp_path / "own.yaml"], root)[0]["datasets"]["x"]
    assert has_test_part(settings)
    outs = [f"{part}.safetensors" for part in ("train", "validation", "test")]
    command = split_commands(settings, 7, str(store), outs, "counts.tsv")
    done = proformer(*shlex.split(command.removeprefix("python -m proformer ")), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with chdir(tmp_path):
        wanted = parts(store, **expected)
    for made, part in zip(outs, wanted, strict=True):
        assert len(part) > 0
        assert np.array_equal(open_store(tmp_path / made).columns["start"], part.columns["start"])


def test_command_line(store, proformer, tmp_path):
    outs = [tmp_path / name for name in ("train", "validation", "test")]
    done = proformer("split", "--store", store, "--out", *outs, "--chromosomes", "", "chr2", "chr3,chr4")
    assert done.returncode == 0, done.stderr
    assert list(map(contigs, map(open_store, outs))) == [[0], [1], [2, 3]]
    done = proformer("split", "--store", store, "--out", *outs, "--folds", 5, 1, 3)
    assert done.returncode == 0, done.stderr
    assert 80 < len(open_store(outs[2])) < 160
    done = proformer("split", "--store", store, "--out", *outs[:2], "--folds", 5)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("draw", [draws.by_group, draws.by_fold, drawing._distinct])
def test_draws_and_counts_hold_a_piece_of_the_groups_at_a_time(draw, monkeypatch):
    """Of 51 million promoters the groups alone are 411 MB."""
    for module in (draws, drawing):
        monkeypatch.setattr(module, "CHUNK", 1 << 12)

    class Groups:
        columns: ClassVar = {"group": np.arange(1 << 20)}

        def __len__(self):
            return 1 << 20

    arguments = {"by_group": ((0.9, 0.1), 1), "by_fold": (10, 0, 5, 1)}.get(draw.__name__, (np.zeros(1 << 20), 0))
    tracemalloc.start()
    draw(Groups(), *arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (1 << 20) * 5  # bytes: the groups are eight a row
