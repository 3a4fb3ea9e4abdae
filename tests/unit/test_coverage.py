"""From a genome and its bigWigs to a store of profiles."""

from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from proformer.atac.contigs import make_genome, open_genome
from proformer.datasets.coverage import Windows, make_coverage
from proformer.datasets.parts import split
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.sequences import decode

LENGTHS = {"chr1": 400, "chr2": 300, "chr3": 250}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Folder of a genome, two tracks of it, peaks; and the bases and the values by contig."""
    folder, random = tmp_path_factory.mktemp("toy"), np.random.default_rng(3)
    bases = {
        name: "".join(random.choice(list("ACGTN"), length, p=[0.24] * 4 + [0.04])) for name, length in LENGTHS.items()
    }
    (folder / "raw.fa").write_text("".join(f">{name}\n{text}\n" for name, text in bases.items()))
    make_genome(folder / "raw.fa", folder / "genome.fa")
    values = {}
    for task in ("a", "b"):
        values[task] = {
            name: np.float32(random.gamma(0.3, 2, length) * (random.random(length) < 0.5))
            for name, length in LENGTHS.items()
        }
        write(folder / f"{task}.bw", LENGTHS, values[task])
    (folder / "a.bed").write_text("chr1\t100\t140\nchr2\t10\t20\nchr3\t240\t250\n")
    (folder / "b.bed").write_text("chr1\t130\t150\nchr3\t50\t60\n")
    (folder / "gaps.bed").write_text("chr1\t100\t130\nchr3\t0\t5\n")
    return folder, bases, values


def write(path: Path, lengths, values):
    """A bigWig that lacks the bases without a value."""
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(lengths.items()))
        for name, numbers in values.items():
            at = np.flatnonzero(numbers)
            file.addEntries([name] * len(at), at.tolist(), ends=(at + 1).tolist(), values=numbers[at].tolist())


def make(folder, out, peaks=False, tracks=("a", "b"), **plan):
    beside = {"peaks": {task: folder / f"{task}.bed" for task in ("a", "b")}} if peaks else {}
    more = {name: plan.pop(name) for name in ("regions", "gaps", "exclude", "compared") if name in plan}
    files = {task: folder / f"{task}.bw" for task in tracks}
    counts = make_coverage(open_genome(folder / "genome.fa"), files, out, Windows(**plan), **beside, **more)
    return open_store(out), dict(zip(counts["what"], counts["count"], strict=True))


def place(store, row):
    return store.meta["contigs"][store.columns["contig"][row]], int(store.columns["start"][row])


def test_tiles_hold_sequence_and_mean_coverage_of_all_windows_above_the_threshold(toy, tmp_path):
    folder, bases, values = toy
    store, counts = make(folder, tmp_path / "s", window=30, target=20, bin=5, threshold=4.0, gaps=folder / "gaps.bed")
    expected = [
        (name, start)
        for name, tiles in {
            "chr1": [*range(0, 90, 30), *range(130, 371, 30)],
            "chr2": range(0, 300, 30),
            "chr3": range(5, 216, 30),
        }.items()
        for start in tiles
    ]
    high = [
        max(values[task][name][start : start + 30].max() for task in "ab").astype(np.float16) > 4
        for name, start in expected
    ]
    assert [place(store, row) for row in range(len(store))] == [
        at for at, kept in zip(expected, high, strict=True) if kept
    ]
    assert counts["not above the threshold"] == len(expected) - len(store) > 0
    for row in range(len(store)):
        name, start = place(store, row)
        assert decode(store.codes[row]) == bases[name][start : start + 30].strip("N")
        for task, track in enumerate("ab"):
            own = values[track][name][start + 5 : start + 25].reshape(4, 5)
            assert store.target[row, task] == pytest.approx(own.mean(axis=1), rel=1e-6)
    assert (store.task.names, store.task.bin, store.task.kind) == (("a", "b"), 5, "profile")


def test_the_test_part_has_a_threshold_of_its_own(toy, tmp_path):
    store, _ = make(toy[0], tmp_path / "s", window=50, threshold=1e4, test_threshold=-1.0, test=("chr2",))
    assert {place(store, row)[0] for row in range(len(store))} == {"chr2"}
    assert len(store) == 6


def test_peaks_make_rows_and_labels(toy, tmp_path):
    store, _ = make(toy[0], tmp_path / "s", peaks=True, tracks=(), window=40, rows="peaks", merge=10, kind="binary")
    found = {place(store, row): store.target[row, :, 0].tolist() for row in range(len(store))}
    # chr1: middles 120 and 140 overlap by 20 and become 130; chr2: 15 and chr3: 245 are shifted inwards
    assert found == {("chr1", 110): [1, 1], ("chr2", 0): [1, 0], ("chr3", 35): [0, 1], ("chr3", 210): [1, 0]}
    assert store.task.kind == "binary"
    profiles, _ = make(toy[0], tmp_path / "p", peaks=True, window=40, rows="peaks", merge=10)
    assert [place(profiles, row) for row in range(len(profiles))] == list(found)
    assert profiles.columns["label"].tolist() == list(found.values())


def test_further_tracks_stand_beside_the_targets(toy, tmp_path):
    both = {"other way round": {"a": toy[0] / "b.bw", "b": toy[0] / "a.bw"}}
    store, _ = make(toy[0], tmp_path / "s", window=30, bin=10, threshold=2.0, compared=both)
    assert store.meta["compared"] == ["other way round"]
    assert np.array_equal(store.columns["compared_0"], store.target[:, ::-1])
    store, _ = make(toy[0], tmp_path / "s", window=30, compared={"one": {"b": toy[0] / "a.bw"}})
    assert np.isnan(store.columns["compared_0"][:, 0]).all()
    assert np.array_equal(store.columns["compared_0"][:, 1], store.target[:, 0])
    with pytest.raises(InputError, match="one: found tracks of c, expected some of a, b"):
        make(toy[0], tmp_path / "s", compared={"one": {"c": toy[0] / "b.bw"}})


def test_given_regions_keep_their_file_and_are_counted_when_they_reach_over_an_end(toy, tmp_path):
    (tmp_path / "r.bed").write_text("chr2\t100\t120\nchr1\t0\t9\nchrX\t1\t2\n")
    (tmp_path / "n.narrowPeak").write_text("chr2\t100\t200\tp\t0\t.\t1\t1\t1\t70\n")
    store, counts = make(
        toy[0],
        tmp_path / "s",
        window=40,
        rows="regions",
        regions=[tmp_path / "r.bed", tmp_path / "n.narrowPeak"],
        kind="counts and profile",
        bin=10,
    )
    assert [place(store, row) for row in range(2)] == [("chr2", 90), ("chr2", 150)]
    assert store.columns["region_set"].tolist() == [0, 1]
    assert (counts["over a contig's end"], counts["on contigs that the genome lacks"]) == (1, 1)
    assert store.target[0, 0] == pytest.approx(toy[2]["a"]["chr2"][90:130].reshape(4, 10).sum(axis=1), rel=1e-6)


def test_pieces_of_the_genome_make_the_same_store(toy, tmp_path, monkeypatch):
    whole, _ = make(toy[0], tmp_path / "w", window=30, threshold=1.0, float16=True)
    monkeypatch.setattr("proformer.datasets.coverage.CHUNK_BYTES", 1000)
    pieces, _ = make(toy[0], tmp_path / "p", window=30, threshold=1.0, float16=True)
    assert whole.digests == pieces.digests
    assert whole.target.dtype == np.float16


def test_the_verb_makes_a_store_that_is_split_by_chromosomes(toy, tmp_path, proformer):
    folder = toy[0]
    words = ["coverage", "--genome", folder / "genome.fa", "--tracks", f"a={folder}/a.bw", f"b={folder}/b.bw"]
    done = proformer(
        *words, "--plan", "{window: 25, bin: 5}", "--out", tmp_path / "all.safetensors", "--counts", tmp_path / "c.tsv"
    )
    assert done.returncode == 0, done.stderr
    outs = [tmp_path / f"{part}.safetensors" for part in ("train", "validation", "test")]
    split(tmp_path / "all.safetensors", outs, chromosomes=[[], ["chr2"], ["chr3"]])
    assert [len(open_store(out)) for out in outs] == [16, 12, 10]


def refused(proformer, folder, tmp_path, plan="{window: 30}", **options):
    options = {"tracks": [f"a={folder}/a.bw"]} | options
    words = [word for name, values in options.items() for word in (f"--{name}", *values)]
    done = proformer("coverage", "--genome", folder / "genome.fa", *words, "--plan", plan, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert not (tmp_path / "out").exists()
    return done.stderr


def test_tracks_of_another_genome_and_without_a_contig_are_refused(toy, proformer, tmp_path):
    write(tmp_path / "other.bw", LENGTHS | {"chr2": 299}, {"chr1": toy[2]["a"]["chr1"]})
    assert "chr2 has 299 bp" in refused(proformer, toy[0], tmp_path, tracks=[f"a={tmp_path}/other.bw"])
    write(tmp_path / "less.bw", {"chr1": 400}, {"chr1": toy[2]["a"]["chr1"]})
    assert "no contig 'chr2'" in refused(proformer, toy[0], tmp_path, tracks=[f"a={tmp_path}/less.bw"])


def test_what_does_not_fit_together_is_refused(toy, proformer, tmp_path):
    folder = toy[0]
    twice = refused(proformer, folder, tmp_path, tracks=[f"a={folder}/a.bw", f"a={folder}/b.bw"])
    assert "the task 'a' twice" in twice
    assert "for two tasks" in refused(proformer, folder, tmp_path, tracks=[f"a={folder}/a.bw", f"b={folder}/a.bw"])
    assert "do not divide 30 bp" in refused(proformer, folder, tmp_path, "{window: 30, bin: 7}")
    assert "unknown key 'bins'" in refused(proformer, folder, tmp_path, "{bins: 7}")
    assert "not one of" in refused(proformer, folder, tmp_path, "{window: 30, threshold: 1000}")
    (tmp_path / "over.bed").write_text("chr3\t200\t240\nchr3\t240\t251\n")
    over = refused(proformer, folder, tmp_path, "{window: 30, rows: peaks, merge: 9}", peaks=[f"a={tmp_path}/over.bed"])
    assert "over.bed, line 2" in over
    assert "chr3 with 250 bp" in over
    store, _ = make(folder, tmp_path / "s", window=30)
    with pytest.raises(InputError, match="no chromosome 'chr9'"):
        split(store.path, [tmp_path / "t", tmp_path / "v"], chromosomes=[[], ["chr9"]])
