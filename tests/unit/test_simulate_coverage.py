"""Simulated tracks: their files fit the genome, replicates scatter around what is expected, motifs open regions."""

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from proformer.atac.contigs import make_genome, open_genome
from proformer.datasets.places import read_intervals
from proformer.simulate.coverage import DEPTH, simulate_tracks, write_tracks


@pytest.fixture(scope="module")
def tracks():
    return simulate_tracks(120_000, 3, 4)


def test_replicates_scatter_around_the_expected_coverage(tracks):
    for replicate in tracks.replicates:
        assert replicate.sum(axis=1) == pytest.approx(tracks.expected.sum(axis=1), rel=0.05)
    a, b = (replicate - tracks.expected for replicate in tracks.replicates)
    assert np.abs([np.corrcoef(*pair)[0, 1] for pair in zip(a, b, strict=True)]).max() < 0.05


def test_open_regions_are_covered_and_cell_types_differ(tracks):
    centres = tracks.genome.regions["centre"].to_numpy()
    heights = tracks.expected[:, centres]
    for opening, height in zip(tracks.opening, heights, strict=True):
        assert np.corrcoef(opening, height)[0, 1] > 0.6
        assert height.max() < 36 * DEPTH * 3
    assert np.corrcoef(tracks.opening)[np.triu_indices(3, 1)].max() < 0.95


def test_the_files_are_of_one_genome_and_the_same_again(tracks, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_tracks(tracks if name == "a" else simulate_tracks(120_000, 3, 4), tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 5 + 3 * 4
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    make_genome(tmp_path / "a/genome.fa", tmp_path / "g.fa")
    genome = open_genome(tmp_path / "g.fa")
    with pyBigWig.open(str(tmp_path / "a/cell2.bw")) as bigwig:
        assert bigwig.chroms() == dict(zip(genome.names, genome.lengths.tolist(), strict=True))
        found = bigwig.values("chr1", 0, 5000, numpy=True)
    own = tracks.replicates[0][1]
    assert np.nan_to_num(found) == pytest.approx(own[:5000] / own.mean(), rel=1e-5)
    assert len(read_intervals(tmp_path / "a/cell1.bed", genome)) > 5
    gaps = read_intervals(tmp_path / "a/gaps.bed", genome)
    for gap in gaps.itertuples():
        assert (genome.codes(np.array([gap.contig]), np.array([gap.start]), gap.end - gap.start) == 4).all()
    variants = pd.read_csv(tmp_path / "a/variants1.tsv", sep="\t", comment="#", header=None)
    position, reference, value = variants[1].to_numpy(), variants[2], variants[4]
    chr3 = np.full(len(variants), genome.names.index("chr3"))
    assert reference.tolist() == ["ACGT"[code] for code in genome.codes(chr3, position - 1, 1)[:, 0]]
    assert value.median() < -0.2  # most changes break the site
    regions = pd.read_csv(tmp_path / "a/regions.tsv", sep="\t")
    assert regions["cell3"].between(0, 1).all()
