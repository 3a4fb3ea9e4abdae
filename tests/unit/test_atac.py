"""From fragments to windows: what is written is what bedtools and samtools say, and what the genome holds."""

import gzip
import subprocess

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from proformer.atac.contigs import count_bases, make_genome, open_genome, translate
from proformer.atac.fragments import Filter, cut_sites, from_bam, from_text, pool, read_fragments
from proformer.atac.lengths import count_lengths, length_table
from proformer.atac.peaks import call_peaks, read_summits
from proformer.atac.quality import around_summits, fraction_in_peaks, locus, read_sites, recall, tss_enrichment
from proformer.atac.reads import align, bowtie2_summary, build_index, check_mates, mark, trim
from proformer.atac.signal import Signal, write_signal
from proformer.atac.windows import Windows, draw, make_windows
from proformer.datasets.store import open_store
from proformer.sequences import decode, encode, reverse_complement

LENGTHS = {"I": 40_000, "II": 25_000, "III": 3_000}


def run(*command, **keywords):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, **keywords).stdout


@pytest.fixture(scope="module")
def sequences():
    random = np.random.default_rng(3)
    found = {name: "".join(random.choice(list("ACGT"), length)) for name, length in LENGTHS.items()}
    found["III"] = found["III"][:1000] + "N" * 200 + found["III"][1200:]
    return found


@pytest.fixture(scope="module")
def genome(sequences, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genome")
    lines = [f">{name} some words\n" + "\n".join(text[i : i + 60] for i in range(0, len(text), 60)) + "\n"
             for name, text in sequences.items()]  # fmt: skip
    (folder / "source.fa.gz").write_bytes(gzip.compress("".join(lines).encode()))
    make_genome(folder / "source.fa.gz", folder / "genome.fa")
    return open_genome(folder / "genome.fa")


@pytest.fixture(scope="module")
def table():
    """Fragments: a background, and 40-fold as many in five places on I and three on II."""
    random = np.random.default_rng(5)
    centres = [("I", 5000 + 7000 * i) for i in range(5)] + [("II", 4000 + 8000 * i) for i in range(3)]
    rows = []
    for contig, centre in centres:
        middle = centre + random.normal(0, 60, 150).astype(int)
        length = random.integers(50, 300, 150)
        rows += [(contig, m - n // 2, m - n // 2 + n) for m, n in zip(middle, length, strict=True)]
    for contig, size in LENGTHS.items():
        start = random.integers(0, size - 300, size // 100)
        rows += [(contig, s, s + n) for s, n in zip(start, random.integers(40, 300, len(start)), strict=True)]
    return pd.DataFrame(rows, columns=["contig", "start", "end"])


@pytest.fixture(scope="module")
def pooled(table, genome, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fragments")
    parts = []
    for name, part in (("a", table[::2]), ("b", table[1::2])):
        part.to_csv(folder / f"{name}.in.bed", sep="\t", header=False, index=False)
        from_text(folder / f"{name}.in.bed", genome, folder / f"{name}.bed.gz", Filter(), name)
        parts.append(folder / f"{name}.bed.gz")
    assert pool(parts, folder / "pooled.bed.gz") == len(table)
    return folder / "pooled.bed.gz"


@pytest.fixture(scope="module")
def tracks(pooled, genome):
    paths = {mode: pooled.parent / f"{mode}.bw" for mode in ("fragments", "cutsites")}
    for mode, path in paths.items():
        write_signal(pooled, genome, path, mode)
    return paths


@pytest.fixture(scope="module")
def peaks(pooled):
    call_peaks(pooled, pooled.parent / "peaks", "bampe", sum(LENGTHS.values()))
    return pooled.parent / "peaks/atac_peaks.narrowPeak"


def some_windows(number, width, seed=0):
    random = np.random.default_rng(seed)
    contig = random.integers(0, 3, number)
    start = random.integers(0, np.array([*LENGTHS.values()])[contig] - width + 1)
    return contig, start


def test_sequences_are_those_of_the_genome(genome, sequences):
    contig, start = some_windows(500, 130)
    names = [*LENGTHS]
    for c, s, codes in zip(contig, start, genome.codes(contig, start, 130), strict=True):
        assert (codes == encode(sequences[names[c]][s : s + 130])).all()
    assert count_bases(genome)["acgt"].tolist() == [40_000, 25_000, 2_800]


def test_fragments_come_out_sorted_and_whole(pooled, table):
    found = pd.DataFrame(
        [(c, s, e) for c, starts, ends in read_fragments(pooled) for s, e in zip(starts, ends, strict=True)],
        columns=table.columns,
    )
    pd.testing.assert_frame_equal(found, table.sort_values([*table], ignore_index=True))


@pytest.mark.parametrize("mode", ["fragments", "cutsites"])
def test_signal_equals_bedtools_on_random_windows(tracks, pooled, table, genome, tmp_path, mode):
    """100 random windows and some at the ends of contigs, against `bedtools genomecov` and `bedtools map`."""
    contig, start = some_windows(100, 20)
    contig, start = np.append(contig, [0, 0, 2]), np.append(start, [0, LENGTHS["I"] - 20, LENGTHS["III"] - 20])
    mean = Signal(tracks[mode], genome).read(contig, start, 20).mean(axis=1, dtype=float)
    covering = table
    if mode == "cutsites":
        ends = [table.assign(start=table["start"] + 4, end=table["start"] + 5),
                table.assign(start=table["end"] - 6, end=table["end"] - 5)]  # fmt: skip
        covering = pd.concat(ends)
    covering.sort_values([*table]).to_csv(tmp_path / "f.bed", sep="\t", header=False, index=False)
    (tmp_path / "sizes").write_text("".join(f"{name}\t{length}\n" for name, length in LENGTHS.items()))
    scale = 1e6 / len(covering)
    depth = run("bedtools", "genomecov", "-bga", "-i", tmp_path / "f.bed", "-g", tmp_path / "sizes", "-scale", scale)
    depth = [line.split("\t") for line in depth.splitlines()]
    bases = {name: np.zeros(length) for name, length in LENGTHS.items()}
    for name, first, last, value in depth:
        bases[name][int(first) : int(last)] = float(value)
    expected = [bases[[*LENGTHS][c]][s : s + 20].mean() for c, s in zip(contig, start, strict=True)]
    assert mean == pytest.approx(expected, rel=1e-5)
    assert max(expected) > 0


def test_signal_does_not_depend_on_how_windows_are_read(tracks, genome):
    signal = Signal(tracks["fragments"], genome)
    contig, start = some_windows(200, 37)
    together = signal.read(contig, start, 37)
    alone = [signal.read(contig[i : i + 1], start[i : i + 1], 37)[0] for i in range(200)]
    assert (together == np.array(alone)).all()
    with pyBigWig.open(str(tracks["fragments"])) as bigwig:
        plain = [bigwig.values([*LENGTHS][c], int(s), int(s) + 37) for c, s in zip(contig, start, strict=True)]
    assert (together == np.nan_to_num(np.array(plain, dtype=np.float32))).all()


def test_every_kind_of_fragments_file_gives_the_same_fragments(table, genome, tmp_path, pooled):
    bedpe = pd.DataFrame({"a": table["contig"], "b": table["start"], "c": table["start"] + 20, "d": table["contig"],
                          "e": table["end"] - 20, "f": table["end"], "g": "name"})  # fmt: skip
    cells = table.assign(start=table["start"] + 4, end=table["end"] - 5, barcode="AAAC-1", count=1)
    named = table.assign(contig="chr" + table["contig"])
    files = {"pairs.bedpe": bedpe, "fragments.tsv.gz": cells, "named.bed.gz": named}
    for name, content in files.items():
        text = "# a comment\n" + content.to_csv(sep="\t", header=False, index=False)
        (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        wanted = Filter(contig_names="strip-chr") if name.startswith("named") else Filter()
        counts = from_text(tmp_path / name, genome, tmp_path / "out.bed.gz", wanted, "a")
        assert gzip.decompress((tmp_path / "out.bed.gz").read_bytes()) == gzip.decompress(pooled.read_bytes()), name
        assert counts["count"].tolist() == [len(table), len(table)]


def test_unwanted_contigs_and_the_blacklist_are_left_out_and_counted(table, genome, tmp_path):
    table.to_csv(tmp_path / "in.bed", sep="\t", header=False, index=False)
    (tmp_path / "black.bed").write_text("I\t4900\t5100\tHigh Signal Region\n")
    wanted = Filter(exclude=("III",), blacklist=tmp_path / "black.bed")
    counts = from_text(tmp_path / "in.bed", genome, tmp_path / "out.bed.gz", wanted, "a").set_index("step")["count"]
    off = table[(table["contig"] != "III")]
    kept = off[~((off["contig"] == "I") & (off["start"] < 5100) & (off["end"] > 4900))]
    assert counts.to_dict() == {"pairs": len(table), "contigs": len(off), "off the blacklist": len(kept)}


def test_peaks_lie_where_fragments_were_planted(peaks, genome, pooled):
    summits = read_summits(peaks, genome)
    planted = [(0, 5000 + 7000 * i) for i in range(5)] + [(1, 4000 + 8000 * i) for i in range(3)]
    for contig, centre in planted:
        near = summits["summit"][summits["contig"] == contig] - centre
        assert near.abs().min() < 150
    cuts = call_peaks(pooled, pooled.parent / "cuts", "cutsites", sum(LENGTHS.values()))
    assert cuts >= len(planted)


def test_windows_are_what_the_store_says(tracks, peaks, genome, sequences, tmp_path):
    """Sequence from the forward strand, target the transformed mean of the centre, distance to a summit."""
    (tmp_path / "black.bed").write_text("II\t4100\t4200\n")
    summits, signal = read_summits(peaks, genome), Signal(tracks["fragments"], genome)
    plan = Windows(number=400, seed=7)
    counts = make_windows(summits, genome, signal, tmp_path / "w", plan, blacklist=tmp_path / "black.bed")
    store = open_store(tmp_path / "w")
    counts = counts.set_index("what")["count"]
    assert counts["drawn"] == 400
    assert counts["on the blacklist"] > 0
    assert counts["kept"] == len(store) == 400 - counts.drop(["drawn", "kept"]).sum()
    names = store.meta["contigs"]
    middles = {(c, s) for c, s in summits.itertuples(index=False)}
    for row in range(len(store)):
        contig, start = (int(store.columns[key][row]) for key in ("contig", "start"))
        assert decode(store.codes[row]) == sequences[names[contig]][start : start + 100]
        mean = signal.read(np.array([contig]), np.array([start + 40]), 20).mean(dtype=float)
        assert store.target[row, 0, 0] == pytest.approx(np.log1p(mean), rel=1e-5)
        assert (contig, start + 50 - int(store.columns["distance"][row])) in middles
        assert not (names[contig] == "II" and start < 4200 and start + 100 > 4100)
    untransformed = Windows(number=400, seed=7, transform="none")
    make_windows(summits, genome, signal, tmp_path / "v", untransformed, blacklist=tmp_path / "black.bed")
    assert np.log1p(open_store(tmp_path / "v").target) == pytest.approx(store.target, rel=1e-4)


def test_windows_fill_the_reach_and_use_summits_evenly():
    summits = pd.DataFrame({"contig": 0, "summit": np.arange(10) * 10_000 + 5_000})
    drawn = draw(summits, Windows(number=20_005, length=100, reach=1000, centre=20))
    assert drawn["distance"].min() == -450
    assert drawn["distance"].max() == 450
    assert abs(drawn["distance"].mean()) < 10
    used = (drawn["start"] + 50 - drawn["distance"]).value_counts()
    assert sorted(used) == [2000] * 5 + [2001] * 5
    assert draw(summits, Windows(number=50, seed=1)).equals(draw(summits, Windows(number=50, seed=1)))
    assert not draw(summits, Windows(number=50, seed=1)).equals(draw(summits, Windows(number=50, seed=2)))


def test_summits_at_the_ends_of_contigs_give_counted_losses(tracks, genome, tmp_path):
    summits = pd.DataFrame({"contig": [0, 2, 2], "summit": [0, LENGTHS["III"] - 1, 1100]})
    signal = Signal(tracks["fragments"], genome)
    counts = make_windows(summits, genome, signal, tmp_path / "w", Windows(number=300)).set_index("what")["count"]
    store = open_store(tmp_path / "w")
    assert counts["over a contig's end"] > 50
    assert counts["unknown bases"] > 10
    assert not (store.codes == 4).any()
    more = make_windows(summits, genome, signal, tmp_path / "w", Windows(number=300, max_n=50)).set_index("what")
    assert more["count"]["kept"] > counts["kept"]


def test_fraction_in_peaks_equals_bedtools(pooled, peaks, table):
    called = pd.read_csv(peaks, sep="\t", header=None, usecols=[0, 1, 2], names=["contig", "start", "end"])
    lengths, frip = length_table(count_lengths(pooled), "a"), fraction_in_peaks(pooled, called, "a")
    inside = run("bedtools", "intersect", "-u", "-a", pooled, "-b", peaks).count("\n")
    assert frip.iloc[0].to_list() == ["a", len(table), inside, inside / len(table)]
    assert lengths.set_index("length")["count"].to_dict() == (table["end"] - table["start"]).value_counts().to_dict()


def test_signal_around_summits_peaks_in_the_middle(tracks, genome, peaks):
    profile, heat = around_summits(Signal(tracks["fragments"], genome), genome, read_summits(peaks, genome))
    means = profile.set_index("position")["mean"]
    assert len(profile) == 2001
    assert means.loc[-50:50].mean() > 5 * means.loc[-1000:-800].mean()
    assert (profile["q25"] <= profile["q75"]).all()
    sums = heat.groupby("row")["signal"].sum()
    assert sums.is_monotonic_decreasing
    assert heat["bin"].nunique() == 100


def test_tss_enrichment_sees_sites_and_their_strand(tracks, genome, tmp_path):
    genes = [("I", 5000 + 7000 * i) for i in range(5)]
    lines = [f"{c}\tx\tgene\t{p + 1}\t{p + 900}\t.\t+\t.\tid" for c, p in genes[:3]]
    lines += [f"{c}\tx\tgene\t{p - 900}\t{p + 1}\t.\t-\t.\tid" for c, p in genes[3:]]
    (tmp_path / "genes.gtf").write_text("#!genome\n" + "\n".join(lines) + "\n")
    sites = read_sites(tmp_path / "genes.gtf", genome)
    assert sites["position"].tolist() == [p for _, p in genes]
    enriched = tss_enrichment(Signal(tracks["fragments"], genome), genome, sites).set_index("position")["enrichment"]
    assert enriched.loc[-50:50].mean() > 5
    away = sites.assign(position=sites["position"] + 2200)
    assert tss_enrichment(Signal(tracks["fragments"], genome), genome, away)["enrichment"].iloc[1950:2050].mean() < 3


def test_recall_counts_both_ways():
    regions = pd.DataFrame({"contig": ["I", "I", "II"], "start": [100, 500, 100], "end": [200, 600, 200]})
    called = pd.DataFrame({"contig": ["I", "I"], "start": [150, 300], "end": [250, 400]})
    found = recall(regions, called)
    assert found[["number", "found"]].to_numpy().tolist() == [[3, 1], [2, 1]]


def test_locus_is_drawn_from_this_run(tracks, peaks, genome, pooled, tmp_path, table):
    summits, signal = read_summits(peaks, genome), Signal(tracks["fragments"], genome)
    make_windows(summits, genome, signal, tmp_path / "w", Windows(number=100))
    rows = locus(open_store(tmp_path / "w"), signal, genome, summits, pooled)
    assert set(rows["track"]) == {"reads", "signal", "summit", "window", "centre"}
    best = rows[rows["track"] == "centre"].iloc[0]
    assert np.log1p(best["value"]) == pytest.approx(open_store(tmp_path / "w").target.max(), rel=1e-4)
    reads = rows[rows["track"] == "reads"]
    low, high = rows.loc[rows["track"] == "signal", "start"].min(), rows.loc[rows["track"] == "signal", "end"].max()
    there = (table["contig"] == best["contig"]) & (table["end"] > low) & (table["start"] < high)
    assert len(reads) == there.sum()


ADAPTER = "CTGTCTCTTATACACATCTCCGAGCCCACGAGAC"


def write_reads(folder, sequences, table, name, length=50, seed=0):
    """Two FASTQ files of the fragments' ends; mates read through short fragments into the adapter."""
    mates = ([], [])
    for number, (contig, start, end) in enumerate(table.itertuples(index=False)):
        text = sequences[contig][start:end]
        back = decode(reverse_complement(encode(text)))
        for mate, read in zip(mates, (text, back), strict=True):
            read = (read + ADAPTER)[:length]
            mate.append(f"@{name}:{number}\n{read}\n+\n{'I' * len(read)}\n")
    paths = [folder / f"{name}_{mate}.fastq.gz" for mate in (1, 2)]
    for path, lines in zip(paths, mates, strict=True):
        path.write_bytes(gzip.compress("".join(lines).encode()))
    return tuple(paths)


@pytest.fixture(scope="module")
def index(genome):
    build_index(genome.path, genome.path.parent / "index/genome", 1)
    return genome.path.parent / "index/genome"


def test_reads_come_back_as_the_fragments_that_they_were_cut_from(table, sequences, genome, index, tmp_path):
    """Trimmed, aligned, marked, filtered: all fragments of 40 bp or more, duplicates once; the rate and counts fit."""
    unique = table[~table["contig"].eq("III")].drop_duplicates()
    doubled = pd.concat([unique, unique.iloc[:100]])
    raw = write_reads(tmp_path, sequences, doubled, "a")
    assert check_mates(*raw) == len(doubled)
    reads = (tmp_path / "t_1.fastq.gz", tmp_path / "t_2.fastq.gz")
    trim(raw, reads, tmp_path / "a.fastp.json", 1)
    rate = align(reads, index, tmp_path / "a.bam", sample="a", genome_name="tiny", logs=tmp_path)
    assert rate > 0.99
    counts = from_bam(tmp_path / "a.bam", genome, tmp_path / "a.bed.gz", Filter(), "a").set_index("step")["count"]
    assert counts["pairs"] == len(doubled)
    assert counts["MAPQ ≥ 30"] - counts["no duplicates"] == 100
    found = {(c, s, e) for c, starts, ends in read_fragments(tmp_path / "a.bed.gz")
             for s, e in zip(starts, ends, strict=True)}  # fmt: skip
    assert len(found & set(unique.itertuples(index=False, name=None))) > 0.97 * len(unique)
    assert len(found) <= len(unique)
    depth = run("samtools", "flagstat", tmp_path / "a.bam")
    assert f"{2 * 100} + 0 primary duplicates" in depth


def test_signal_equals_samtools_depth_on_random_windows(table, sequences, genome, index, tmp_path):
    """Fragments no longer than their two reads together are covered base by base by them: `samtools depth -s`."""
    short = table[(table["end"] - table["start"] <= 100) & ~table["contig"].eq("III")].drop_duplicates()
    reads = write_reads(tmp_path, sequences, short, "a", length=100)
    cut = (tmp_path / "t_1.fastq.gz", tmp_path / "t_2.fastq.gz")
    trim(reads, cut, tmp_path / "a.fastp.json", 1)
    align(cut, index, tmp_path / "a.bam", sample="a", genome_name="tiny", logs=tmp_path)
    counts = from_bam(tmp_path / "a.bam", genome, tmp_path / "a.bed.gz", Filter(mapq=30), "a")
    number = write_signal(tmp_path / "a.bed.gz", genome, tmp_path / "a.bw")
    assert number == counts["count"].iloc[-1] > 100
    good = run("samtools", "view", "-h", "-f", "2", "-F", "3332", "-e", "mapq >= 30 && [MQ] >= 30", tmp_path / "a.bam")
    depth = run("samtools", "depth", "-a", "-s", "-", input=good)
    bases = {name: np.zeros(length) for name, length in LENGTHS.items()}
    for line in depth.splitlines():
        name, position, value = line.split("\t")
        bases[name][int(position) - 1] = int(value)
    contig, start = some_windows(300, 20)
    mean = Signal(tmp_path / "a.bw", genome).read(contig, start, 20).mean(axis=1, dtype=float)
    expected = [bases[[*LENGTHS][c]][s : s + 20].mean() * 1e6 / number for c, s in zip(contig, start, strict=True)]
    assert mean == pytest.approx(expected, rel=1e-5)
    assert max(expected) > 0


def test_peaks_of_a_bam_and_of_its_fragments_are_the_same(table, sequences, genome, index, tmp_path):
    """MACS2's BEDPE, which the workflow uses, and its BAMPE, which the authors' lab uses, are one."""
    reads = write_reads(tmp_path, sequences, table[~table["contig"].eq("III")].drop_duplicates(), "a", length=40)
    align(reads, index, tmp_path / "a.bam", sample="a", genome_name="tiny", logs=tmp_path)
    from_bam(tmp_path / "a.bam", genome, tmp_path / "a.bed.gz", Filter(), "a")
    call_peaks(tmp_path / "a.bed.gz", tmp_path / "ours", "bampe", 65_000)
    good = run("samtools", "view", "-b", "-o", tmp_path / "good.bam", "-f", "2", "-F", "3332",
               "-e", "mapq >= 30 && [MQ] >= 30", tmp_path / "a.bam")  # fmt: skip
    assert good == ""
    run("macs2", "callpeak", "-t", tmp_path / "good.bam", "-f", "BAMPE", "-g", "65000", "-q", "0.05",
        "--keep-dup", "1", "--call-summits", "-n", "atac", "--outdir", tmp_path / "theirs")  # fmt: skip
    ours, theirs = ((tmp_path / who / "atac_peaks.narrowPeak").read_text() for who in ("ours", "theirs"))
    assert ours == theirs
    assert ours.count("\n") >= 5


def test_a_users_bam_is_marked_and_filtered_like_our_own(table, sequences, genome, index, tmp_path):
    unique = table[table["contig"].eq("I")].drop_duplicates()
    reads = write_reads(tmp_path, sequences, pd.concat([unique, unique.iloc[:50]]), "a", length=40)
    align(reads, index, tmp_path / "a.bam", sample="a", genome_name="tiny", logs=tmp_path)
    run("samtools", "view", "-b", "-F", "0", "--remove-tag", "MQ,ms,MC", "-o", tmp_path / "b.bam", tmp_path / "a.bam")
    mark(tmp_path / "b.bam", tmp_path / "c.bam", sample="c", logs=tmp_path)
    for name in "ac":
        from_bam(tmp_path / f"{name}.bam", genome, tmp_path / f"{name}.bed.gz", Filter(), name)
    assert gzip.decompress((tmp_path / "a.bed.gz").read_bytes()) == gzip.decompress(
        (tmp_path / "c.bed.gz").read_bytes()
    )


def test_cut_sites_are_moved_by_4_and_5():
    assert cut_sites(np.array([100]), np.array([200])).tolist() == [104, 194]


def test_names_are_translated_by_each_option(tmp_path):
    genome = ["I", "Mito"]
    assert translate(["chrI"], "strip-chr", genome, "x") == {"chrI": "I"}
    (tmp_path / "names.tsv").write_text("chrI\tI\nchrM\tMito\n")
    assert translate(["chrI", "chrM", "chrUn"], str(tmp_path / "names.tsv"), genome, "x") == {
        "chrI": "I",
        "chrM": "Mito",
    }
    assert translate(["1"], "add-chr", ["chr1"], "x") == {"1": "chr1"}


def test_bowtie2_summary_is_read():
    text = """10 reads; of these:
  10 (100.00%) were paired; of these:
    2 (20.00%) aligned concordantly 0 times
    5 (50.00%) aligned concordantly exactly 1 time
    3 (30.00%) aligned concordantly >1 times
85.00% overall alignment rate
"""
    assert bowtie2_summary(text) == {"pairs": 10, "concordant_once": 5, "concordant_more": 3, "discordant": 0,
                                     "overall_rate": 0.85}  # fmt: skip
