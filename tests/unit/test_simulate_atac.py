"""The simulated ATAC-seq experiment obeys its model, and the real tools find in it what was planted."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from proformer.cli import main
from proformer.errors import InputError
from proformer.sequences import C, G, N, decode, encode, reverse_complement
from proformer.simulate.atac import EXPERIMENT, MARGIN, ORIGINS, simulate_fragments, simulate_genome
from proformer.simulate.experiment import write_atac
from proformer.simulate.reads import ADAPTERS, LENGTH, TRANSPOSON

BED = ["contig", "start", "end", "name", "score", "strand"]
CONSENSUS = {motif.name: motif for motif in EXPERIMENT.motifs}
MACS2 = Path(sys.executable).with_name("macs2")
TOOLS = all(map(shutil.which, ("bowtie2", "samtools", "bedtools"))) and MACS2.exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("atac")
    write_atac(path, size=120_000, pairs=6000, libraries=2, seed=3)
    return path


@pytest.fixture(scope="module")
def contigs(folder) -> dict[str, np.ndarray]:
    parts = (folder / "genome.fa").read_text().split(">")[1:]
    return {name: encode(text.replace("\n", "")) for name, text in (part.split("\n", 1) for part in parts)}


@pytest.fixture(scope="module")
def truth(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "fragments.tsv.gz", sep="\t")


@pytest.fixture(scope="module")
def fragments() -> pd.DataFrame:
    return simulate_fragments(simulate_genome(600_000, 1), 60_000, seed=1, library=0)


def bed(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.bed", sep="\t", names=BED)


def fastq(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, codes and qualities."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert set(lines[2::4]) == {"+"}
    codes = np.array([encode(line) for line in lines[1::4]])
    return lines[::4], codes, np.array([list(line.encode()) for line in lines[3::4]]) - 33


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_same_seed_same_bytes_and_more_libraries_change_nothing(tmp_path):
    for name, libraries, seed in (("a", 1, 7), ("again", 1, 7), ("more", 2, 7), ("other", 1, 8)):
        write_atac(tmp_path / name, size=60_000, pairs=300, libraries=libraries, seed=seed)
    first, again, more, other = (digests(tmp_path / name) for name in ("a", "again", "more", "other"))
    assert first == again
    assert all(first[name] == more[name] for name in first if name not in ("fragments.tsv.gz", "simulator.json"))
    assert set(more) - set(first) == {"B_1.fastq.gz", "B_2.fastq.gz"}
    assert all(first[name] != other[name] for name in first)
    assert (tmp_path / "a" / "A_1.fastq.gz").read_bytes()[3:8] == bytes(5)  # no name, no time


def test_accessibility_follows_from_the_planted_sites(folder, contigs):
    regions, sites = bed(folder, "regions"), bed(folder, "sites")
    gained = dict.fromkeys(regions["name"], EXPERIMENT.closed)
    for site in sites.itertuples():
        found = contigs[site.contig][site.start : site.end]
        found = reverse_complement(found) if site.strand == "-" else found
        mismatches = int((found != encode(CONSENSUS[site.name].consensus)).sum())
        assert mismatches == 2 - site.score / 500
        mine = regions[
            (regions["contig"] == site.contig) & (regions["start"] < site.start) & (regions["end"] > site.end)
        ]
        gained[mine["name"].item()] += CONSENSUS[site.name].effect * math.exp(-EXPERIMENT.mismatch * mismatches)
    expected = [1000 / (1 + math.exp(-gained[name])) for name in regions["name"]]
    assert regions["score"].tolist() == pytest.approx(expected, abs=0.51)
    assert regions["score"].quantile(0.1) < 700 < 900 < regions["score"].quantile(0.9)


def test_sites_of_a_region_do_not_overlap_and_regions_keep_apart():
    genome = simulate_genome(600_000, 2)
    inside = genome.sites["end"].to_numpy()[:-1] <= genome.sites["start"].to_numpy()[1:]
    assert inside.all()
    assert np.diff(genome.regions["centre"]).min() >= 2 * MARGIN
    for start in (*genome.artefacts, *genome.repeats):
        assert (np.abs(genome.regions["centre"] - start) > 250).all()
    copies = [genome.codes[start : start + EXPERIMENT.repeat].tobytes() for start in genome.repeats]
    assert len(copies) == EXPERIMENT.copies
    assert len(set(copies)) == 1
    near, far = (
        np.isin(genome.codes[genome.regions["centre"].to_numpy()[:, None] + np.arange(a, b)], (C, G)).mean()
        for a, b in ((-20, 20), (500, 700))
    )
    assert near > far + 0.05


def test_reference_has_gaps_and_no_foreign_dna(folder, contigs):
    assert list(contigs) == ["chr1", "chr2", "chr3", "chr4", "chrM"]
    assert not (contigs["chrM"] == N).any()
    for name in list(contigs)[:-1]:
        assert (contigs[name][: EXPERIMENT.gap] == N).all()
        assert (contigs[name][-EXPERIMENT.gap :] == N).all()
    assert sum((codes == N).sum() for codes in contigs.values()) == 12 * EXPERIMENT.gap
    for name in ("regions", "sites", "tss", "blacklist", "repeats"):
        table = bed(folder, name)
        assert len(table)
        assert (table["start"] >= 0).all()
        assert (table["end"] <= table["contig"].map(lambda contig: len(contigs[contig]))).all()


@pytest.mark.parametrize("mate", [1, 2])
def test_reads_are_their_fragments_ends_and_run_into_the_adapter(folder, contigs, truth, mate):
    mine = truth[truth["library"] == "A"].reset_index(drop=True)
    heads, codes, qualities = fastq(folder / f"A_{mate}.fastq.gz")
    assert heads == [f"@{name} {mate}" for name in mine["name"]]
    assert codes.shape == qualities.shape == (6000, LENGTH)
    expected = np.full(codes.shape, N)
    for row in mine[mine["origin"] != "foreign"].itertuples():
        fragment = contigs[row.contig][row.start : row.end]
        if (row.strand == "-") != (mate == 2):
            fragment = reverse_complement(fragment)
        expected[row.Index] = np.concatenate([fragment, ADAPTERS[mate - 1]])[:LENGTH]
    known = expected < N
    wrong = (codes != expected) & known
    assert wrong[known].mean() == pytest.approx((10.0 ** (-qualities / 10))[known].mean(), rel=0.1)
    assert 0.001 < wrong[known].mean() < 0.02
    assert qualities[:, 0].mean() > qualities[:, -1].mean() + 1
    short = mine[(mine["end"] - mine["start"] < LENGTH - 10) & (mine["origin"] != "foreign")]
    assert len(short) > 100
    ends = [decode(codes[row.Index, row.end - row.start :]) for row in short.itertuples()]
    assert np.mean([end.startswith(TRANSPOSON[: len(end)]) for end in ends]) > 0.8


def test_insertions_of_both_strands_meet_after_the_shift(truth):
    """A position that Tn5 likes is cut for fragments on either side; +4 and -5 bring their ends together."""
    mine = truth[(truth["origin"] == "region")].drop_duplicates(["library", "molecule"])
    offsets = mine["contig"].astype("category").cat.codes.astype(np.int64) * 10**6
    left, right = (np.bincount(offsets + mine[side], minlength=4 * 10**6) for side in ("start", "end"))
    together = {shift: int(np.dot(left[: -2 * 20], np.roll(right, -shift)[: -2 * 20])) for shift in range(20)}
    assert max(together, key=together.get) == 9  # end - 5 = start + 4
    assert together[9] > 1.5 * np.median(list(together.values()))


def test_lengths_show_helix_and_nucleosomes(fragments):
    counts = np.bincount(fragments["length"], minlength=900).astype(float)
    smooth = np.convolve(counts, np.ones(21) / 21, "same")
    assert 45 <= smooth[:120].argmax() <= 80
    assert 180 <= 150 + smooth[150:280].argmax() <= 210
    assert 360 <= 300 + smooth[300:480].argmax() <= 410
    assert 530 <= 500 + smooth[500:700].argmax() <= 620
    assert smooth[140] < 0.8 * smooth[195]
    assert smooth[290] < 0.5 * smooth[385]
    free = np.arange(50, 123)
    wave = counts[free] / np.convolve(counts, np.ones(11) / 11, "same")[free] - 1
    power = {turn: abs(np.dot(wave, np.exp(2j * np.pi * free / turn))) for turn in (7, 8.5, 10.4, 13, 16)}
    assert max(power, key=power.get) == 10.4


def test_shares_copies_and_strands(fragments):
    assert len(fragments) == 60_000
    shares = np.bincount(fragments["origin"], minlength=len(ORIGINS)) / len(fragments)
    assert shares == pytest.approx(EXPERIMENT.origins, abs=0.01)
    assert fragments["molecule"].duplicated().mean() == pytest.approx(EXPERIMENT.duplicates, abs=1e-4)
    assert fragments.groupby("molecule")[["start", "length", "reverse"]].nunique().max().max() == 1
    assert fragments["reverse"].mean() == pytest.approx(0.5, abs=0.01)


def test_fragments_follow_accessibility_and_stay_in_their_contigs(fragments):
    genome = simulate_genome(600_000, 1)
    counts = np.bincount(fragments["region"], minlength=len(genome.regions) + 1)[1:]
    assert np.corrcoef(counts, genome.regions["accessibility"])[0, 1] > 0.9
    offset = genome.contigs["offset"].to_numpy()
    first, last = (
        np.searchsorted(offset, fragments["start"] + shift, side="right") for shift in (0, fragments["length"] - 1)
    )
    assert (first == last).all()
    assert fragments["length"].min() > 16


def test_tiny_libraries_and_settings(tmp_path):
    write_atac(tmp_path, size=60_000, pairs=1, libraries=1, seed=0)
    assert len(fastq(tmp_path / "A_1.fastq.gz")[0]) == 1
    settings = json.loads((tmp_path / "simulator.json").read_text())
    assert (settings["seed"], settings["pairs"], settings["experiment"]["closed"]) == (0, 1, EXPERIMENT.closed)


@pytest.mark.parametrize(
    ("size", "pairs", "libraries", "seed"),
    [(59_999, 10, 1, 1), (60_000, 0, 1, 1), (60_000, 10, 0, 1), (60_000, 10, 27, 1), (60_000, 10, 1, -1)],
)
def test_numbers_out_of_range(tmp_path, size, pairs, libraries, seed):
    with pytest.raises(InputError, match="expected"):
        write_atac(tmp_path / "out", size, pairs, libraries, seed)
    assert not (tmp_path / "out").exists()


def test_command_line(tmp_path, capsys):
    words = ["simulate-atac", "--genome-size", "60000", "--pairs", "20", "--libraries", "1", "--out"]
    assert main([*words, str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "A_2.fastq.gz").exists()
    assert main([*words, str(tmp_path / "none"), "--seed", "-1"]) == 2
    assert "argument --seed: found '-1', expected a whole number of at least 0" in capsys.readouterr().err


@pytest.mark.skipif(not TOOLS, reason="bowtie2, samtools, bedtools and macs2 are not all installed")
def test_real_tools_find_the_planted_regions(folder, tmp_path):
    reads = f"-1 {folder}/A_1.fastq.gz,{folder}/B_1.fastq.gz -2 {folder}/A_2.fastq.gz,{folder}/B_2.fastq.gz"
    steps = f"""set -euo pipefail
    bowtie2-build -q {folder}/genome.fa genome
    bowtie2 -X 2000 -x genome {reads} 2> bowtie2.log | samtools view -b -f 2 -q 30 | samtools sort -o all.bam
    samtools index all.bam
    samtools view -b all.bam chr1 chr2 chr3 chr4 | bedtools intersect -v -abam - -b {folder}/blacklist.bed > kept.bam
    {MACS2} callpeak -t kept.bam -f BAMPE -g 120000 -q 0.05 --keep-dup 1 --call-summits -n sim 2> macs2.log
    bedtools intersect -u -a {folder}/regions.bed -b sim_peaks.narrowPeak > found.bed
    bedtools intersect -v -a sim_peaks.narrowPeak -b {folder}/regions.bed > false.bed
    """
    subprocess.run(["bash", "-c", steps], cwd=tmp_path, check=True)
    rate = float((tmp_path / "bowtie2.log").read_text().split("\n")[-2].split("%")[0])
    assert 90 < rate < 97
    files = (folder / "regions.bed", tmp_path / "found.bed", tmp_path / "false.bed")
    planted, found, false = (len(path.read_text().splitlines()) for path in files)
    assert found / planted >= 0.8
    assert false <= 0.1 * found
