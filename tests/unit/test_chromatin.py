"""Windows of chromatin: outside peaks with their G+C content, without outliers, and with counts of cut sites."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from proformer.atac.contigs import make_genome, open_genome
from proformer.atac.signal import Signal, write_signal
from proformer.datasets.coverage import Windows, make_coverage
from proformer.datasets.nonpeaks import matched_nonpeaks
from proformer.datasets.parts import split
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.planning.configuration import read_configuration
from proformer.points import training_jobs
from proformer.tasks import Task

LENGTHS = {"chr1": 6000, "chr2": 4000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A genome whose G+C content varies, a few peaks, and a region to leave out."""
    folder, random = tmp_path_factory.mktemp("genome"), np.random.default_rng(5)
    text = ""
    for name, length in LENGTHS.items():
        gc = 0.5 + 0.25 * np.sin(np.arange(length) / 300)
        strong = random.random(length) < gc
        letters = np.where(strong, random.choice(list("GC"), length), random.choice(list("AT"), length))
        text += f">{name}\n{''.join(letters)}\n"
    (folder / "raw.fa").write_text(text)
    make_genome(folder / "raw.fa", folder / "genome.fa")
    (folder / "peaks.bed").write_text("chr1\t1000\t1100\nchr1\t4000\t4080\nchr2\t2000\t2050\nchr1\t5\t60\n")
    (folder / "black.bed").write_text("chr2\t3000\t3400\n")
    return folder


def test_nonpeaks_are_apart_from_peaks_and_have_their_gc(folder):
    genome = open_genome(folder / "genome.fa")
    bed, counts = matched_nonpeaks(genome, folder / "peaks.bed", 100, 20, 3, folder / "black.bed")
    assert counts.set_index("what")["count"].to_dict() | {"free windows": 0} == {
        "peaks": 4, "with a whole window, not listed": 3, "free windows": 0, "drawn": 9, "lacking": 0
    }  # fmt: skip
    assert not bed.duplicated(["contig", "start"]).any()
    around = pd.concat([pd.read_csv(folder / f"{name}.bed", sep="\t", header=None) for name in ("peaks", "black")])
    for row in bed.itertuples():
        own = around[around[0] == row.contig]
        assert ((row.end <= own[1] - 50) | (row.start >= own[2] + 50)).all()
    names = {name: number for number, name in enumerate(genome.names)}

    def gc(contig, start):
        codes = genome.codes(np.array([names[contig]]), np.array([start]), 100)
        return np.isin(codes, [1, 2]).mean()

    wanted = {"chr1": [gc("chr1", 1000), gc("chr1", 3990)], "chr2": [gc("chr2", 1975)]}
    assert all(
        min(abs(gc(row.contig, row.start) - share) for share in wanted[row.contig]) < 0.06 for row in bed.itertuples()
    )
    again, _ = matched_nonpeaks(genome, folder / "peaks.bed", 100, 20, 3, folder / "black.bed")
    pd.testing.assert_frame_equal(bed, again)


def test_nonpeaks_that_run_out_are_counted(folder, tmp_path, proformer):
    words = ("--genome", folder / "genome.fa", "--peaks", folder / "peaks.bed", "--out", tmp_path / "n.bed")
    done = proformer("nonpeaks", *words, "--window", 1000, "--stride", 1000, "--counts", tmp_path / "c.tsv")
    counts = pd.read_csv(tmp_path / "c.tsv", sep="\t", index_col="what")["count"]
    assert done.returncode == 0, done.stderr
    assert counts["drawn"] + counts["lacking"] == 2 * counts["with a whole window, not listed"]
    assert counts["lacking"] > 0
    first = (tmp_path / "n.bed").read_text().splitlines()[0].split("\t")
    assert (len(first), int(first[9]), int(first[2]) - int(first[1])) == (10, 500, 1000)


def test_cut_sites_are_counted_as_chrombpnet_shifts_them(folder, tmp_path):
    genome = open_genome(folder / "genome.fa")
    (tmp_path / "f.bed").write_text("chr1\t100\t160\ts\nchr1\t100\t170\ts\n")
    write_signal(tmp_path / "f.bed", genome, tmp_path / "cuts.bw", "counts")
    found = Signal(tmp_path / "cuts.bw", genome).read(np.array([0]), np.array([0]), 300)[0]
    assert {place: found[place] for place in np.flatnonzero(found)} == {104: 2, 155: 1, 165: 1}


@pytest.mark.parametrize(("value", "shown"), [(-1.0, "-1"), (np.inf, "infinite")])
def test_coverage_that_is_negative_or_infinite_is_refused(folder, tmp_path, value, shown):
    with pyBigWig.open(str(tmp_path / "bad.bw"), "w") as file:
        file.addHeader(list(LENGTHS.items()))
        file.addEntries(["chr1"], [1050], ends=[1051], values=[value])
    plan = Windows(window=100, target=50, rows="regions", kind="counts and profile")
    with pytest.raises(InputError, match=rf"bad\.bw, chr1, base 1050: found coverage of {shown}"):
        make_coverage(
            open_genome(folder / "genome.fa"), {"cuts": tmp_path / "bad.bw"}, tmp_path / "s", plan,
            regions=[folder / "peaks.bed"],
        )  # fmt: skip
    assert not (tmp_path / "s").exists()


def counted(folder, totals, regions):
    """A store of windows with given total counts, on two contigs."""
    task = Task("counts and profile", ("cuts",), bin=1)
    rows = len(totals)
    target = np.zeros((rows, 1, 4), np.float32)
    target[:, 0, 1] = totals
    with StoreWriter(
        folder / "all", {"task": asdict(task), "layout": {"length": 10}, "contigs": ["chr1", "chr2"]}
    ) as store:
        store.append(
            codes=np.random.default_rng(0).integers(0, 4, (rows, 10), dtype=np.uint8), target=target,
            group=np.arange(rows), contig=np.zeros(rows, np.int64), start=10 * np.arange(rows),
            region_set=np.array(regions),
        )  # fmt: skip
    return folder / "all"


def parts_of(store, folder, **how):
    outs = [folder / name for name in ("train", "validation", "test")]
    split(store, outs, chromosomes=[[], ["1"], ["0"]], **how)
    return [open_store(out) for out in outs]


def test_stretches_fall_to_folds_in_turn(tmp_path):
    store = counted(tmp_path, np.full(60, 5), np.zeros(60, np.int64))
    train, validation, test = parts_of(store, tmp_path, stretches=(50, 3))
    for part, fold in ((test, 0), (validation, 1), (train, 2)):
        assert set(np.asarray(part.columns["start"]) // 50 % 3) == {fold}
    assert len(train) + len(validation) + len(test) == 60
    with pytest.raises(InputError, match="no chromosome '1'"):
        split(store, [tmp_path / "a", tmp_path / "b"], chromosomes=[[], ["1"]])


def test_test_windows_are_the_middle_that_training_reads(tmp_path):
    store = counted(tmp_path, np.arange(60) % 7, np.zeros(60, np.int64))
    whole = parts_of(store, tmp_path, stretches=(50, 3))
    whole = [(np.array(part.codes), np.array(part.target), np.array(part.columns["start"])) for part in whole]
    train, _, test = parts_of(store, tmp_path, stretches=(50, 3), trim=2)
    assert np.array_equal(test.codes, whole[2][0][:, 1:-1])
    assert np.array_equal(test.target, whole[2][1][:, :, 1:-1])
    assert np.array_equal(test.columns["start"], whole[2][2] + 1)
    assert (train.codes.shape[1], train.meta["layout"]["length"], test.meta["layout"]["length"]) == (10, 10, 8)


def test_outliers_leave_training_and_validation_alone(tmp_path):
    totals = np.r_[np.full(60, 20.0)]
    totals[[3, 7, 13]] = 1000, 1000, 0  # of the test, the validation and the training part
    store = counted(tmp_path, totals, np.zeros(60, np.int64))
    parts = parts_of(store, tmp_path, stretches=(50, 3), outliers=0.03)
    assert [part.target.sum(axis=(1, 2)).max() for part in parts] == [20, 20, 1000]
    assert sum(map(len, parts)) == 58
    assert {part.task.count_weight for part in parts} == {2.0}  # a tenth of the median


def test_the_bias_is_learned_from_closed_windows_alone(tmp_path):
    totals, regions = np.r_[np.full(30, 20.0), np.tile([3.0, 12.0], 15)], np.repeat([0, 1], 30)
    store = counted(tmp_path, totals, regions)
    train, validation, test = parts_of(store, tmp_path, stretches=(50, 3), closed=0.5)
    for part in (train, validation):
        assert set(part.columns["region_set"].tolist()) == {1}
        assert part.target.sum(axis=(1, 2)).max() < 10
    assert set(test.columns["region_set"].tolist()) == {0, 1}


def test_models_find_the_bias_of_their_fold(root):
    config, _ = read_configuration([], root)
    jobs = training_jobs(config)
    biased = [job for job in jobs if job.needs]
    assert {job.run for job in biased} == {"chrombpnet", "profile-dream-cnn"}
    for job in biased:
        assert job.needs.endswith(f"run~bias_fold~{job.fold}_seed~{job.seed}")
        assert job.config["model"]["bias_weights"] == f"results/models/{job.needs}"
    config["runs"]["chrombpnet"]["keys"]["bias_weights"] = "run:nothing"
    with pytest.raises(InputError, match="chrombpnet: bias_weights: found no model of nothing for fold 0-0"):
        training_jobs(config)
